from telegram import Update
from telegram.ext import Application, CommandHandler, ContextTypes
import requests

API_URL = "https://your-domain.com"
API_KEY = "your-secret-key-here"

headers = {
    "Authorization": f"Bearer {API_KEY}",
    "Content-Type": "application/json"
}

async def create_key_command(update: Update, context: ContextTypes.DEFAULT_TYPE):
    """Создание нового ключа"""
    user_name = update.effective_user.username or str(update.effective_user.id)
    
    response = requests.post(
        f"{API_URL}/api/keys",
        json={"name": user_name},
        headers=headers
    )
    
    if response.status_code == 200:
        key_data = response.json()
        
        # Получаем VLESS ссылку
        link_response = requests.get(
            f"{API_URL}/api/keys/{key_data['key_id']}/link",
            headers=headers
        )
        vless_link = link_response.json()['vless_link']
        
        await update.message.reply_text(
            f"✅ Ключ создан!\n\n"
            f"ID: {key_data['key_id']}\n"
            f"UUID: {key_data['uuid']}\n\n"
            f"VLESS ссылка:\n`{vless_link}`",
            parse_mode='Markdown'
        )
    else:
        await update.message.reply_text("❌ Ошибка при создании ключа")

async def traffic_command(update: Update, context: ContextTypes.DEFAULT_TYPE):
    """Получение статистики трафика"""
    if not context.args:
        await update.message.reply_text("Использование: /traffic <key_id>")
        return
    
    key_id = context.args[0]
    response = requests.get(
        f"{API_URL}/api/keys/{key_id}/traffic",
        headers=headers
    )
    
    if response.status_code == 200:
        traffic = response.json()
        total_mb = traffic['total'] / 1024 / 1024
        upload_mb = traffic['upload'] / 1024 / 1024
        download_mb = traffic['download'] / 1024 / 1024
        
        await update.message.reply_text(
            f"📊 Статистика трафика (ключ {key_id}):\n\n"
            f"📤 Загружено: {upload_mb:.2f} MB\n"
            f"📥 Скачано: {download_mb:.2f} MB\n"
            f"📊 Всего: {total_mb:.2f} MB"
        )
    else:
        await update.message.reply_text("❌ Ключ не найден")

async def reset_traffic_command(update: Update, context: ContextTypes.DEFAULT_TYPE):
    """Обнуление статистики трафика"""
    if not context.args:
        await update.message.reply_text("Использование: /reset_traffic <key_id>")
        return
    
    key_id = context.args[0]
    response = requests.post(
        f"{API_URL}/api/keys/{key_id}/traffic/reset",
        headers=headers
    )
    
    if response.status_code == 200:
        reset_data = response.json()
        previous_total_mb = reset_data['previous_total'] / 1024 / 1024
        
        await update.message.reply_text(
            f"🔄 Трафик обнулен для ключа {key_id}\n\n"
            f"📊 Предыдущий трафик: {previous_total_mb:.2f} MB"
        )
    elif response.status_code == 404:
        await update.message.reply_text("❌ Ключ не найден")
    else:
        await update.message.reply_text("❌ Ошибка при обнулении трафика")

# Инициализация бота
app = Application.builder().token("YOUR_BOT_TOKEN").build()
app.add_handler(CommandHandler("create", create_key_command))
app.add_handler(CommandHandler("traffic", traffic_command))
app.add_handler(CommandHandler("reset_traffic", reset_traffic_command))
app.run_polling()
