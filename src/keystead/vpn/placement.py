"""How a VpnKey sits in Xray, and what a plan may say about it: policy values that wires map to."""

from enum import StrEnum


class Placement(StrEnum):
    """Where a key is served."""

    SHARED = "shared"
    OWN_PORT = "own-port"


class Firmness(StrEnum):
    """What a placement that a create asks for is worth beside that of the plan it names."""

    DEFAULT = "default"  # the plan's is taken where it has one
    CHOSEN = "chosen"  # the create's is taken
    FIXED = "fixed"  # a plan that says otherwise is refused
