"""``keystead token``, ``user``, ``audit`` and ``secrets``: who may do what, and who did."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from keystead.cli import asking, output
from keystead.cli.approving import Yes
from keystead.cli.where import AsJson
from keystead.kit.errors import Invalid, NotFound

if TYPE_CHECKING:
    from keystead.cli.client import Client

tokens = typer.Typer(no_args_is_help=True, help="Tokens: what programs authenticate with.")
users = typer.Typer(no_args_is_help=True, help="Users: people who sign in.")
audit = typer.Typer(no_args_is_help=True, help="The audit trail.")
secrets = typer.Typer(no_args_is_help=True, help="Secrets at rest.")

TOKENS, USERS, ROTATION = "/v1/tokens", "/v1/users", "/v1/secrets/rotate"
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
# What most tokens are for: a bot that sells and serves VPN keys.
_USUAL_PERMISSIONS = [
    "vpn.keys.read",
    "vpn.keys.issue",
    "vpn.keys.change",
    "vpn.keys.revoke",
    "vpn.links.read",
    "vpn.traffic.read",
    "vpn.traffic.reset",
]

Login = Annotated[str, typer.Argument(metavar="LOGIN", help="The user's login or number.")]
PasswordFile = Annotated[
    Path | None, typer.Option(help="Read the password from this file (- is standard input).", show_default="prompt")
]
Limit = Annotated[int | None, typer.Option(min=1, metavar="N", help="At most so many.", show_default="all")]


@tokens.command("create")
def create_token(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the token is for.")],
    permission: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PERMISSION",
            help="A permission it has; repeatable. owner is whatever an owner of the account may.",
            show_default="all of VPN",
        ),
    ] = None,
    address: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="An address or range it works from; repeatable.", show_default="any"),
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="When it ends: 30d, 12h or 2027-01-31.", show_default="never")
    ] = None,
    confined: Annotated[bool, typer.Option("--confined", help="It sees only the keys it issued itself.")] = False,
    is_unlimited: Annotated[
        bool, typer.Option("--no-rate-limits", help="The limits a minute of a wire do not hold it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Create a token; it is printed this once."""
    from keystead.cli.client import connect

    is_owner = permission == ["owner"]
    body = {
        "name": name,
        "permissions": [] if is_owner else permission or _USUAL_PERMISSIONS,
        "addresses": address or [],
        "expires_at": None if expires is None else _expiry(expires, datetime.now(UTC)).isoformat(),
        "is_confined": confined,
        "is_rate_limited": False if is_unlimited else None,
        "is_owner": is_owner or None,
    }
    with connect(context) as client:
        made = client.post(TOKENS, {field: value for field, value in body.items() if value is not None})
    output.answer(made, as_json, _say_new_token)


@tokens.command("list")
def list_tokens(context: typer.Context, limit: Limit = None, as_json: AsJson = False) -> None:
    """List tokens, without their secrets."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.pages(TOKENS, limit=limit), as_json, _say_tokens)


@tokens.command("revoke")
def revoke_token(
    context: typer.Context,
    token: Annotated[int, typer.Argument(metavar="TOKEN", help="The token's number.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Revoke a token for good; it stops working at once."""
    from keystead.cli.client import connect

    asking.confirm(f"Revoke token {token} for good?", is_given=yes)
    with connect(context) as client:
        client.delete(f"{TOKENS}/{token}")
    output.answer({"revoked": token}, as_json, lambda _: output.say(f"token {token} is revoked"))


@users.command("create")
def create_user(
    context: typer.Context,
    login: Annotated[str, typer.Argument(metavar="LOGIN", help="1 to 64 of a-z, 0-9 and . _ @ + -")],
    role: Annotated[
        list[str] | None, typer.Option(metavar="ROLE", help="A role to give; repeatable.", show_default="none")
    ] = None,
    password_file: PasswordFile = None,
    as_json: AsJson = False,
) -> None:
    """Create a user; the password is asked for."""
    from keystead.cli.client import connect

    password = asking.secret("Password", password_file, option="--password-file", is_new=True)
    with connect(context) as client:
        _require_roles(client, role or [])
        made = client.post(USERS, {"login": login, "password": password.reveal()})
        for name in role or ():
            client.put(_role_path(made["id"], name))
    output.answer({**made, "roles": role or []}, as_json, _say_user)


