from tenacity import retry, stop_after_attempt, wait_exponential

@retry(stop=stop_after_attempt(3), wait=wait_exponential(multiplier=1, min=2, max=10))
def api_request(method, endpoint, **kwargs):
    response = requests.request(method, f"{API_URL}{endpoint}", **kwargs)
    response.raise_for_status()
    return response.json()
