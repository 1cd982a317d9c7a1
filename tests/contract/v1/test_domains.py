"""The table of domains on the wire."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import event, insert

from keystead.access.permissions import Permission
from keystead.access.principal import operator
from keystead.access.work import Work
from keystead.db.session import Connection
from keystead.dialects.v1 import domain_shapes
from keystead.kit.ids import RandomIds
from keystead.kit.secret import Secret
from keystead.vault import connecting, domains, findings, registrations, zones
from keystead.vault.connecting import Made, Wish
from keystead.vault.domains import Entry
from keystead.vault.models import DOMAINS
from keystead.vault.registrations import SeenRegistration
from keystead.vault.zones import SeenZone
from tests.support.instance import InProcess

PATH = "/v1/domains"
OURS, PARKED = ("bob.ns.test", "lola.ns.test"), ("dns1.parked.test", "dns2.parked.test")


async def do(instance: InProcess, verb: Any, *args: Any, account_id: int | None = None, **more: Any) -> Any:
    """Run a verb as the operator of an account, of the house's when none is named."""
    parts = instance.parts

    def unit(connection: Connection) -> Any:
        principal = operator(account_id or parts.foundation.account_id)
        work = Work(connection, principal, parts.clock, RandomIds(), parts.keys.ring, "test")
        return verb(work, *args, **more)

    return await parts.database.write(unit)


async def credential(instance: InProcess, provider: str, external_id: str, **more: Any) -> int:
    made = Made(Secret('{"api_key": "CANARY", "username": "u"}'), {}, more.pop("expires_at", None))
    added = await do(instance, connecting.add, Wish(provider, external_id, None, external_id), made, **more)
    return int(added.credential.id)


async def stocked(instance: InProcess) -> dict[str, int]:
    """Put three domains into the table: one in order, one adrift, one written down by hand; return their ids."""
    registrar = await credential(instance, "namecheap", "shop")
    cloudflare = await credential(instance, "cloudflare", "a1")
    soon, later = date.today() + timedelta(days=10), date.today() + timedelta(days=900)
    seen = [
        SeenRegistration("good.com", later, True, name_servers=OURS),
        SeenRegistration("stray.com", soon, False, True, name_servers=PARKED),
    ]
    await do(instance, registrations.record, registrar, seen, began=datetime.now(UTC))
    shown = [SeenZone(f"id-{name}", name, "active", "free", OURS) for name in ("good.com", "stray.com")]
    await do(instance, zones.record, cloudflare, shown)
    await do(instance, domains.put, [Entry("hand.org", "=HYPERLINK(1)", ["mine", "old"])])
    await do(instance, findings.compare)
    items = (await instance.operator.get(PATH)).json()["items"]
    return {item["name"]: item["id"] for item in items}


async def names(instance: InProcess, query: str) -> list[str]:
    answer = await instance.operator.get(f"{PATH}?{query}")
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()["items"]]


async def test_the_table_is_searched_narrowed_and_sorted(instance: InProcess) -> None:
    await stocked(instance)

    assert await names(instance, "") == ["good.com", "hand.org", "stray.com"]
    assert await names(instance, "sort=expires") == ["stray.com", "good.com", "hand.org"]
    assert await names(instance, "q=RAY") == ["stray.com"]
    assert await names(instance, "q=%25") == await names(instance, "q=_") == []
    assert await names(instance, "provider=namecheap") == await names(instance, "provider=cloudflare")
    assert await names(instance, "provider=namesilo") == []
    assert await names(instance, "expires_within=10") == ["stray.com"]
    assert await names(instance, "expires_within=9") == []
    assert await names(instance, "drifted=true") == ["stray.com"]
    assert await names(instance, "drifted=false") == ["good.com", "hand.org"]
    assert await names(instance, "zone=false") == ["hand.org"]
    assert await names(instance, "zone=true") == ["good.com", "stray.com"]
    assert await names(instance, "tag=old") == ["hand.org"]
    assert await names(instance, "tag=ol") == []


