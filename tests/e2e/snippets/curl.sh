# Переменные
API_URL="https://your-domain.com"
API_KEY="your-secret-key-here"

# Создание ключа
curl -X POST "${API_URL}/api/keys" \
  -H "Authorization: Bearer ${API_KEY}" \
  -H "Content-Type: application/json" \
  -d '{"name": "user_123"}'

# Получение списка ключей
curl -X GET "${API_URL}/api/keys" \
  -H "Authorization: Bearer ${API_KEY}"

# Получение VLESS ссылки
KEY_ID=1
curl -X GET "${API_URL}/api/keys/${KEY_ID}/link" \
  -H "Authorization: Bearer ${API_KEY}"

# Получение статистики
curl -X GET "${API_URL}/api/keys/${KEY_ID}/traffic" \
  -H "Authorization: Bearer ${API_KEY}"

# Обнуление статистики трафика
curl -X POST "${API_URL}/api/keys/${KEY_ID}/traffic/reset" \
  -H "Authorization: Bearer ${API_KEY}"

# Удаление ключа
curl -X DELETE "${API_URL}/api/keys/${KEY_ID}" \
  -H "Authorization: Bearer ${API_KEY}"
