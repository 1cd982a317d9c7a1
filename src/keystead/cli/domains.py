"""``keystead domain …``: every domain in one table, what is not as it should be, tables in and out."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from keystead.cli import asking, moves, output
from keystead.cli.approving import Yes
from keystead.cli.where import AsJson
from keystead.kit import cells
from keystead.kit.errors import Invalid, Misconfigured, NotFound

app = typer.Typer(no_args_is_help=True, help="Domains, whoever registers and serves them.")
app.add_typer(moves.app, name="move")

DOMAINS = "/v1/domains"
_STDIN = Path("-")


class Kind(StrEnum):
    """Which domains are listed."""

    DRIFTED = "drifted"
    IN_ORDER = "in-order"
    ZONE = "zone"
    NO_ZONE = "no-zone"


_ONLY = {
    Kind.DRIFTED: {"drifted": "true"},
    Kind.IN_ORDER: {"drifted": "false"},
    Kind.ZONE: {"zone": "true"},
    Kind.NO_ZONE: {"zone": "false"},
}

Name = Annotated[str, typer.Argument(metavar="DOMAIN", help="The domain's name.")]
Text = Annotated[str | None, typer.Option("--search", "-s", metavar="TEXT", help="Part of the name, or of a redirect.")]
Provider = Annotated[str | None, typer.Option(help="At this registrar, or with a zone there.")]
Within = Annotated[int | None, typer.Option("--expires-within", min=0, metavar="DAYS", help="Ends within DAYS days.")]
Only = Annotated[list[Kind] | None, typer.Option(help="Those with findings or without, with a zone or without.")]
Tag = Annotated[str | None, typer.Option(help="With this tag.")]
All = Annotated[bool, typer.Option("--all-accounts", help="Of all accounts.")]


@app.command("list")
def list_(
    context: typer.Context,
    search: Text = None,
    provider: Provider = None,
    expires_within: Within = None,
    only: Only = None,
    tag: Tag = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="At most so many.", show_default="all")] = None,
    as_json: AsJson = False,
) -> None:
    """List domains with their registrar, end and name servers, and what is not as it should be.

    Those that end soon are listed by their ends, all others by name.
    """
    from keystead.cli.client import connect

    query = {
        "q": search,
        "provider": provider,
        "expires_within": expires_within,
        **{name: value for one in only or () for name, value in _ONLY[one].items()},
        "tag": tag,
        "sort": "name" if expires_within is None else "expires",
    }
    with connect(context) as client:
        output.answer(client.pages(DOMAINS, query, limit=limit), as_json, _say_list)


@app.command("show")
def show(context: typer.Context, domain: Name, as_json: AsJson = False) -> None:
    """Show what registrar, zone and DNS say of a domain."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.get(f"{DOMAINS}/{_id(client, domain)}"), as_json, _say_one)


@app.command("note")
def note(
    context: typer.Context,
    domain: Name,
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="The note; empty takes it away.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; repeatable. They replace the tags there are.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write a note or tags beside a domain."""
    from keystead.cli.client import connect

    with connect(context) as client:
        changed = client.patch(f"{DOMAINS}/{_id(client, domain)}", {"note": text, "tags": tag})
    output.answer(changed, as_json, _say_one)


@app.command("rm")
def remove(context: typer.Context, domain: Name, yes: Yes = False, as_json: AsJson = False) -> None:
    """Delete a domain that no registrar and no zone shows."""
    from keystead.cli.client import connect

    asking.confirm(f"Delete {domain}, and the note beside it?", is_given=yes)
    with connect(context) as client:
        client.delete(f"{DOMAINS}/{_id(client, domain)}")
    output.answer({"deleted": domain}, as_json, lambda _: output.say(f"{domain} is deleted"))


@app.command("drift")
def drift(context: typer.Context, as_json: AsJson = False) -> None:
    """List what is not as it should be, with domains and with credentials, oldest first."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.pages(f"{DOMAINS}/drift"), as_json, _say_drift)


@app.command("look")
def look(
    context: typer.Context,
    credential: Annotated[
        int | None, typer.Option(metavar="CREDENTIAL", help="With this credential.", show_default="all")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Have providers and DNS asked now; the table shows what they say as it comes in."""
    from keystead.cli.client import connect

    with connect(context) as client:
        begun = client.post(f"{DOMAINS}/look", {"credential_id": credential})
    output.answer(begun, as_json, _say_begun)


@app.command("export")
def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")],
    all_accounts: All = False,
    as_json: AsJson = False,
) -> None:
    """Write the whole table as comma-separated values."""
    from keystead.cli.client import connect
    from keystead.cli.files import written_beside

    query = {"format": "csv", "accounts": "all" if all_accounts else "own"}
    with connect(context) as client, written_beside(file) as target:
        client.fetch(DOMAINS, query, target)
    output.answer({"file": str(file)}, as_json, lambda _: output.say(f"the table is in {file}"))


