"""What can go wrong with VPN keys beyond the common tree."""

from keystead.kit.errors import NotFound, Unavailable


class KeyNotFound(NotFound):
    """No visible key has this number, id or UUID."""

    def __init__(self, ident: object) -> None:
        super().__init__("Key", ident, message=f"Key with id {ident} not found")


class NoValidTarget(Unavailable):
    """The REALITY target does not pass its examination, so a new key could not connect."""

    code = "no_valid_target"
