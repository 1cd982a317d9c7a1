"""Alembic's environment: runs on the connection it is handed, in batch mode so that SQLite can alter tables."""

from alembic import context

from keystead.db.base import METADATA


def run() -> None:
    """Run the migrations on the connection of the configuration."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


run()
