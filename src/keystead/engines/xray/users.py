"""Users in a running core: read them, put them in, take them out, idempotently and many at a time.

Shared by the managed and the external driver. Two facts carry it: a label belongs to one account for ever, so
"already exists" means that the account is there; and who is in no inbound cannot connect, so "not found" means gone.
A live inbound is opened with its first user and closed with its last one, in one call each.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from keystead.engines.xray.state import XrayDesired, XrayInbound, XrayUser, is_live
from keystead.kit.errors import AlreadyExists, EngineUnavailable, KeysteadError, NotFound
from keystead.reconcile.plan import Step, Verb

if TYPE_CHECKING:
    from keystead.engines.xray.client import XrayClient

# Calls under way at once; more gains nothing on one channel (10,000 additions in 0.8 s).
_PIPELINE = 64

Users = Mapping[str, Mapping[str, XrayUser]]


async def observe(client: "XrayClient", tags: Collection[str]) -> dict[str, dict[str, XrayUser]]:
    """Return the users of these inbounds and of every live one; an inbound the core does not have is left out."""
    live = [tag for tag in await client.inbound_tags() if is_live(tag)]
    gate = asyncio.Semaphore(_PIPELINE)

    async def ask(tag: str) -> tuple[str, dict[str, XrayUser] | None]:
        async with gate:
            with suppress(NotFound):
                return tag, await client.users(tag)
            return tag, None

    answers = await asyncio.gather(*(ask(tag) for tag in [*tags, *live]))
    return {tag: found for tag, found in answers if found is not None}


async def sizes(client: "XrayClient", tags: Collection[str]) -> dict[str, int]:
    """Return how many users these inbounds have, and 1 for every live one; one the core does not have is left out."""
    held = await client.inbound_tags()
    counts = {tag: await client.users_count(tag) for tag in tags if tag in held}
    return counts | {tag: 1 for tag in held if is_live(tag)}


async def apply(client: "XrayClient", step: Step, desired: XrayDesired, *, wanted: Users) -> None:
    """Carry out a step that concerns one label, wherever it is and is to be, or a live inbound nobody needs."""
    live = desired.live
    if step.kind == "inbound":
        with suppress(NotFound):
            await client.remove_inbound(step.subject)
        return
    if step.verb in {Verb.REMOVE, Verb.CHANGE}:
        await _drop(client, step.places, step.subject, live)
    if step.verb in {Verb.ADD, Verb.CHANGE}:
        await _put(client, wanted, step.places, step.subject, live)


async def apply_marked(
    client: "XrayClient", desired: XrayDesired, subjects: Collection[str], *, tags: Collection[str]
) -> dict[str, KeysteadError | None]:
    """Bring these labels to the desired state, removals first; say per label how it went.

    Removals first, since a key that is issued again under a new label may keep its UUID, and removing the old label
    afterwards would cut it.
    """
    live = desired.live
    places: dict[str, list[str]] = {}
    for tag, users in desired.users.items():
        for label in users:
            places.setdefault(label, []).append(tag)
    gone = [label for label in subjects if label not in places]
    outcomes = await _each(gone, lambda label: _drop(client, [*tags, *desired.leaving.get(label, ())], label, live))
    added = await _each(
        [label for label in subjects if label in places],
        lambda label: _put(client, desired.users, places[label], label, live),
    )
    return outcomes | added


async def open_all(client: "XrayClient", desired: XrayDesired, *, wanted: Users) -> None:
    """Open every inbound with its users; one that is open already is left as it is.

    Inbounds behind others are open from the start. They get their users first, so that no front leads nowhere.
    """
    gate = asyncio.Semaphore(_PIPELINE)

    async def open_one(inbound: XrayInbound) -> None:
        async with gate:
            with suppress(AlreadyExists):
                await client.add_inbound(inbound, wanted.get(inbound.tag, {}).values())

    async def add_one(tag: str, user: XrayUser) -> None:
        async with gate:
            with suppress(AlreadyExists):
                await client.add_user(tag, user)

    async with asyncio.TaskGroup() as group:
        for inbound in desired.behind:
            for user in wanted.get(inbound.tag, {}).values():
                group.create_task(add_one(inbound.tag, user))
    async with asyncio.TaskGroup() as group:
        for inbound in desired.inbounds:
            if not inbound.is_behind:
                group.create_task(open_one(inbound))


async def close_all(client: "XrayClient", tags: Collection[str]) -> None:
    """Close these inbounds and every live one; accepted connections go on."""
    live = [tag for tag in await client.inbound_tags() if is_live(tag)]
    await _each([*tags, *live], lambda tag: _close(client, tag))


async def _each(subjects: Sequence[str], change: Callable[[str], Awaitable[None]]) -> dict[str, KeysteadError | None]:
    gate = asyncio.Semaphore(_PIPELINE)

    async def outcome(subject: str) -> KeysteadError | None:
        async with gate:
            try:
                await change(subject)
            except KeysteadError as error:
                return error
            return None

    if len(subjects) == 1:  # as most are; no task is made for it
        return {subjects[0]: await outcome(subjects[0])}
    outcomes = await asyncio.gather(*(outcome(subject) for subject in subjects))
    return dict(zip(subjects, outcomes, strict=True))


async def _put(
    client: "XrayClient", wanted: Users, places: Collection[str], label: str, live: Mapping[str, XrayInbound]
) -> None:
    for tag in [tag for tag in places if label in wanted.get(tag, {})]:
        if tag in live and await _is_opened(client, live[tag], wanted[tag].values()):
            continue
        try:
            await client.add_user(tag, wanted[tag][label])
        except AlreadyExists:
            continue
        except NotFound as error:
            raise EngineUnavailable(f"inbound {tag} is not open; it opens with the next restart") from error


async def _is_opened(client: "XrayClient", inbound: XrayInbound, wanted: Iterable[XrayUser]) -> bool:
    """Open an inbound with its users; tell whether it was not open already."""
    try:
        await client.add_inbound(inbound, wanted)
    except AlreadyExists:
        return False
    return True


async def _drop(client: "XrayClient", places: Collection[str], label: str, live: Mapping[str, XrayInbound]) -> None:
    for tag in places:
        if is_live(tag) and tag not in live:
            await _close(client, tag)
            continue
        with suppress(NotFound):
            await client.remove_user(tag, label)


async def _close(client: "XrayClient", tag: str) -> None:
    with suppress(NotFound):
        await client.remove_inbound(tag)
