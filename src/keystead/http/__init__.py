"""What all edges share: doors, the transaction of a request, request ids, limits, idempotency, metrics."""
