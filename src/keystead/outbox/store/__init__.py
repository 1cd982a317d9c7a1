"""Queries of the outbox, one module per table group."""
