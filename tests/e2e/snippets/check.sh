# Проверка доступности API через поддомен (HTTPS)
curl -k https://api.your-domain.com/

# Проверка доступности API через прямой IP (HTTP)
curl http://YOUR_SERVER_IP:8000/

# Создание ключа через API (HTTPS поддомен)
curl -X POST "https://api.your-domain.com/api/keys" \
  -H "Authorization: Bearer YOUR_API_SECRET_KEY" \
  -H "Content-Type: application/json" \
  -d '{"name": "test_key"}'
