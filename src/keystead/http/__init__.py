"""What a server needs and all edges share: doors, admission, limits, bodies, pages, idempotency, metrics."""
