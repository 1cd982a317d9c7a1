"""Queries of the vault, one module per table."""
