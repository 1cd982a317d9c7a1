const API_URL = 'https://your-domain.com';
const API_KEY = 'your-secret-key-here';

const headers = {
  'Authorization': `Bearer ${API_KEY}`,
  'Content-Type': 'application/json'
};

// Создание ключа
async function createKey(name) {
  const response = await fetch(`${API_URL}/api/keys`, {
    method: 'POST',
    headers: headers,
    body: JSON.stringify({ name })
  });
  return await response.json();
}

// Получение VLESS ссылки
async function getVlessLink(keyId) {
  const response = await fetch(`${API_URL}/api/keys/${keyId}/link`, {
    headers: headers
  });
  const data = await response.json();
  return data.vless_link;
}

// Получение статистики
async function getTraffic(keyId) {
  const response = await fetch(`${API_URL}/api/keys/${keyId}/traffic`, {
    headers: headers
  });
  return await response.json();
}

// Обнуление статистики трафика
async function resetTraffic(keyId) {
  const response = await fetch(`${API_URL}/api/keys/${keyId}/traffic/reset`, {
    method: 'POST',
    headers: headers
  });
  return await response.json();
}

// Использование
(async () => {
  const key = await createKey('user_123');
  console.log('Created key:', key.key_id);
  
  const link = await getVlessLink(key.key_id);
  console.log('VLESS link:', link);
  
  const traffic = await getTraffic(key.key_id);
  console.log('Traffic:', traffic.total / 1024 / 1024, 'MB');
  
  // Обнуление трафика
  const reset = await resetTraffic(key.key_id);
  console.log('Traffic reset, previous total:', reset.previous_total / 1024 / 1024, 'MB');
})();
