from pathlib import Path

import pytest

from keystead.access import seal
from keystead.access.seal import Finding, Head, VerifyReport
from keystead.access.work import Work
from keystead.kit.errors import Broken, Misconfigured
from keystead.kit.secret import Secret
from tests.support.work import Workplace

KEY = Secret(bytes(range(32)))


def note_many(work: Work, count: int) -> None:
    for number in range(count):
        work.audit("vpn.key.issue", f"vpn key {number}", name=f"имя {number}", size=2**40)


async def seal_once(workplace: Workplace, head: Head | None = None, limit: int = 500) -> Head | None:
    return await workplace.database.write(lambda connection: seal.seal_batch(connection, KEY, head=head, limit=limit))


async def sealed_trail(workplace: Workplace, count: int) -> Head:
    await workplace.do(note_many, count)
    head = await seal_once(workplace)
    assert head is not None
    return head


async def tamper(workplace: Workplace, *statements: str) -> None:
    await workplace.database.write(
        lambda connection: [connection.exec_driver_sql(statement) for statement in statements]
    )


async def verify(workplace: Workplace, head: Head | None, key: Secret[bytes] = KEY) -> VerifyReport:
    verification, report = seal.Verification(key, head), None
    while report is None:
        report = await workplace.database.read(verification.check_page)
    return report


def findings(report: VerifyReport) -> list[Finding]:
    return [discrepancy.finding for discrepancy in report.discrepancies]


async def test_an_untouched_trail_is_intact(workplace: Workplace) -> None:
    head = await sealed_trail(workplace, 7)
    await workplace.do(note_many, 2)

    report = await verify(workplace, head)

    assert report == VerifyReport(sealed=7, unsealed=2, discrepancy_count=0, discrepancies=())
    assert report.is_intact
    assert head.position == 7


async def test_batches_continue_the_chain(workplace: Workplace) -> None:
    await workplace.do(note_many, 5)
    heads = [None]
    while (head := await seal_once(workplace, heads[-1], limit=2)) is not None:
        heads.append(head)  # type: ignore[arg-type]  # the list begins with None

    assert [head.position for head in heads if head is not None] == [2, 4, 5]
    assert (await verify(workplace, heads[-1])).is_intact


async def test_an_empty_trail_is_intact(workplace: Workplace) -> None:
    assert await seal_once(workplace) is None
    assert (await verify(workplace, None)).is_intact


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'somebody'",
        "at = at + 1",
        "facts = '{}'",
        "facts = facts || ' '",
        "subject = 'vpn key 99'",
        "outcome = 'denied'",
        "account_id = account_id + 1",
        "request_id = 'other'",
        "verb = 'vpn.key.revoke'",
        "number = 4000",
    ],
)
async def test_any_change_of_a_record_is_found(workplace: Workplace, change: str) -> None:
    head = await sealed_trail(workplace, 5)
    await tamper(workplace, f"UPDATE audit_records SET {change} WHERE position = 3")

    assert findings(await verify(workplace, head)) == [Finding.CHANGED]


async def test_a_changed_seal_is_found(workplace: Workplace) -> None:
    head = await sealed_trail(workplace, 5)
    await tamper(workplace, f"UPDATE audit_records SET seal = '{'f' * 64}' WHERE position = 5")

    assert findings(await verify(workplace, head)) == [Finding.CHANGED, Finding.REWRITTEN]


async def test_deleted_records_are_found(workplace: Workplace) -> None:
    head = await sealed_trail(workplace, 6)
    await tamper(workplace, "DELETE FROM audit_records WHERE position IN (2, 3)")

    report = await verify(workplace, head)

    assert findings(report) == [Finding.DELETED]
    assert report.discrepancies[0].message == "records at positions 2 to 3 are gone"


async def test_a_deletion_that_closes_its_gap_is_found(workplace: Workplace) -> None:
    head = await sealed_trail(workplace, 4)
    await tamper(
        workplace,
        "DELETE FROM audit_records WHERE position = 2",
        "UPDATE audit_records SET position = 2 WHERE position = 3",
        "UPDATE audit_records SET position = 3 WHERE position = 4",
    )

    assert findings(await verify(workplace, head)) == [Finding.CHANGED, Finding.CHANGED, Finding.TRUNCATED]


async def test_an_inserted_record_is_found(workplace: Workplace) -> None:
    head = await sealed_trail(workplace, 3)
    await tamper(
        workplace,
        "INSERT INTO audit_records (at, request_id, account_id, actor, verb, subject, outcome, facts, position, seal)"
        " SELECT at, request_id, account_id, actor, verb, subject, outcome, facts, 4, seal"
        " FROM audit_records WHERE position = 3",
    )

    assert findings(await verify(workplace, head)) == [Finding.CHANGED]


