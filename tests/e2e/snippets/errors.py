response = requests.get(f"{API_URL}/api/keys/{key_id}", headers=headers)

if response.status_code == 200:
    data = response.json()
    # Обработка данных
elif response.status_code == 404:
    # Ключ не найден
    print("Key not found")
elif response.status_code == 401:
    # Ошибка авторизации
    print("Unauthorized")
else:
    # Другая ошибка
    error = response.json()
    print(f"Error: {error['detail']}")
