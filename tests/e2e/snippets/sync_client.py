import requests

API_URL = "https://your-domain.com"
API_KEY = "your-secret-key-here"

headers = {
    "Authorization": f"Bearer {API_KEY}",
    "Content-Type": "application/json"
}

# Создание ключа
response = requests.post(
    f"{API_URL}/api/keys",
    json={"name": "user_123"},
    headers=headers
)
key_data = response.json()
print(f"Created key: {key_data['key_id']}, UUID: {key_data['uuid']}")

# Получение VLESS ссылки
key_id = key_data['key_id']
response = requests.get(
    f"{API_URL}/api/keys/{key_id}/link",
    headers=headers
)
vless_link = response.json()['vless_link']
print(f"VLESS link: {vless_link}")

# Получение статистики
response = requests.get(
    f"{API_URL}/api/keys/{key_id}/traffic",
    headers=headers
)
traffic = response.json()
print(f"Traffic: {traffic['total'] / 1024 / 1024:.2f} MB")

# Обнуление статистики трафика
response = requests.post(
    f"{API_URL}/api/keys/{key_id}/traffic/reset",
    headers=headers
)
reset_data = response.json()
print(f"Traffic reset: previous total was {reset_data['previous_total'] / 1024 / 1024:.2f} MB")

# Список всех ключей
response = requests.get(f"{API_URL}/api/keys", headers=headers)
keys = response.json()
print(f"Total keys: {keys['total']}")

# Удаление ключа
response = requests.delete(
    f"{API_URL}/api/keys/{key_id}",
    headers=headers
)
print(response.json()['message'])
