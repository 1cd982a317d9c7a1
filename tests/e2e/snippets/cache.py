from functools import lru_cache
from datetime import datetime, timedelta

cache_time = {}
CACHE_TTL = 60  # секунд

def get_cached_keys():
    now = datetime.now()
    if 'keys' not in cache_time or (now - cache_time['keys']).seconds > CACHE_TTL:
        response = requests.get(f"{API_URL}/api/keys", headers=headers)
        cache['keys'] = response.json()
        cache_time['keys'] = now
    return cache['keys']
