"""The auth wire: how people sign in, with JSON bodies, a refresh cookie and short access tokens."""
