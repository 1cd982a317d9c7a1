"""``keystead account``, and the commands of ``keystead user`` about invitations, links and sessions."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from keystead.cli import asking, output
from keystead.cli.access import USERS, Limit, Login, found_user
from keystead.cli.approving import Yes
from keystead.cli.where import AsJson
from keystead.kit.errors import Invalid

accounts = typer.Typer(no_args_is_help=True, help="Accounts: the tenants that own everything.")

ACCOUNTS, PLANS, INVITATIONS = "/v1/accounts", "/v1/account-plans", "/v1/invitations"

Plan = Annotated[str | None, typer.Option(metavar="PLAN", help="free, pro or buss.")]
AccountNumber = Annotated[int, typer.Argument(metavar="ACCOUNT", help="The account's number.")]


@accounts.command("list")
def list_accounts(context: typer.Context, limit: Limit = None, as_json: AsJson = False) -> None:
    """List accounts."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.pages(ACCOUNTS, limit=limit), as_json, _say_accounts)


@accounts.command("create")
def create_account(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the account is called.")],
    plan: Plan = None,
    owner: Annotated[
        str | None, typer.Option(metavar="LOGIN", help="Invite this person as its owner.", show_default="nobody")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create an account; its owner's invitation is printed this once, unless it goes by mail."""
    from keystead.cli.client import connect

    with connect(context) as client:
        made = client.post(ACCOUNTS, {"name": name, "plan": plan or "free", "owner": owner})
    output.answer(made, as_json, _say_new_account)


@accounts.command("change")
def change_account(
    context: typer.Context,
    account: AccountNumber,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Another name.", show_default="as it is")] = None,
    plan: Plan = None,
    is_active: Annotated[
        bool | None, typer.Option("--resume/--suspend", help="Let its people and tokens in, or keep them out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Rename an account, give it another plan, suspend it or let it in again."""
    from keystead.cli.client import connect

    changes = {"name": name, "plan": plan, "is_active": is_active}
    wanted = {field: value for field, value in changes.items() if value is not None}
    if not wanted:
        raise Invalid("say what to change: --name, --plan, --suspend or --resume")
    with connect(context) as client:
        changed = client.patch(f"{ACCOUNTS}/{account}", wanted)
    output.answer(changed, as_json, lambda shown: output.say_fields(shown.items()))


@accounts.command("plans")
def list_plans(context: typer.Context, as_json: AsJson = False) -> None:
    """List account plans and their limits."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.get(PLANS)["items"], as_json, _say_plans)


@accounts.command("limit")
def set_limit(
    context: typer.Context,
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="free, pro or buss.")],
    limit: Annotated[str, typer.Argument(metavar="LIMIT", help="cloudflare_accounts or members.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="A number, or none.")],
    as_json: AsJson = False,
) -> None:
    """Edit a limit of a plan, for every account that has it."""
    from keystead.cli.client import connect

    if value != "none" and not value.isdecimal():
        raise Invalid(f"{value}: a limit is a number, or none")
    with connect(context) as client:
        changed = client.patch(f"{PLANS}/{plan}", {limit: None if value == "none" else int(value)})
    output.answer(changed, as_json, lambda shown: _say_plans([shown]))


def invite(
    context: typer.Context,
    login: Annotated[str, typer.Argument(metavar="LOGIN", help="Whom to invite: an e-mail address.")],
    role: Annotated[str, typer.Option(metavar="ROLE", help="The role to have.")] = "viewer",
    as_json: AsJson = False,
) -> None:
    """Invite a person; the invitation is printed this once, unless it goes by mail."""
    from keystead.cli.client import connect

    with connect(context) as client:
        made = client.post(INVITATIONS, {"login": login, "role": role})
    output.answer(made, as_json, _say_link)


def list_invitations(context: typer.Context, limit: Limit = None, as_json: AsJson = False) -> None:
    """List invitations that wait to be accepted."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.pages(INVITATIONS, limit=limit), as_json, _say_invitations)


def withdraw_invitation(
    context: typer.Context,
    invitation: Annotated[int, typer.Argument(metavar="INVITATION", help="The invitation's number.")],
    as_json: AsJson = False,
) -> None:
    """Withdraw an invitation."""
    from keystead.cli.client import connect

    with connect(context) as client:
        client.delete(f"{INVITATIONS}/{invitation}")
    said = f"invitation {invitation} is withdrawn"
    output.answer({"withdrawn": invitation}, as_json, lambda _: output.say(said))


def reset_password(context: typer.Context, login: Login, as_json: AsJson = False) -> None:
    """Make a link to set a new password; it is printed this once, unless it goes by mail."""
    from keystead.cli.client import connect

    with connect(context) as client:
        made = client.post(f"{USERS}/{found_user(client, login)['id']}/reset-link")
    output.answer(made, as_json, _say_link)


def list_sessions(context: typer.Context, login: Login, as_json: AsJson = False) -> None:
    """List where a user is signed in."""
    from keystead.cli.client import connect

    with connect(context) as client:
        found = client.get(f"{USERS}/{found_user(client, login)['id']}/sessions")["items"]
    output.answer(found, as_json, _say_sessions)


def sign_out(context: typer.Context, login: Login, as_json: AsJson = False) -> None:
    """End all sessions of a user, at once."""
    from keystead.cli.client import connect

    with connect(context) as client:
        done = client.delete(f"{USERS}/{found_user(client, login)['id']}/sessions")
    output.answer(done, as_json, lambda shown: output.say(f"sessions ended: {shown['ended']}"))


def remove_second_factor(context: typer.Context, login: Login, yes: Yes = False, as_json: AsJson = False) -> None:
    """Take the second factor from a user who lost it."""
    from keystead.cli.client import connect

    asking.confirm(f"Take the second factor from {login}? The password alone lets them in then.", is_given=yes)
    with connect(context) as client:
        client.delete(f"{USERS}/{found_user(client, login)['id']}/second-factor")
    output.answer({"login": login}, as_json, lambda _: output.say(f"user {login} signs in with the password alone"))


def remove_member(context: typer.Context, login: Login, yes: Yes = False, as_json: AsJson = False) -> None:
    """Take a user who is at home elsewhere out of the account."""
    from keystead.cli.client import connect

    asking.confirm(f"Take {login} out of the account?", is_given=yes)
    with connect(context) as client:
        client.delete(f"/v1/members/{found_user(client, login)['id']}")
    output.answer({"removed": login}, as_json, lambda _: output.say(f"user {login} is no longer a member"))


def rotate_signing_key(
    context: typer.Context,
    is_leaked: Annotated[
        bool, typer.Option("--leaked", help="Void every access token at once; people's pages refresh by themselves.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Sign access tokens of people with a new key; those signed before live out their fifteen minutes."""
    from keystead.cli.client import connect

    with connect(context) as client:
        done = client.post("/v1/signing-key/rotate", {"is_leaked": is_leaked})
    output.answer(done, as_json, lambda shown: output.say(f"key {shown['kid']} signs from now on"))


USER_COMMANDS: Mapping[str, Callable[..., None]] = {
    "invite": invite,
    "invitations": list_invitations,
    "uninvite": withdraw_invitation,
    "reset-password": reset_password,
    "sessions": list_sessions,
    "sign-out": sign_out,
    "totp-off": remove_second_factor,
    "remove": remove_member,
}


def _say_link(made: dict[str, Any]) -> None:
    if made["is_mailed"]:
        output.say(f"sent to {made['login']}; it works once, until {output.moment(made['expires_at'])} UTC")
        return
    output.note(
        f"for {made['login']}, once, until {output.moment(made['expires_at'])} UTC; hand it over, it is shown this once"
    )
    output.say(str(made["address"] or made["secret"]))


def _say_new_account(made: dict[str, Any]) -> None:
    output.say(f"account {made['id']} {made['name']} has the plan {made['plan']}")
    if made["invitation"] is not None:
        _say_link(made["invitation"])


def _say_accounts(found: list[dict[str, Any]]) -> None:
    rows = [
        (one["id"], one["name"], one["plan"], one["is_house"], one["is_active"], output.moment(one["created_at"]))
        for one in found
    ]
    output.say_table(("id", "name", "plan", "house", "active", "created (UTC)"), rows, nothing="There are no accounts.")


def _say_plans(found: list[dict[str, Any]]) -> None:
    rows = [
        (plan["name"], limit, "none" if value is None else value)
        for plan in found
        for limit, value in plan["limits"].items()
    ]
    output.say_table(("plan", "limit", "value"), rows, nothing="There are no plans.")


def _say_invitations(found: list[dict[str, Any]]) -> None:
    rows = [(one["id"], one["login"], one["role"], output.moment(one["expires_at"])) for one in found]
    output.say_table(("id", "login", "role", "until (UTC)"), rows, nothing="No invitation waits.")


def _say_sessions(found: list[dict[str, Any]]) -> None:
    rows = [
        (one["address"], one["user_agent"], output.moment(one["created_at"]), output.moment(one["last_seen_at"]))
        for one in found
    ]
    output.say_table(("address", "program", "since (UTC)", "seen (UTC)"), rows, nothing="Nobody is signed in.")
