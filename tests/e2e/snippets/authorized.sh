curl -X GET "https://your-domain.com/api/keys" \
  -H "Authorization: Bearer your-secret-key-here" \
  -H "Content-Type: application/json"
