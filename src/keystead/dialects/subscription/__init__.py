"""Subscriptions: the public address, known by its token, from which a customer's app fetches its profile."""
