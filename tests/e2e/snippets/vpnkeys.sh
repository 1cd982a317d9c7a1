### Создание ключа
curl -X POST "https://SERVER_ADDRESS:8000/api/keys" \
     -H "X-API-Key: your-api-key" \
     -H "Content-Type: application/json" \
     -d '{"name": "user@example.com"}'

### Получение списка ключей
curl -H "X-API-Key: your-api-key" \
    https://SERVER_ADDRESS:8000/api/keys

### Получение конфигурации ключа
curl -H "X-API-Key: your-api-key" \
    https://SERVER_ADDRESS:8000/api/keys/{key_id}/config

### Получение накопительного трафика ключа
curl -H "X-API-Key: your-api-key" \
    https://SERVER_ADDRESS:8000/api/keys/{key_id}/traffic

### Обнуление трафика ключа
curl -X POST -H "X-API-Key: your-api-key" \
    https://SERVER_ADDRESS:8000/api/keys/{key_id}/traffic/reset

### Удаление ключа
curl -X DELETE -H "X-API-Key: your-api-key" \
    https://SERVER_ADDRESS:8000/api/keys/{key_id}

### Синхронизация конфигурации
curl -X POST -H "X-API-Key: your-api-key" \
    https://SERVER_ADDRESS:8000/api/system/sync-config

### Статус портов
curl -H "X-API-Key: your-api-key" \
    https://SERVER_ADDRESS:8000/api/system/ports
