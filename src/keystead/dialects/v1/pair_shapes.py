"""The native API's shapes of REALITY key pairs and of what is done with them, and how they are presented."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from keystead.dialects.v1.bases import Answer, Body
from keystead.kit.page import Page
from keystead.operations.vpn.pairs import PairUser, PairView
from keystead.vpn import pairplan
from keystead.vpn.pairplan import Act, Wish

KEPT_S_MAX = 400 * 86_400
KEPT_S = 30 * 86_400

ActName = Literal["rotate", "revert", "retire"]


class LinkedPair(Answer):
    """The key pair that links carry, how many ports have it, and keys."""

    public_key: str
    made_at: datetime
    ports: int
    keys: int


class SecondPair(Answer):
    """A pair that is served at the same ports.

    ``stage`` is coming while links are about to turn to it, and going once they have turned away from it, at
    ``turned_at``; it is served ``until`` then, or until it is retired. ``keys_connected`` is null where nobody sees
    connections. ``origin`` names the panel that it was taken over from at ``made_at``.
    """

    public_key: str
    stage: Literal["coming", "going"]
    made_at: datetime
    turned_at: datetime
    until: datetime | None
    keys_connected: int | None
    keys_seen: int
    origin: str | None


class Pairs(Answer):
    """The key pairs of the VPN."""

    linked: LinkedPair
    second: SecondPair | None


class PairUse(Answer):
    """A key that was seen at the second pair, and how many connections it has there now."""

    key_id: str
    key_number: int
    name: str | None
    connections: int
    last_used_at: datetime


class PairUseList(Answer):
    """A page of them by number; ask again with ``after=next`` until ``next`` is null."""

    items: list[PairUse]
    next: int | None


class PairWish(Body):
    """What is wished for; without ``dry_run``, ``digest`` names the plan that was reviewed.

    ``keep_s`` is how long the pair is served on that links turn away from; it means nothing to ``retire``.
    """

    act: ActName
    keep_s: Annotated[int, Field(ge=0, le=KEPT_S_MAX)] = KEPT_S
    dry_run: bool = False
    digest: Annotated[str, Field(max_length=64)] = ""


class PairPlan(Answer):
    """What would be done, or was; ``digest`` approves exactly this."""

    scope: str
    digest: str
    act: ActName
    keep_s: int
    linked: str
    second: str | None
    ports: int
    keys: int
    keys_connected: int | None
    keys_seen: int | None
    text: str


def wish(body: PairWish) -> Wish:
    """Return what a body wishes for."""
    act = Act(body.act)
    return Wish(act, 0 if act is Act.RETIRE else body.keep_s)


def plan(value: pairplan.PairPlan) -> dict[str, Any]:
    """Present a plan for key pairs."""
    return {
        "scope": value.scope,
        "digest": value.digest,
        "act": value.wish.act.value,
        "keep_s": value.wish.keep_s,
        "linked": value.linked,
        "second": value.other,
        "ports": value.ports,
        "keys": value.keys,
        "keys_connected": value.connected,
        "keys_seen": value.used,
        "text": str(value),
    }


def pairs(view: PairView) -> dict[str, Any]:
    """Present the key pairs."""
    found, second = view.pairs, view.pairs.second
    linked = {
        "public_key": found.linked,
        "made_at": found.linked_since,
        "ports": found.ports,
        "keys": found.keys,
    }
    if second is None:
        return {"linked": linked, "second": None}
    return {
        "linked": linked,
        "second": {
            "public_key": second.public_key,
            "stage": second.stage.value,
            "made_at": second.made_at,
            "turned_at": second.turned_at,
            "until": second.until,
            "keys_connected": view.connected,
            "keys_seen": found.used,
            "origin": second.origin,
        },
    }


def uses(found: list[PairUser], page: Page) -> dict[str, Any]:
    """Present a page of the keys that were seen at the second pair."""
    left = [one for one in found if one.use.number > page.after]
    shown = left[: page.limit]
    items = [
        {
            "key_id": one.use.public_id,
            "key_number": one.use.number,
            "name": one.use.name,
            "connections": one.connections,
            "last_used_at": one.use.used_at,
        }
        for one in shown
    ]
    return {"items": items, "next": shown[-1].use.number if len(left) > len(shown) else None}
