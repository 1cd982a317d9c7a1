"""Storage: the metadata, column types, sessions and migrations. Subjects bring their own tables and queries."""