@app.command("import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A table with a column name; - is standard input.")],
    as_json: AsJson = False,
) -> None:
    """Write domains down from a table: its columns are name, note and tags, with spaces between tags; all or none."""
    from keystead.cli.client import connect

    items = [_entry(row) for row in _rows(file)]
    if not items:
        raise Invalid(f"{file} has no rows below its first line")
    with connect(context) as client:
        done = client.post(DOMAINS, {"items": items})
    output.answer(done, as_json, _say_written)


def _rows(file: Path) -> Any:
    try:
        text = sys.stdin.read() if file == _STDIN else file.read_text("utf-8")
        return cells.rows(text, ("name", "note", "tags"))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise Misconfigured(f"{file} cannot be read: {error}") from error


def _entry(row: Any) -> dict[str, Any]:
    """Return a row as it is sent; a column that the table lacks leaves what is there."""
    entry = {"name": row["name"]} | ({"note": row["note"]} if "note" in row else {})
    return entry | ({"tags": row["tags"].split()} if "tags" in row else {})


def _id(client: Any, name: str) -> int:
    """Return the number of a domain by its name, or raise NotFound."""
    wanted = name.strip().rstrip(".").lower()
    for one in client.pages(DOMAINS, {"q": wanted}):
        if one["name"] == wanted:
            return int(one["id"])
    raise NotFound("domain", name)


def _say_list(found: list[dict[str, Any]]) -> None:
    columns = ("domain", "registrar", "ends", "renews", "zone", "name servers", "redirects", "findings", "tags")
    rows = [
        (
            one["name"],
            (one["registration"] or {}).get("provider"),
            (one["registration"] or {}).get("expires_on"),
            (one["registration"] or {}).get("renews_itself"),
            _zone_of(one),
            (one["dns"] or one["registration"] or one["zone"] or {}).get("name_servers"),
            _redirects_of(one),
            one["findings"],
            one["tags"],
        )
        for one in found
    ]
    output.say_table(columns, rows, nothing="No domain matches.")


def _zone_of(one: dict[str, Any]) -> str | None:
    zone = one["zone"]
    if zone is None:
        return None
    return f"{zone['provider']}, {'missing' if zone['missing_since'] else zone['status']}"


def _redirects_of(one: dict[str, Any]) -> str | None:
    """Return what a domain redirects, single ones and bulk ones: the first of it, and how much more there is."""
    seen = one["redirects"] or {"ours": [], "foreign": 0}
    ours = [*seen["ours"], *(one["bulk_redirects"] or ())]
    told = ours[:1] + ([f"{len(ours) - 1} more"] if len(ours) > 1 else [])
    return ", ".join(told + ([f"{seen['foreign']} of others"] if seen["foreign"] else [])) or None


def _say_one(one: dict[str, Any]) -> None:
    registration, zone, dns = one["registration"] or {}, one["zone"] or {}, one["dns"] or {}
    redirects = one["redirects"] or {}
    output.say_fields(
        [
            ("domain", one["name"]),
            ("registrar", registration.get("provider")),
            ("ends", registration.get("expires_on")),
            ("renews itself", registration.get("renews_itself")),
            ("locked", registration.get("is_locked")),
            ("at the registrar", registration.get("name_servers")),
            ("  asked", output.moment(registration.get("name_servers_at"))),
            ("zone", _zone_of(one)),
            ("the zone wants", zone.get("name_servers")),
            ("redirects", redirects.get("ours")),
            ("  of others", redirects.get("foreign")),
            ("  in bulk", one["bulk_redirects"]),
            ("DNS says", dns.get("problem") or dns.get("name_servers")),
            ("  asked", output.moment(dns.get("at"))),
            ("note", one["note"]),
            ("tags", one["tags"]),
        ]
    )
    for finding in one["drift"]:
        told = f"{finding['kind']}: {', '.join(finding['seen'])} instead of {', '.join(finding['expected'])}"
        output.say(output.shown(f"! {told}, since {output.moment(finding['since'])}"))


def _say_drift(found: list[dict[str, Any]]) -> None:
    rows = [
        (
            one["domain"] or f"credential {one['credential']}",
            one["kind"],
            one["expected"],
            one["seen"],
            output.moment(one["since"]),
        )
        for one in found
    ]
    columns = ("of", "finding", "should be", "is", "since (UTC)")
    output.say_table(columns, rows, nothing="Everything is as it should be, as far as it was looked at.")


def _say_begun(begun: dict[str, Any]) -> None:
    count = len(begun["credentials"])
    output.say(f"DNS and {count} credential{'' if count == 1 else 's'} are being looked at: keystead domain list")


def _say_written(done: dict[str, Any]) -> None:
    output.say(f"{done['added']} added, {done['changed']} changed, {done['same']} as they were")
