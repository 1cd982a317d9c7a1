from datetime import timedelta

import pytest

from keystead.access import audit, tokens
from keystead.access.permissions import ALL_PERMISSIONS, USUAL_VPN_PERMISSIONS, VPN_PERMISSIONS, Permission
from keystead.access.principal import Principal
from keystead.access.tokens import TokenKind
from keystead.kit.errors import Conflict, Forbidden, Invalid, Misconfigured, NotFound, Unauthenticated
from keystead.kit.page import Page
from keystead.kit.secret import Secret
from tests.support.work import Workplace

READ = frozenset({Permission.VPN_KEYS_READ})
LONG = Secret("a-secret-of-the-environment-0123456789")


async def authenticate(workplace: Workplace, presented: str, address: str = "192.0.2.1") -> Principal:
    return await workplace.database.read(
        lambda connection: tokens.authenticate(connection, presented, address=address, now=workplace.clock.now())
    )


async def test_a_new_token_authenticates_with_what_it_was_granted(workplace: Workplace) -> None:
    new = await workplace.do(tokens.create, name="bot", permissions=READ)

    principal = await authenticate(workplace, new.secret.reveal())

    assert new.secret.reveal().startswith("ks_api_")
    assert principal == Principal(workplace.account_id, f"token:{new.token.id} bot", READ, token_id=new.token.id)


async def test_a_confined_token_is_confined_to_itself(workplace: Workplace) -> None:
    new = await workplace.do(tokens.create, name="bot", permissions=READ, is_confined=True, kind=TokenKind.VEIL)

    principal = await authenticate(workplace, new.secret.reveal())

    assert new.secret.reveal().startswith("ks_veil_")
    assert principal.confined_to_token == new.token.id


@pytest.mark.parametrize("permission", sorted(set(Permission) - VPN_PERMISSIONS))
async def test_a_confined_token_gets_nothing_that_tells_of_the_keys_of_others(
    workplace: Workplace, permission: Permission
) -> None:
    with pytest.raises(Invalid, match=permission.value):
        await workplace.do(tokens.create, name="bot", permissions={*READ, permission}, is_confined=True)


async def test_a_confined_token_of_an_earlier_version_holds_vpn_permissions_only(workplace: Workplace) -> None:
    new = await workplace.do(tokens.create, name="bot", permissions={*READ, Permission.BACKUP_MAKE})
    await workplace.database.write(
        lambda connection: connection.exec_driver_sql("UPDATE tokens SET is_confined = TRUE") and None
    )

    principal = await authenticate(workplace, new.secret.reveal())

    assert principal.permissions == READ


async def test_the_secret_is_stored_nowhere(workplace: Workplace) -> None:
    new = await workplace.do(tokens.create, name="bot", permissions=READ)
    secret = new.secret.reveal()

    rows = await workplace.database.read(
        lambda connection: [
            str(row)
            for table in ("tokens", "audit_records")
            for row in connection.exec_driver_sql(f"SELECT * FROM {table}").all()
        ]
    )

    assert not any(secret in row or secret.split("_")[2] in row for row in rows)
    assert secret not in repr(new)


@pytest.mark.parametrize(
    "presented", ["", "ks_api_cut", "nobody-knows-this-one", "x" * 600, "ключ", "ks_api_" + "0" * 43 + "_000000"]
)
async def test_what_is_not_a_token_is_refused(workplace: Workplace, presented: str) -> None:
    with pytest.raises(Unauthenticated):
        await authenticate(workplace, presented)


async def test_an_expired_token_is_refused(workplace: Workplace) -> None:
    expires_at = workplace.clock.now() + timedelta(hours=1)
    new = await workplace.do(tokens.create, name="bot", permissions=READ, expires_at=expires_at)
    workplace.clock.advance(3600)

    with pytest.raises(Unauthenticated, match="expired"):
        await authenticate(workplace, new.secret.reveal())


async def test_a_revoked_token_is_refused(workplace: Workplace) -> None:
    new = await workplace.do(tokens.create, name="bot", permissions=READ)

    revoked = await workplace.do(tokens.revoke, new.token.id)

    assert revoked.revoked_at == workplace.clock.now()
    with pytest.raises(Unauthenticated, match="revoked"):
        await authenticate(workplace, new.secret.reveal())


@pytest.mark.parametrize("address", ["198.51.100.7", "::ffff:198.51.100.7", "2001:db8::5"])
async def test_a_bound_token_works_from_its_addresses(workplace: Workplace, address: str) -> None:
    new = await workplace.do(
        tokens.create, name="bot", permissions=READ, addresses=["198.51.100.0/24", "2001:db8::/32"]
    )

    assert (await authenticate(workplace, new.secret.reveal(), address)).token_id == new.token.id


@pytest.mark.parametrize("address", ["203.0.113.1", "2001:db9::1", "", "unknown"])
async def test_a_bound_token_is_forbidden_elsewhere(workplace: Workplace, address: str) -> None:
    new = await workplace.do(
        tokens.create, name="bot", permissions=READ, addresses=["198.51.100.0/24", "2001:db8::/32"]
    )

    with pytest.raises(Forbidden) as caught:
        await authenticate(workplace, new.secret.reveal(), address)

    assert caught.value.context == {"actor": f"token:{new.token.id} bot", "account_id": workplace.account_id}


async def test_nobody_grants_what_it_lacks(workplace: Workplace) -> None:
    clerk = Principal(workplace.account_id, "token:9 clerk", frozenset({Permission.TOKENS_MANAGE}))

    with pytest.raises(Forbidden, match=r"vpn\.keys\.read"):
        await workplace.do_as(clerk, tokens.create, name="more", permissions=READ)


