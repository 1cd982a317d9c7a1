import httpx
import asyncio

API_URL = "https://your-domain.com"
API_KEY = "your-secret-key-here"

headers = {
    "Authorization": f"Bearer {API_KEY}",
    "Content-Type": "application/json"
}

async def main():
    async with httpx.AsyncClient() as client:
        # Создание ключа
        response = await client.post(
            f"{API_URL}/api/keys",
            json={"name": "user_123"},
            headers=headers
        )
        key_data = response.json()
        
        # Получение VLESS ссылки
        key_id = key_data['key_id']
        response = await client.get(
            f"{API_URL}/api/keys/{key_id}/link",
            headers=headers
        )
        vless_link = response.json()['vless_link']
        print(f"VLESS link: {vless_link}")

asyncio.run(main())
