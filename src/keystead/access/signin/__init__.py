"""How people sign in: sessions, access tokens, second factors, links that are used once, and how often one may try."""