async def test_a_row_says_what_registrar_zone_and_dns_say_and_its_findings(instance: InProcess) -> None:
    ids = await stocked(instance)
    found = (await instance.operator.get(f"{PATH}/{ids['stray.com']}")).json()
    by_hand = (await instance.operator.get(f"{PATH}/{ids['hand.org']}")).json()

    registration = found["registration"]
    assert (registration["provider"], registration["is_locked"], registration["renews_itself"]) == (
        "namecheap",
        True,
        False,
    )
    assert registration["expires_on"] == (date.today() + timedelta(days=10)).isoformat()
    assert tuple(found["zone"]["name_servers"]) == OURS
    assert found["dns"] is None
    assert found["findings"] == [found["drift"][0]["kind"]] == ["registrar-name-servers"]
    assert (tuple(found["drift"][0]["expected"]), tuple(found["drift"][0]["seen"])) == (OURS, PARKED)
    assert (by_hand["registration"], by_hand["zone"], by_hand["tags"]) == (None, None, ["mine", "old"])


async def test_drift_is_listed_with_since_when(instance: InProcess) -> None:
    ids = await stocked(instance)

    [found] = (await instance.operator.get(f"{PATH}/drift")).json()["items"]

    assert (found["domain_id"], found["domain"], found["kind"]) == (
        ids["stray.com"],
        "stray.com",
        "registrar-name-servers",
    )
    assert datetime.fromisoformat(found["since"]) <= datetime.now(UTC)


async def test_a_table_of_comma_separated_values_holds_no_formula_and_comes_back_as_it_was(instance: InProcess) -> None:
    await stocked(instance)

    answer = await instance.operator.get(f"{PATH}?format=csv&sort=expires")

    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.headers["content-type"].startswith("text/csv")
    assert list(rows[0]) == list(domain_shapes.COLUMNS)
    assert [row["name"] for row in rows] == ["stray.com", "good.com", "hand.org"]
    assert (rows[0]["renews_itself"], rows[0]["findings"]) == ("no", "registrar-name-servers")
    assert (rows[2]["note"], rows[2]["tags"]) == ("'=HYPERLINK(1)", "mine old")


async def test_domains_are_written_down_all_or_none(instance: InProcess) -> None:
    await stocked(instance)
    items = [{"name": "New.COM."}, {"name": "hand.org", "note": "", "tags": []}, {"name": "good.com", "tags": ["Shop"]}]

    bad = await instance.operator.post(PATH, json={"items": [*items, {"name": "no domain"}]})
    before = await names(instance, "")
    done = await instance.operator.post(PATH, json={"items": items})
    again = await instance.operator.post(PATH, json={"items": items})

    assert (bad.status_code, "row 4" in bad.json()["detail"]) == (422, True)
    assert before == ["good.com", "hand.org", "stray.com"]
    assert done.json() == {"added": 1, "changed": 2, "same": 0}
    assert again.json() == {"added": 0, "changed": 0, "same": 3}
    assert await names(instance, "tag=shop") == ["good.com"]


async def test_what_cannot_stand_beside_a_domain_is_refused(instance: InProcess) -> None:
    for wrong in ({"tags": ["two words"]}, {"tags": ['x"y']}, {"note": "a\x00b"}):
        answer = await instance.operator.post(PATH, json={"items": [{"name": "one.com", **wrong}]})
        assert answer.status_code == 422, wrong

    assert await names(instance, "") == []


async def test_a_note_is_changed_and_only_a_domain_that_nobody_shows_is_deleted(instance: InProcess) -> None:
    ids = await stocked(instance)
    operator = instance.operator

    changed = await operator.patch(f"{PATH}/{ids['hand.org']}", json={"note": "sold"})
    shown = await operator.delete(f"{PATH}/{ids['good.com']}")
    gone = await operator.delete(f"{PATH}/{ids['hand.org']}")

    assert (changed.json()["note"], changed.json()["tags"]) == ("sold", ["mine", "old"])
    assert (shown.status_code, gone.status_code) == (409, 204)
    assert (await operator.get(f"{PATH}/{ids['hand.org']}")).status_code == 404