@users.command("list")
def list_users(context: typer.Context, limit: Limit = None, as_json: AsJson = False) -> None:
    """List users."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.pages(USERS, limit=limit), as_json, _say_users)


@users.command("disable")
def disable_user(context: typer.Context, login: Login, as_json: AsJson = False) -> None:
    """Keep a user and its tokens out."""
    _change_user(context, login, {"is_active": False}, as_json)


@users.command("enable")
def enable_user(context: typer.Context, login: Login, as_json: AsJson = False) -> None:
    """Let a disabled user in again."""
    _change_user(context, login, {"is_active": True}, as_json)


@users.command("password")
def set_password(
    context: typer.Context, login: Login, password_file: PasswordFile = None, as_json: AsJson = False
) -> None:
    """Replace a user's password; the new one is asked for."""
    password = asking.secret("New password", password_file, option="--password-file", is_new=True)
    _change_user(context, login, {"password": password.reveal()}, as_json)


@users.command("grant")
def grant(
    context: typer.Context,
    login: Login,
    role: Annotated[str, typer.Argument(metavar="ROLE", help="A role's name.")],
    as_json: AsJson = False,
) -> None:
    """Give a user a role."""
    from keystead.cli.client import connect

    with connect(context) as client:
        client.put(_role_path(found_user(client, login)["id"], role))
    output.answer({"login": login, "role": role}, as_json, lambda _: output.say(f"user {login} has the role {role}"))


@users.command("withdraw")
def withdraw(
    context: typer.Context,
    login: Login,
    role: Annotated[str, typer.Argument(metavar="ROLE", help="A role's name.")],
    as_json: AsJson = False,
) -> None:
    """Take a role from a user."""
    from keystead.cli.client import connect

    with connect(context) as client:
        client.delete(_role_path(found_user(client, login)["id"], role))
    output.answer(
        {"login": login, "role": role}, as_json, lambda _: output.say(f"user {login} no longer has the role {role}")
    )


@users.command("roles")
def list_roles(context: typer.Context, as_json: AsJson = False) -> None:
    """List the roles there are, and what they permit."""
    from keystead.cli.client import connect

    with connect(context) as client:
        found = client.get("/v1/roles")["items"]
    output.answer(found, as_json, _say_roles)


@audit.command("list")
def list_records(
    context: typer.Context,
    actor: Annotated[str | None, typer.Option(help="Only what this caller did, e.g. operator.")] = None,
    verb: Annotated[str | None, typer.Option(help="Only this verb, e.g. vpn.key.issue.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only this object, e.g. 'vpn key 12'.")] = None,
    outcome: Annotated[str | None, typer.Option(help="Only this outcome: done or denied.")] = None,
    is_oldest_first: Annotated[bool, typer.Option("--oldest-first", help="Begin with the oldest record.")] = False,
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """List who did what, newest first."""
    from keystead.cli.client import connect

    order = "oldest-first" if is_oldest_first else "newest-first"
    narrowed = {"actor": actor, "verb": verb, "subject": subject, "outcome": outcome, "order": order}
    with connect(context) as client:
        output.answer(client.pages("/v1/audit", narrowed, limit=limit), as_json, _say_records)


@audit.command("verify")
def verify(context: typer.Context, as_json: AsJson = False) -> None:
    """Check every record, the order, the seals and the end of the trail; exit with 1 when something was changed."""
    from keystead.cli.client import connect

    with connect(context) as client:
        report = client.post("/v1/audit/verify")
    output.answer(report, as_json, _say_report)
    if not report["is_intact"]:
        raise typer.Exit(1)


@secrets.command("rotate")
def rotate(context: typer.Context, as_json: AsJson = False) -> None:
    """Replace the root key and the key that seals secrets, and seal everything again, while serving."""
    from keystead.cli import rotating
    from keystead.cli.client import LONG_S, connect

    output.note("sealing every secret again …")
    with (
        connect(context, timeout_s=LONG_S) as client,
        connect(context) as beside,
        rotating.shown(lambda: beside.get(ROTATION), is_quiet=as_json),
    ):
        done = client.post(ROTATION)
    output.answer(done, as_json, _say_rotation)


def _expiry(text: str, now: datetime) -> datetime:
    """Read ``30d``, ``12h`` or an ISO date or moment; raise Invalid."""
    unit = _UNITS.get(text[-1:].lower())
    if unit is not None and text[:-1].isdigit():
        return now + timedelta(**{unit: int(text[:-1])})
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"--expires {text}: write a span like 30d or 12h, or a date like 2027-01-31") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _require_roles(client: "Client", wanted: list[str]) -> None:
    """Raise NotFound for a role there is not, before a user is made that would lack it."""
    known = {found["name"] for found in client.get("/v1/roles")["items"]} if wanted else set()
    for name in wanted:
        if name not in known:
            raise NotFound("role", name)


