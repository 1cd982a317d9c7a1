"""The subject under all others: accounts, principals, permissions, tokens, users, roles and the audit trail."""
