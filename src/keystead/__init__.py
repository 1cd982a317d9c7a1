"""Keystead: one control plane for the keys you hand out and the keys you hold.

The package is laid out by edge (dialects), subject (vpn, access) and machine (engines); see docs/architecture.md.
"""

from importlib.metadata import version

__version__ = version("keystead")
