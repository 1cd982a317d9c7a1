"""Compare what Xray should hold with what it holds: pure, called by the loop and by ``keystead plan``.

What it decides:

* an inbound we made is wholly ours: whoever is in it and is not desired goes, whatever the name;
* one step per label, whichever inbounds it concerns, and none of them holds a UUID: plans are read by people;
* a label that is only missing somewhere is added there, and stays connected where it is;
* the order is removals, changes, additions, then the restart. Removals come first since Xray compares UUIDs without
  bytes 6 and 7: removing a stranger with such a twin of a UUID cuts the right user too (proxy/vless/validator.go of
  v26.7.28), so that user is put back by a change;
* a live inbound is no step of its own: it is opened with its first user and closed with its last one;
* whatever only a start can change (listeners, key pairs, names, ports, what is open) is one restart step. Users of a
  listener that is missing need no step of their own: a start brings them. Where another process can take over from the
  present one, nobody is cut off by it.
"""

from collections.abc import Collection, Iterable, Mapping

from keystead.engines.xray import config
from keystead.engines.xray.state import XrayActual, XrayDesired, XraySettings, XrayUser, is_live, masked
from keystead.reconcile.plan import Plan, Risk, Step, Verb, plan_of

Users = Mapping[str, Mapping[str, XrayUser]]

_ORDER = {Verb.REMOVE: 0, Verb.CHANGE: 1, Verb.ADD: 2, Verb.RESTART: 3}


def plan(scope: str, desired: XrayDesired, actual: XrayActual, *, settings: XraySettings | None = None) -> Plan:
    """Return the steps from actual to desired; the core's own users are desired as the process was given them."""
    static, live = [inbound.tag for inbound in desired.static], desired.live
    open_now = [tag for tag in actual.users if is_live(tag)]
    served = [tag for tag in static if tag in actual.users]
    wanted = _by_label(_merged(desired.users, actual.own), [*served, *live])
    held = _by_label(actual.users, [*static, *open_now])
    steps = [
        *_user_steps(wanted, held),
        *(_closing(tag) for tag in open_now if tag not in live and not actual.users[tag]),
        *_restart_steps(scope, desired, actual, settings or XraySettings()),
    ]
    return plan_of(scope, sorted(steps, key=lambda step: (_ORDER[step.verb], step.kind, step.subject)))


def _merged(users: Users, own: Users) -> Users:
    return {tag: {**users.get(tag, {}), **own.get(tag, {})} for tag in {*users, *own}}


def _by_label(users: Users, tags: Collection[str]) -> dict[str, dict[str, XrayUser]]:
    turned: dict[str, dict[str, XrayUser]] = {}
    for tag in tags:
        for label, user in users.get(tag, {}).items():
            turned.setdefault(label, {})[tag] = user
    return turned


def _user_steps(wanted: Users, held: Users) -> Iterable[Step]:
    cut_too = {
        (tag, masked(user.uuid))
        for label, places in held.items()
        for tag, user in places.items()
        if wanted.get(label, {}).get(tag) != user
    }
    for label in {*wanted, *held}:
        step = _user_step(label, wanted.get(label, {}), held.get(label, {}))
        is_put_back = step is None or (step.verb is Verb.ADD and label in held)
        if cut_too and is_put_back and any((tag, masked(user.uuid)) in cut_too for tag, user in wanted[label].items()):
            text, reason = _places(wanted[label]), "another user holds a UUID that Xray takes for its own"
            step = Step("user", label, Verb.CHANGE, text, text, reason, places=_tags(wanted[label]))
        if step is not None:
            yield step


def _user_step(label: str, wanted: Mapping[str, XrayUser], held: Mapping[str, XrayUser]) -> Step | None:
    if wanted == held:
        return None
    if not wanted:
        return Step("user", label, Verb.REMOVE, _places(held), "", "not desired", places=_tags(held))
    if not held:
        return Step("user", label, Verb.ADD, "", _places(wanted), "missing in the core", places=_tags(wanted))
    if held.items() <= wanted.items():
        missing = _tags({tag: user for tag, user in wanted.items() if tag not in held})
        reason = f"missing in {', '.join(missing)}"
        return Step("user", label, Verb.ADD, _places(held), _places(wanted), reason, places=missing)
    differs = "differs" if _places(wanted) != _places(held) else "another UUID"
    places = _tags({**wanted, **held})
    return Step("user", label, Verb.CHANGE, _places(held), _places(wanted), f"{differs} in the core", places=places)


def _closing(tag: str) -> Step:
    return Step("inbound", tag, Verb.REMOVE, "open", "", "nobody is in it", places=(tag,))


def _tags(places: Mapping[str, XrayUser]) -> tuple[str, ...]:
    return tuple(sorted(places))


def _places(places: Mapping[str, XrayUser]) -> str:
    return ", ".join(f"in {tag} with flow {user.flow or 'none'}" for tag, user in sorted(places.items()))


def _restart_steps(scope: str, desired: XrayDesired, actual: XrayActual, settings: XraySettings) -> Iterable[Step]:
    missing = sorted({inbound.tag for inbound in desired.static} - set(actual.users))
    is_current = actual.config_digest == config.digest(desired, settings)
    if is_current and not missing:
        return
    reason = f"no inbound {', '.join(missing)}" if missing else "the static configuration differs"
    listeners = ", ".join(map(config.described, sorted(desired.static, key=lambda inbound: inbound.tag)))
    risk = Risk.RELOAD if actual.hands_over else Risk.DISRUPTIVE
    yield Step("core", scope, Verb.RESTART, "", f"serving {listeners or 'nothing'}", reason, risk)
