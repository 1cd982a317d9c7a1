"""What one core is started with, as it travels from the API to the keeper and is kept there for every later start.

The standard input is text with gaps: the keeper can fill in and take out single entries (a customer's user, say)
without knowing what the text means, so that a core which crashes while the API is away starts with exactly those
entries that the API last had acknowledged. The same holds of listeners that come and go while the core runs.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from keystead.keeper.ports import Listen

# The gap of the listeners that come and go, each after a comma.
OPENINGS = "openings"


class Opening(NamedTuple):
    """Where a listener that comes and goes listens, the text a start has of it, and the labels that connect there."""

    host: str
    port: int
    text: str
    labels: Sequence[str] = ()


@dataclass(frozen=True)
class Launch:
    """One core's start.

    ``texts`` and ``gaps`` alternate, beginning and ending with a text; ``entries`` maps gap → subject → what stands
    there, and entries of a gap are joined by commas. ``environment`` is the whole of it besides PATH. ``listens`` are
    the addresses nobody else may hold; ``openings`` those that come and go, by tag: one whose address somebody else
    holds is left out of a start. ``stale_files`` are what a killed predecessor may have left in the way.
    ``access`` is a regular expression with the groups host, port, tag and label that finds the owner of a connection in
    a line of output, "" for none; ``tags`` tells the port of each tag, 0 for one whose clients connect to others' ports
    and are passed on. ``limits`` are bytes a second by label, ``address_limits`` how many addresses at a time.
    ``memo`` is the API's own and is given back to the next one.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    texts: tuple[str, ...] = ("",)
    gaps: tuple[str, ...] = ()
    entries: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    listens: tuple[Listen, ...] = ()
    openings: Mapping[str, Opening] = field(default_factory=dict)
    stale_files: tuple[str, ...] = ()
    access: str = ""
    tags: Mapping[str, int] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)
    address_limits: Mapping[str, int] = field(default_factory=dict)
    memo: Mapping[str, Any] = field(default_factory=dict)

    def stdin(self, without: Collection[str] = ()) -> bytes:
        """Return the standard input with every gap filled; the listeners of some tags are left out."""
        filled = [self._opened(without) if gap == OPENINGS else self._filled(gap) for gap in self.gaps]
        return "".join(part for pair in zip(self.texts, [*filled, ""], strict=True) for part in pair).encode()

    def ports(self) -> dict[str, int]:
        """Return the port of every tag."""
        return {**self.tags, **{tag: opening.port for tag, opening in self.openings.items()}}

    def labels(self) -> set[str]:
        """Return every label that can connect."""
        entered = (label for entries in self.entries.values() for label in entries)
        return {*entered, *(label for opening in self.openings.values() for label in opening.labels)}

    def _filled(self, gap: str) -> str:
        return ",".join(self.entries.get(gap, {}).values())

    def _opened(self, without: Collection[str]) -> str:
        return "".join(f",{opening.text}" for tag, opening in self.openings.items() if tag not in without)


# One change of the entries: gap, subject, and what is to stand there (None: nothing).
Change = tuple[str, str, str | None]
# What is to be of listeners that come and go, by tag (None: nothing).
Openings = Mapping[str, Opening | None]


def to_wire(launch: Launch) -> dict[str, Any]:
    """Return a launch as JSON can carry it."""
    return {
        "argv": launch.argv,
        "environment": dict(launch.environment),
        "texts": launch.texts,
        "gaps": launch.gaps,
        "entries": {gap: dict(entries) for gap, entries in launch.entries.items()},
        "listens": [[listen.host, listen.port] for listen in launch.listens],
        "openings": dict(launch.openings),
        "stale_files": launch.stale_files,
        "access": launch.access,
        "tags": dict(launch.tags),
        "limits": dict(launch.limits),
        "address_limits": dict(launch.address_limits),
        "memo": dict(launch.memo),
    }


def from_wire(message: Mapping[str, Any]) -> Launch:
    """Return the launch that a frame carried."""
    return Launch(
        argv=tuple(message["argv"]),
        environment=message["environment"],
        texts=tuple(message["texts"]),
        gaps=tuple(message["gaps"]),
        entries=message["entries"],
        listens=tuple(Listen(host, port) for host, port in message["listens"]),
        openings={tag: Opening(*told) for tag, told in message["openings"].items()},
        stale_files=tuple(message["stale_files"]),
        access=message["access"],
        tags=message["tags"],
        limits=message["limits"],
        address_limits=message.get("address_limits", {}),
        memo=message["memo"],
    )


def openings_of(message: Mapping[str, Any]) -> Openings:
    """Return the listeners that a frame carried."""
    return {tag: None if told is None else Opening(*told) for tag, told in message.items()}


def changed(launch: Launch, changes: Sequence[Change], openings: Openings) -> None:
    """Carry out changes in place; gaps the text does not have are not made."""
    kept: Any = launch.openings
    for tag, opening in openings.items():
        if opening is None:
            kept.pop(tag, None)
        else:
            kept[tag] = opening
    for gap, subject, entry in changes:
        entries: Any = launch.entries.get(gap)
        if entries is None:
            continue
        if entry is None:
            entries.pop(subject, None)
        else:
            entries[subject] = entry
