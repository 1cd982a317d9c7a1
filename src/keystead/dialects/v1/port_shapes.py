"""The native API's shapes of the ports that keys have for their own, and how they are presented."""

from typing import Any

from keystead.dialects.v1.bases import Answer
from keystead.vpn.renumbering import Renumbering


class MovedKey(Answer):
    """A key that has another port now; its links name that one."""

    id: str
    number: int
    port: int


class PortReset(Answer):
    """How many keys kept their port, and which ones have another."""

    kept: int
    moved: list[MovedKey]


def reset(done: Renumbering) -> dict[str, Any]:
    """Present what a reset did."""
    moved = [{"id": key.public_id, "number": key.number, "port": key.port} for key in done.moved]
    return {"kept": done.kept, "moved": moved}