async def test_another_accounts_domains_and_credentials_are_not_there(instance: InProcess) -> None:
    other = (await instance.operator.post("/v1/accounts", json={"name": "other"})).json()["id"]
    theirs = await credential(instance, "namecheap", "theirs", account_id=other)
    await do(
        instance,
        registrations.record,
        theirs,
        [SeenRegistration("theirs.com", None)],
        account_id=other,
        began=datetime.now(UTC),
    )
    in_other = {"keystead-account": "other"}
    operator = instance.operator
    [row] = (await operator.get(PATH, headers=in_other)).json()["items"]
    domain = f"{PATH}/{row['id']}"
    asked = [
        await operator.get(domain),
        await operator.patch(domain, json={"note": "x"}),
        await operator.delete(domain),
        await operator.post(f"{PATH}/look", json={"credential_id": theirs}),
        await operator.get(f"/v1/credentials/{theirs}"),
        await operator.patch(f"/v1/credentials/{theirs}", json={"alias": "x"}),
        await operator.delete(f"/v1/credentials/{theirs}"),
        await operator.post(f"/v1/credentials/{theirs}/reveal", json={}),
        await operator.post(f"/v1/credentials/{theirs}/balance"),
    ]

    assert [answer.status_code for answer in asked] == [404] * len(asked)
    assert await names(instance, "") == []
    assert await names(instance, "accounts=all") == ["theirs.com"]
    assert (await operator.get("/v1/credentials")).json() == {"items": []}
    assert (await operator.get(domain, headers=in_other)).json()["note"] is None


async def test_all_accounts_are_for_who_manages_accounts(instance: InProcess) -> None:
    reader = await instance.caller(Permission.VAULT_READ)

    assert (await reader.get(PATH)).status_code == 200
    assert (await reader.get(f"{PATH}?accounts=all")).status_code == 403
    assert (await reader.post(PATH, json={"items": [{"name": "one.com"}]})).status_code == 403
    assert (await reader.post(f"{PATH}/look", json={})).status_code == 403


async def test_a_look_is_begun_for_credentials_that_are_active(instance: InProcess) -> None:
    active = await credential(instance, "namecheap", "one")
    revoked = await credential(instance, "namecheap", "two")
    await instance.operator.patch(f"/v1/credentials/{revoked}", json={"status": "revoked"})

    begun = await instance.operator.post(f"{PATH}/look", json={})
    await instance.operator.post(f"{PATH}/look", json={})

    waiting = (await instance.operator.get("/v1/providers/errands")).json()["items"]
    assert (begun.status_code, begun.json()) == (202, {"credentials": [active]})
    assert [(errand["credential_id"], errand["kind"]) for errand in waiting] == [(active, "look")]


async def test_an_end_of_a_page_that_nobody_gave_is_refused(instance: InProcess) -> None:
    for wrong in ("x", "e30", "WyJleHBpcmVzIiwiMjAyNi0wMS0wMSIsMV0", "WyJuYW1lIiw3LDFd"):
        assert (await instance.operator.get(f"{PATH}?after={wrong}")).status_code == 422, wrong


async def test_ten_thousand_rows_are_paged_with_one_query_a_page(instance: InProcess) -> None:
    count, limit = 10_000, 1000
    account_id = instance.parts.foundation.account_id
    held = await credential(instance, "namecheap", "shop")
    listed = [
        SeenRegistration(f"name-{number:05d}.com", date(2027, 1, 1) + timedelta(days=number % 400))
        for number in range(count // 2)
    ]
    await do(instance, registrations.record, held, listed, began=datetime.now(UTC))
    now = datetime.now(UTC)
    by_hand = [
        {
            "account_id": account_id,
            "name": f"x{number:05d}.org",
            "role": "reserve",
            "is_blocked": False,
            "created_at": now,
        }
        for number in range(count // 2)
    ]
    await do(instance, lambda work: work.connection.execute(insert(DOMAINS), by_hand))
    for sort in ("name", "expires"):
        found, pages, queries = await walked(instance, sort, limit)

        assert len(found) == len(set(found)) == count
        assert pages == count // limit + 1
        assert len([one for one in queries if "FROM domains" in one]) == pages
        assert found == sorted(found) if sort == "name" else found[-1].endswith(".org")


async def walked(instance: InProcess, sort: str, limit: int) -> tuple[list[str], int, list[str]]:
    """Return the names of all pages, how many pages there were, and what the database was asked meanwhile."""
    queries: list[str] = []
    engine = instance.parts.database.engine

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        queries.append(statement)

    found: list[str] = []
    after, pages = "", 0
    event.listen(engine, "before_cursor_execute", note)
    try:
        while True:
            answer = (await instance.operator.get(f"{PATH}?sort={sort}&limit={limit}{after}")).json()
            found += [item["name"] for item in answer["items"]]
            pages += 1
            if answer["next"] is None:
                break
            after = f"&after={answer['next']}"
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return found, pages, queries