def _role_path(user_id: int, role: str) -> str:
    return f"{USERS}/{user_id}/roles/{quote(role, safe='')}"


def found_user(client: "Client", login: str) -> Any:
    """Return a user by login or number; raise NotFound."""
    for user in client.pages(USERS):
        if login.lower() == user["login"] or login == str(user["id"]):
            return user
    raise NotFound("user", login)


def _change_user(context: typer.Context, login: str, changes: dict[str, object], as_json: bool) -> None:
    from keystead.cli.client import connect

    with connect(context) as client:
        changed = client.patch(f"{USERS}/{found_user(client, login)['id']}", changes)
    output.answer(changed, as_json, _say_user)


def _say_new_token(made: dict[str, Any]) -> None:
    token = made.get("token")
    described = token if isinstance(token, dict) else made
    secret = made.get("secret") or token
    output.note(f"token {described['id']} {described['name']}: keep it well, it is shown this once")
    output.say(str(secret))


def _say_tokens(found: list[dict[str, Any]]) -> None:
    rows = [
        (
            token["id"],
            token["name"],
            token.get("hint"),
            "owner" if token.get("is_owner") else len(token["permissions"]),
            token.get("addresses"),
            output.moment(token.get("expires_at")),
            output.moment(token.get("last_used_at")),
            output.moment(token.get("revoked_at")),
        )
        for token in found
    ]
    columns = ("id", "name", "hint", "permissions", "addresses", "expires (UTC)", "last used (UTC)", "revoked (UTC)")
    output.say_table(columns, rows, nothing="There are no tokens; create one with: keystead token create NAME")


def _say_user(user: dict[str, Any]) -> None:
    output.say_fields(user.items())


def _say_users(found: list[dict[str, Any]]) -> None:
    rows = [(user["id"], user["login"], user["is_active"], output.moment(user.get("created_at"))) for user in found]
    columns = ("id", "login", "active", "created (UTC)")
    output.say_table(columns, rows, nothing="There are no users; create one with: keystead user create LOGIN")


def _say_roles(found: list[dict[str, Any]]) -> None:
    rows = [(role["name"], role["permissions"]) for role in found]
    output.say_table(("role", "permissions"), rows, nothing="There are no roles.")


def _say_records(found: list[dict[str, Any]]) -> None:
    rows = [
        (
            record["number"],
            output.moment(record["at"]),
            record["actor"],
            record["verb"],
            record["subject"],
            record["outcome"],
        )
        for record in found
    ]
    output.say_table(("number", "at (UTC)", "actor", "verb", "subject", "outcome"), rows, nothing="No record matches.")


def _say_rotation(done: dict[str, Any]) -> None:
    output.say(f"root key {done['root_key']} is in force")
    output.say(f"secrets sealed anew: {done['resealed']}; retired data keys deleted: {done['keys_deleted']}")
    output.say("VPN keys and their links stay as they are")
    output.say("next       keep a copy of the new root key, and make a new backup: keystead backup FILE")


def _say_report(report: dict[str, Any]) -> None:
    verdict = "intact" if report["is_intact"] else "CHANGED"
    output.say(f"the audit trail is {verdict}: {report['sealed']} sealed, {report['unsealed']} waiting for their seal")
    for entry in report.get("discrepancies") or ():
        output.say(f"  {entry['finding']}: {entry['message']}" if isinstance(entry, dict) else f"  {entry}")
