"""All queries of the vpn subject, a module per noun, built once at import."""