async def test_a_confined_principal_creates_no_tokens(workplace: Workplace) -> None:
    confined = Principal(workplace.account_id, "token:9 bot", ALL_PERMISSIONS, token_id=9, confined_to_token=9)

    with pytest.raises(Forbidden, match="confined"):
        await workplace.do_as(confined, tokens.create, name="free", permissions=READ)


async def test_managing_needs_the_permission(workplace: Workplace) -> None:
    reader = Principal(workplace.account_id, "token:9 reader", frozenset({Permission.TOKENS_READ}))

    with pytest.raises(Forbidden):
        await workplace.do_as(reader, tokens.create, name="x", permissions=())
    assert await workplace.do_as(reader, tokens.list_, Page()) == []


@pytest.mark.parametrize("name", ["", "  ", "x" * 129, "two\nlines"])
async def test_a_bad_name_is_invalid(workplace: Workplace, name: str) -> None:
    with pytest.raises(Invalid):
        await workplace.do(tokens.create, name=name, permissions=READ)


async def test_bad_wishes_are_invalid(workplace: Workplace) -> None:
    with pytest.raises(Invalid):
        await workplace.do(tokens.create, name="x", permissions=READ, expires_at=workplace.clock.now())
    with pytest.raises(Invalid):
        await workplace.do(tokens.create, name="x", permissions=READ, addresses=["everywhere"])
    with pytest.raises(Invalid):
        await workplace.do(tokens.create, name="x", permissions=READ, kind=TokenKind.ENV)
    with pytest.raises(NotFound):
        await workplace.do(tokens.create, name="x", permissions=READ, user_id=77)


async def test_tokens_are_listed_in_pages(workplace: Workplace) -> None:
    for name in ("a", "b", "c"):
        await workplace.do(tokens.create, name=name, permissions=READ)

    first = await workplace.do(tokens.list_, Page(limit=2))
    rest = await workplace.do(tokens.list_, Page(limit=2, after=first[-1].id))

    assert [token.name for token in (*first, *rest)] == ["a", "b", "c"]


async def test_another_accounts_token_is_not_found(workplace: Workplace) -> None:
    new = await workplace.do(tokens.create, name="bot", permissions=READ)
    stranger = Principal(workplace.account_id + 1, "operator", ALL_PERMISSIONS)

    with pytest.raises(NotFound):
        await workplace.do_as(stranger, tokens.revoke, new.token.id)


async def test_each_mutation_leaves_one_record(workplace: Workplace) -> None:
    new = await workplace.do(tokens.create, name="bot", permissions=READ)
    await workplace.do(tokens.revoke, new.token.id)
    await workplace.do(tokens.revoke, new.token.id)

    records = await workplace.do(audit.list_, Page())

    assert [(record.verb, record.subject) for record in records] == [
        ("access.token.create", f"token {new.token.id}"),
        ("access.token.revoke", f"token {new.token.id}"),
    ]


async def test_the_environments_secret_is_a_token_with_vpn_permissions(workplace: Workplace) -> None:
    token = await workplace.do(tokens.ensure_environment, LONG)

    principal = await authenticate(workplace, LONG.reveal())

    assert token is not None
    assert principal == Principal(
        workplace.account_id, "token:env API_SECRET_KEY", USUAL_VPN_PERMISSIONS, token_id=token.id
    )


async def test_the_environments_token_stays_the_same_row_at_the_next_start(workplace: Workplace) -> None:
    first = await workplace.do(tokens.ensure_environment, LONG)
    second = await workplace.do(tokens.ensure_environment, LONG)

    assert first == second


async def test_a_changed_environment_revokes_the_old_secret(workplace: Workplace) -> None:
    await workplace.do(tokens.ensure_environment, LONG)

    await workplace.do(tokens.ensure_environment, Secret("another-secret-of-the-environment-1"))

    with pytest.raises(Unauthenticated):
        await authenticate(workplace, LONG.reveal())


async def test_an_unset_environment_revokes_and_a_return_reinstates(workplace: Workplace) -> None:
    first = await workplace.do(tokens.ensure_environment, LONG)

    assert await workplace.do(tokens.ensure_environment, None) is None
    with pytest.raises(Unauthenticated):
        await authenticate(workplace, LONG.reveal())
    again = await workplace.do(tokens.ensure_environment, LONG)

    assert again == first
    assert (await authenticate(workplace, LONG.reveal())).token_id == again.id


async def test_a_weak_environment_is_a_misconfiguration(workplace: Workplace) -> None:
    with pytest.raises(Misconfigured, match="API_SECRET_KEY"):
        await workplace.do(tokens.ensure_environment, Secret("short"))


async def test_an_issued_token_in_the_environment_is_a_misconfiguration(workplace: Workplace) -> None:
    new = await workplace.do(tokens.create, name="bot", permissions=READ)

    with pytest.raises(Misconfigured, match="issued"):
        await workplace.do(tokens.ensure_environment, new.secret)


async def test_the_environments_token_is_not_revoked_by_hand(workplace: Workplace) -> None:
    token = await workplace.do(tokens.ensure_environment, LONG)

    assert token is not None
    with pytest.raises(Conflict, match="API_SECRET_KEY"):
        await workplace.do(tokens.revoke, token.id)


async def test_a_token_without_limits_says_so_wherever_it_is_looked_up(workplace: Workplace) -> None:
    held = await workplace.do(tokens.create, name="held", permissions=READ)
    free = await workplace.do(tokens.create_unlimited, name="free", permissions=READ)

    listed = {token.name: token.is_rate_limited for token in await workplace.do(tokens.list_, Page(10))}
    admitted = [await authenticate(workplace, new.secret.reveal()) for new in (held, free)]

    assert listed == {"held": True, "free": False}
    assert [principal.is_rate_limited for principal in admitted] == [True, False]
    assert not free.token.is_rate_limited
