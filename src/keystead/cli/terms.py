"""``keystead vpn key set|extend|topup`` and ``keystead vpn plan …``: what is sold with keys."""

import uuid
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from keystead.cli import amounts, asking, output
from keystead.cli.approving import Yes
from keystead.cli.where import AsJson

plan = typer.Typer(no_args_is_help=True, help="Plans: named terms that keys are issued with.")

KEYS, PLANS = "/v1/vpn/keys", "/v1/vpn/plans"
Key = Annotated[str, typer.Argument(metavar="KEY", help="The key's number, id or UUID.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The plan's name.")]
Plan = Annotated[str | None, typer.Option("--plan", metavar="NAME", help="Copy the terms of this plan.")]
Said = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TERM=VALUE", help="Terms, as in: quota=50GB reset=month speed=20Mbit/s", show_default=False
    ),
]
RequestId = Annotated[
    str | None,
    typer.Option("--request-id", metavar="ID", help="Do this once for a key, however often the command is repeated."),
]
Placement = Annotated[
    str | None,
    typer.Option(metavar="shared|own-port|none", help="Where keys of this plan sit; none: where a create says."),
]
NONE = "none"
_TERMS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "quota": ("quota_bytes", amounts.size),
    "at-limit": ("at_limit", str),
    "slow-to": ("slow_to_bytes_s", amounts.rate),
    "warn": ("warn_at", amounts.percents),
    "speed": ("speed_bytes_s", amounts.rate),
    "addresses": ("address_limit", amounts.whole),
    "reset": ("reset", str),
    "reset-days": ("reset_days", amounts.whole),
    "reset-day": ("reset_day", amounts.whole),
    "time-zone": ("time_zone", str),
    "for": ("duration_s", amounts.duration),
    "starts": ("starts", lambda text: text.replace("-", "_")),
    "until": ("expires_at", amounts.moment),
    "devices": ("device_limit", amounts.whole),
}
_MAY_BE_NONE = frozenset({"quota", "slow-to", "speed", "addresses", "reset-days", "for", "until", "devices"})


def add_commands(keys: typer.Typer) -> None:
    """Add what is done to one key's terms."""
    keys.command("set")(set_)
    keys.command("extend")(extend)
    keys.command("topup")(top_up)


def set_(context: typer.Context, key: Key, said: Said = None, plan: Plan = None, as_json: AsJson = False) -> None:
    """Change a key's terms; what is not named stays, VALUE none takes away. A plan takes the place of all of them.

    The terms are those of: keystead vpn plan add
    """
    body = wish(said) | ({} if plan is None else {"plan": plan})
    if not body:
        raise typer.BadParameter("name something to change, as in: quota=50GB")
    _call(context, lambda client: client.patch(f"{KEYS}/{key}/terms", body), as_json, say_terms)


def extend(
    context: typer.Context,
    key: Key,
    days: Annotated[str, typer.Argument(metavar="DAYS", help="Days of 24 hours: 30, 30d or 2w.")],
    request_id: RequestId = None,
    as_json: AsJson = False,
) -> None:
    """Move a key's end; one that has expired connects again for so many days from now."""
    request = request_id or str(uuid.uuid4())
    _call(
        context,
        lambda client: client.grant(f"{KEYS}/{key}/extend", {"days": amounts.days(days)}, request),
        as_json,
        say_terms,
    )


def top_up(
    context: typer.Context,
    key: Key,
    size: Annotated[str, typer.Argument(metavar="SIZE", help="Bytes beside the quota: 10GB, 10GiB.")],
    request_id: RequestId = None,
    as_json: AsJson = False,
) -> None:
    """Give a key bytes beside its quota; one that was cut connects again."""
    body, request = {"bytes": amounts.size(size)}, request_id or str(uuid.uuid4())
    _call(context, lambda client: client.grant(f"{KEYS}/{key}/top-up", body, request), as_json, say_terms)


@plan.command("add")
def add(
    context: typer.Context, name: Name, said: Said = None, placement: Placement = None, as_json: AsJson = False
) -> None:
    """Create a plan.

    quota=50GB or 50GiB: bytes both ways per period.

    at-limit=cut, slow or tell: what a used up quota does; slow-to=1Mbit/s with slow.

    warn=80,95: when to warn, in percent of the quota.

    speed=20Mbit/s: speed limit downwards.

    addresses=2: from how many addresses (IPv4, or /64 of IPv6) a key is used at a time.

    reset=none, day, week, month or rolling: when the quota begins anew; reset-day=1 with month, reset-days=30 with
    rolling, time-zone=Europe/Moscow: whose days and months.

    for=30d or 12h: how long a key is good; starts=first-use or issue: when that begins.

    until=2027-12-31T18:00+03:00: when a key ends, in place of a duration.

    devices=3: how many devices may fetch a key's subscription.
    """
    body = {"name": name, **wish(said), **_placed(placement)}
    _call(context, lambda client: client.post(PLANS, body), as_json, _say_plan)


@plan.command("set")
def change(
    context: typer.Context, name: Name, said: Said = None, placement: Placement = None, as_json: AsJson = False
) -> None:
    """Change what keys issued from now on get; keys there are keep their terms. VALUE none takes away."""
    body = wish(said) | _placed(placement)
    _call(context, lambda client: client.patch(_place(name), body), as_json, _say_plan)


