"""What can go wrong with VPN keys beyond the common tree."""

from keystead.kit.errors import Conflict, Invalid, NotFound, QuotaExceeded, Unavailable


class KeyNotFound(NotFound):
    """No visible key has this number, id or UUID."""

    def __init__(self, ident: object) -> None:
        super().__init__("Key", ident, message=f"Key with id {ident} not found")


class NoValidTarget(Unavailable):
    """The REALITY target does not pass its examination, so a new key could not connect."""

    code = "no_valid_target"


class PortsExhausted(QuotaExceeded):
    """No port is left that a key could have for its own."""

    code = "ports_exhausted"


class UnknownPlan(Invalid):
    """A create names a plan that the account does not have."""

    code = "unknown_plan"

    def __init__(self, name: str) -> None:
        problem = f"no plan is called {name[:64]!r}"
        super().__init__(problem, fields={"plan": problem})


class PlacementDiffers(Invalid):
    """A create names a plan whose keys sit elsewhere than this wire's."""

    code = "placement_differs"

    def __init__(self, problem: str) -> None:
        super().__init__(problem, fields={"plan": problem})


class KeyStopped(Conflict):
    """A key that has expired or used up its quota is not started by enabling it."""

    code = "key_stopped"


class NothingToGrant(Conflict):
    """A key without an end cannot be extended, and one without a quota cannot be topped up."""

    code = "nothing_to_grant"
