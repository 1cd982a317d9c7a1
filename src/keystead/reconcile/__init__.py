"""The engine cycle: mark, read, observe, plan, guard, apply, verify, settle. It knows no engine and no subject."""
