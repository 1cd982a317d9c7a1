"""The programs Keystead drives. Each engine: state (values), plan and config (pure), client and driver (I/O)."""
