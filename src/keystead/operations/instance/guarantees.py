"""What holds here of connections: the keeper's tricks, whether they work, and what is guaranteed with or without.

Read by the doctor and by the metrics; ``docs/engines/xray.md`` has the same table for people. A trick that fails is a
warning where the guarantee is weaker for it, and no more than a remark where another way gives the same.
"""

from collections.abc import Collection, Sequence

from keystead.engines.xray.state import WatchState
from keystead.operations.instance.doctor import Check, Status

LINES = "lines"
WAYS = ("destroy", "reset", "shutdown", "none")
_ADVICE = "see the table of tricks in docs/engines/xray.md"
_CUT = {
    "destroy": "a deleted or disabled key's connections are destroyed by the kernel, at once and alone",
    "reset": "a deleted or disabled key's connections are reset through the borrowed socket, at once and alone",
    "shutdown": "a deleted or disabled key's connections are shut down, and their clients end about a second later",
    "none": "new connections of a deleted or disabled key are refused at once, its live ones go on until they end; new "
    "streams inside a Mux connection are refused for an hour; address limits have no effect",
}
# What holds while a trick works, and what is left without it.
_HELD = {
    LINES: (
        "every connection has its owner from the moment it begins",
        "owners are guessed from who is online at an address; nobody's where several keys are, and such a connection "
        "counts for no address limit",
    ),
    "dump": (
        "live connections, their bytes and when keys were last seen are known",
        "live connections are unknown, nothing is cut or slowed down, no address is refused, usage moves when "
        "connections end",
    ),
    "borrow": (
        "connections can be slowed down, and cut without privileges",
        "nothing is slowed down, and cutting needs the kernel's own means",
    ),
    "pace": ("a speed limit is in force within a second", "speed limits have no effect"),
}


def works(state: WatchState) -> dict[str, bool]:
    """Return by name which tricks work, the reading of access lines among them."""
    return {LINES: state.lines > 0, **{name: reason is None for name, reason in state.tricks.items()}}


def checks(scope: str, state: WatchState, *, is_ready: bool, without: Collection[str] = ()) -> Sequence[Check]:
    """Turn what works into findings; until a core is ready nobody has dialled it, and so no line has come.

    ``without`` are the tricks that the settings switch off.
    """
    if not state.is_managed:
        reason = next(reason for reason in state.tricks.values() if reason)
        return [_unmanaged(scope, reason)]
    found = [_lines(scope, state, is_ready=is_ready)]
    found += [_trick(scope, name, state.tricks.get(name)) for name in ("dump", "borrow", "pace")]
    return [*found, _cut(scope, state), *_unheeded(scope, state, without)]


def _unmanaged(scope: str, reason: str) -> Check:
    told = (
        f"not possible: {reason}. Usage is what Xray counted; live connections and their addresses are unknown; "
        f"no speed limits, no address limits; {_CUT['none']}"
    )
    return Check(f"{scope} connections", Status.WARN, told, "let Keystead run Xray itself to have them")


def _lines(scope: str, state: WatchState, *, is_ready: bool) -> Check:
    holds, without = _HELD[LINES]
    name = f"{scope} access lines"
    if state.lines:
        share = "" if state.ownerless_share is None else f"; {state.ownerless_share:.0%} of connections had none"
        return Check(name, Status.OK, f"read, Keystead's own dial among them: {holds}{share}")
    if not is_ready:
        return Check(name, Status.OK, "none yet: the core is not ready")
    return Check(name, Status.WARN, f"none was understood, not even of Keystead's own dial: {without}", _ADVICE)


def _trick(scope: str, name: str, reason: str | None) -> Check:
    holds, without = _HELD[name]
    told = {"dump": "socket table", "borrow": "borrowed sockets", "pace": "speed limits"}[name]
    if reason is None:
        return Check(f"{scope} {told}", Status.OK, f"works: {holds}")
    return Check(f"{scope} {told}", Status.WARN, f"{reason}: {without}", _ADVICE)


def _unheeded(scope: str, state: WatchState, without: Collection[str]) -> Sequence[Check]:
    used = [name for name in without if name != LINES and state.tricks.get(name) != "switched off"]
    if not used:
        return []
    told = f"the keeper that runs was started before KEYSTEAD_KEEPER_WITHOUT named {', '.join(used)}"
    return [
        Check(f"{scope} keeper", Status.WARN, told, "end that keeper, whose pid is in keeper.log; another one starts")
    ]


def _cut(scope: str, state: WatchState) -> Check:
    failed = [f"{name}: {state.tricks[name]}" for name in ("destroy", "reset") if state.tricks.get(name)]
    told = f"{state.cut}: {_CUT[state.cut]}" + (f" ({'; '.join(failed)})" if failed else "")
    if state.cut in {"destroy", "reset"} and state.doubtful:
        told += (
            f"; except {state.doubtful} removed keys whose access lines were lost: which connection is theirs is not "
            "proven, and no other key's is ended in its place"
        )
        return Check(f"{scope} cut", Status.WARN, told, "wait until it is, or until they disconnect")
    is_whole = state.cut in {"destroy", "reset"}
    return Check(f"{scope} cut", Status.OK if is_whole else Status.WARN, told, None if is_whole else _ADVICE)
