"""Every query of access, built once at import; values leave as frozen dataclasses. Only access itself calls it."""
