"""Migrations, oldest first; each is frozen once released."""