@plan.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List plans."""
    _call(context, lambda client: client.get(PLANS)["items"], as_json, _say_plans)


@plan.command("show")
def show(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Show a plan."""
    _call(context, lambda client: client.get(_place(name)), as_json, _say_plan)


@plan.command("rm")
def remove(context: typer.Context, name: Name, yes: Yes = False, as_json: AsJson = False) -> None:
    """Delete a plan; keys that were issued with it keep their terms."""
    asking.confirm(f"Delete plan {name}? Keys keep their terms.", is_given=yes)

    def run(client: Any) -> dict[str, str]:
        client.delete(_place(name))
        return {"deleted": name}

    _call(context, run, as_json, lambda _: output.say(f"plan {name} is deleted"))


def wish(said: Sequence[str] | None) -> dict[str, Any]:
    """Return the fields of a body for TERM=VALUE texts; raise BadParameter for one that cannot be read."""
    body: dict[str, Any] = {}
    for text in said or ():
        name, equals, value = text.partition("=")
        if not equals or name not in _TERMS:
            raise typer.BadParameter(f"{text!r} is no term; write TERM=VALUE with one of: {', '.join(_TERMS)}")
        field, read = _TERMS[name]
        body[field] = None if value == NONE and name in _MAY_BE_NONE else read(value)
    return body


def term_fields(terms: dict[str, Any] | None) -> list[tuple[str, object]]:
    """Return a key's terms as lines for people."""
    if terms is None:
        return []
    told: list[tuple[str, object]] = [("plan", terms["plan"])]
    if terms["quota_bytes"] is not None:
        used = "" if terms["used_bytes"] is None else f"{output.size(terms['used_bytes'])} of "
        more = terms["topped_up_bytes"]
        extra = f" and {output.size(more)} topped up" if more else ""
        told.append(("quota", f"{used}{output.size(terms['quota_bytes'])}{extra}"))
        told.append(("at limit", _at_limit(terms)))
        told.append(("begins anew", output.moment(terms["next_reset_at"]) if terms["next_reset_at"] else "never"))
    if terms["speed_in_force_bytes_s"] is not None:
        told.append(("speed", amounts.mbits(terms["speed_in_force_bytes_s"])))
    if terms["address_limit"] is not None:
        told.append(("addresses at a time", terms["address_limit"]))
    if terms["device_limit"] is not None:
        told.append(("devices", f"at most {terms['device_limit']}"))
    told.append(("ends", _end(terms)))
    return told


def use_fields(use: dict[str, Any] | None) -> list[tuple[str, object]]:
    """Return from how many addresses a key with a limit of them is used, as lines for people."""
    if use is None:
        return []
    told: list[tuple[str, object]] = [("addresses in use", use["active"]), ("addresses refused", use["refused"])]
    return told + ([("refused", use["refused_addresses"])] if use["refused_addresses"] else [])


def say_terms(shown: dict[str, Any]) -> None:
    """Print a key with its terms."""
    told = [("number", shown["number"]), ("name", shown["name"]), ("state", shown["state"])]
    output.say_fields([*told, *term_fields(shown["terms"])])


def _placed(placement: str | None) -> dict[str, str | None]:
    return {} if placement is None else {"placement": None if placement == NONE else placement}


def _at_limit(terms: dict[str, Any]) -> str:
    slow_to = f" to {amounts.mbits(terms['slow_to_bytes_s'])}" if terms["at_limit"] == "slow" else ""
    return f"{terms['at_limit']}{slow_to}"


def _end(terms: dict[str, Any]) -> str:
    if terms["expires_at"] is not None:
        return output.moment(terms["expires_at"])
    return "never" if terms["duration_s"] is None else f"{amounts.span(terms['duration_s'])} after its first use"


def _period(shown: dict[str, Any]) -> str:
    if shown["reset"] == "rolling":
        return f"every {shown['reset_days']} days"
    if shown["reset"] == "none":
        return "for good"
    return f"{shown['reset']} of {shown['time_zone']}"


def _say_plan(shown: dict[str, Any]) -> None:
    lasts = "–" if shown["duration_s"] is None else f"{amounts.span(shown['duration_s'])} from {shown['starts']}"
    output.say_fields(
        [
            ("name", shown["name"]),
            ("quota", output.size(shown["quota_bytes"])),
            ("period", _period(shown)),
            ("at limit", _at_limit(shown)),
            ("warns at", ", ".join(f"{percent} %" for percent in shown["warn_at"])),
            ("speed", amounts.mbits(shown["speed_bytes_s"])),
            ("addresses", shown["address_limit"]),
            ("lasts", lasts),
            ("placement", shown["placement"]),
            ("ends", output.moment(shown["expires_at"])),
            ("devices", shown["device_limit"]),
        ]
    )


def _say_plans(found: list[dict[str, Any]]) -> None:
    rows = [
        (
            each["name"],
            output.size(each["quota_bytes"]),
            _period(each),
            amounts.mbits(each["speed_bytes_s"]),
            amounts.span(each["duration_s"]),
        )
        for each in found
    ]
    columns = ("name", "quota", "period", "speed", "lasts")
    output.say_table(columns, rows, nothing="There are no plans yet; make one with: keystead vpn plan add NAME")


def _place(name: str) -> str:
    from urllib.parse import quote

    return f"{PLANS}/{quote(name, safe='')}"


def _call(context: typer.Context, run: Callable[[Any], Any], as_json: bool, for_people: Callable[[Any], None]) -> None:
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(run(client), as_json, for_people)
