"""Keystead: one control plane for the keys you hand out and the keys you hold.

The package is laid out by edge (dialects), subject (vpn, access) and machine (engines); see docs/architecture.md.
"""


def __getattr__(name: str) -> str:
    """Return ``__version__``, which is looked up among the installed packages when somebody asks."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("keystead")
