from datetime import timedelta

import pytest

from keystead.access import audit
from keystead.access.audit import AuditFilter, AuditRecord
from keystead.access.permissions import Permission
from keystead.access.principal import Principal
from keystead.access.store.audit import AuditOrder
from keystead.access.work import Work
from keystead.kit.errors import Forbidden
from keystead.kit.page import Page
from tests.support.work import Workplace


def note(work: Work, verb: str, subject: str) -> None:
    work.audit(verb, subject, detail="x")


async def deny(workplace: Workplace, actor: str = "token:3 bot") -> None:
    await workplace.database.write(
        lambda connection: audit.record_denial(
            connection,
            account_id=workplace.account_id,
            actor=actor,
            request_id="req-2",
            at=workplace.clock.now(),
            verb="vpn.key.revoke",
            subject="vpn key 12",
            reason="this credential lacks the permission vpn.keys.revoke",
        )
    )


async def test_a_denial_is_on_record(workplace: Workplace) -> None:
    await deny(workplace)

    records = await workplace.do(audit.list_, Page())

    assert records == [
        AuditRecord(
            number=1,
            at=workplace.clock.now(),
            request_id="req-2",
            account_id=workplace.account_id,
            actor="token:3 bot",
            verb="vpn.key.revoke",
            subject="vpn key 12",
            outcome="denied",
            facts={"reason": "this credential lacks the permission vpn.keys.revoke"},
            position=None,
        )
    ]


async def test_records_are_narrowed_and_paged(workplace: Workplace) -> None:
    start = workplace.clock.now()
    for number in range(3):
        await workplace.do(note, "vpn.key.issue", f"vpn key {number}")
        workplace.clock.advance(60)
    await deny(workplace)

    async def subjects(narrowed: AuditFilter, page: Page = Page()) -> list[str]:  # noqa: B008 - a frozen value
        return [record.subject for record in await workplace.do(audit.list_, page, narrowed)]

    assert await subjects(AuditFilter(verb="vpn.key.issue"), Page(limit=2)) == ["vpn key 0", "vpn key 1"]
    assert await subjects(AuditFilter(verb="vpn.key.issue"), Page(limit=2, after=2)) == ["vpn key 2"]
    newest = AuditFilter(verb="vpn.key.issue", order=AuditOrder.NEWEST_FIRST)
    assert await subjects(newest, Page(limit=2)) == ["vpn key 2", "vpn key 1"]
    assert await subjects(newest, Page(limit=2, after=2)) == ["vpn key 0"]
    assert await subjects(AuditFilter(subject="vpn key 1")) == ["vpn key 1"]
    assert await subjects(AuditFilter(outcome="denied")) == ["vpn key 12"]
    assert await subjects(AuditFilter(actor="operator", since=start + timedelta(seconds=60))) == [
        "vpn key 1",
        "vpn key 2",
    ]
    assert await subjects(AuditFilter(until=start + timedelta(seconds=60))) == ["vpn key 0"]


async def test_reading_needs_the_permission(workplace: Workplace) -> None:
    nosy = Principal(workplace.account_id, "token:3 bot", frozenset({Permission.VPN_KEYS_READ}))

    with pytest.raises(Forbidden):
        await workplace.do_as(nosy, audit.list_, Page())
