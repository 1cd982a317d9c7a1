"""How a VpnKey sits in Xray, as a policy value that wires map to; the core never asks which wire."""

from enum import StrEnum


class Placement(StrEnum):
    """Where a key is served."""

    SHARED = "shared"
    OWN_PORT = "own-port"