async def test_reordered_records_are_found(workplace: Workplace) -> None:
    head = await sealed_trail(workplace, 5)
    await tamper(
        workplace,
        "UPDATE audit_records SET position = 99 WHERE position = 2",
        "UPDATE audit_records SET position = 2 WHERE position = 3",
        "UPDATE audit_records SET position = 3 WHERE position = 99",
    )

    assert set(findings(await verify(workplace, head))) == {Finding.CHANGED}


async def test_a_cut_end_is_found(workplace: Workplace) -> None:
    head = await sealed_trail(workplace, 5)
    await tamper(workplace, "DELETE FROM audit_records WHERE position >= 4")

    assert findings(await verify(workplace, head)) == [Finding.TRUNCATED]


async def test_a_trail_cut_to_nothing_is_found(workplace: Workplace) -> None:
    head = await sealed_trail(workplace, 5)
    await tamper(workplace, "DELETE FROM audit_records")

    assert findings(await verify(workplace, head)) == [Finding.TRUNCATED]


async def test_a_cut_trail_is_not_continued(workplace: Workplace) -> None:
    head = await sealed_trail(workplace, 5)
    await tamper(workplace, "DELETE FROM audit_records WHERE position >= 4")
    await workplace.do(note_many, 3)

    with pytest.raises(Broken, match="position 5"):
        await seal_once(workplace, head)


@pytest.mark.parametrize("position", [0, -1])
async def test_a_record_put_before_the_first_is_found(workplace: Workplace, position: int) -> None:
    head = await sealed_trail(workplace, 3)
    await tamper(
        workplace,
        "INSERT INTO audit_records (at, request_id, account_id, actor, verb, subject, outcome, facts, position, seal)"
        f" SELECT at, request_id, account_id, actor, verb, subject, outcome, facts, {position}, seal"
        " FROM audit_records WHERE position = 3",
    )

    assert findings(await verify(workplace, head)) == [Finding.STRIPPED]


async def test_a_trail_of_several_pages_is_read_to_its_end(workplace: Workplace) -> None:
    await sealed_trail(workplace, 500)
    head = await sealed_trail(workplace, 500)
    await tamper(workplace, "UPDATE audit_records SET verb = 'vpn.key.list' WHERE position IN (500, 501, 1000)")

    report = await verify(workplace, head)

    assert report.sealed == 1000
    assert findings(report) == [Finding.CHANGED] * 3


async def test_a_record_taken_out_of_the_chain_is_found(workplace: Workplace) -> None:
    head = await sealed_trail(workplace, 3)
    await tamper(workplace, "UPDATE audit_records SET position = NULL WHERE position = 2")

    assert findings(await verify(workplace, head)) == [Finding.DELETED, Finding.STRIPPED]


async def test_another_key_opens_nothing(workplace: Workplace) -> None:
    head = await sealed_trail(workplace, 2)

    report = await verify(workplace, head, Secret(bytes(32)))

    assert report.discrepancy_count == 2


async def test_a_missing_head_is_found(workplace: Workplace) -> None:
    await sealed_trail(workplace, 2)

    assert findings(await verify(workplace, None)) == [Finding.HEAD_MISSING]


async def test_a_head_that_lags_behind_after_a_crash_is_fine(workplace: Workplace) -> None:
    head = await sealed_trail(workplace, 2)
    await workplace.do(note_many, 2)
    await seal_once(workplace, head)

    assert (await verify(workplace, head)).is_intact


async def test_a_long_trail_is_verified_in_pages(workplace: Workplace) -> None:
    await workplace.do(note_many, 1203)
    head = None
    while (sealed := await seal_once(workplace, head)) is not None:
        head = sealed
    await tamper(workplace, "UPDATE audit_records SET actor = 'x' WHERE position <= 150")

    report = await verify(workplace, head)

    assert report.sealed == 1203
    assert report.discrepancy_count == 150
    assert len(report.discrepancies) == 100


def test_the_head_file_is_private_and_read_back(tmp_path: Path) -> None:
    head = Head(12, "ab" * 32)
    assert seal.read_head(tmp_path) is None

    seal.write_head(tmp_path, head)

    assert seal.read_head(tmp_path) == head
    assert (tmp_path / seal.HEAD_FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"position": null, "seal": ""}'])
def test_a_damaged_head_file_is_a_misconfiguration(tmp_path: Path, content: bytes) -> None:
    (tmp_path / seal.HEAD_FILE).write_bytes(content)

    with pytest.raises(Misconfigured, match=r"audit\.head"):
        seal.read_head(tmp_path)
