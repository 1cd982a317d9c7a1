"""The vpnkeys wire: keys with a port each, ``X-API-Key``, bare lists (see DIALECT.md)."""
