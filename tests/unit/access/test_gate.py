from datetime import timedelta

import pytest
from sqlalchemy import Connection, event

from keystead.access import gate, tokens, users
from keystead.access.gate import TokenDoor
from keystead.access.passwords import PasswordHash
from keystead.access.permissions import Permission
from keystead.access.principal import Principal
from keystead.kit.errors import Forbidden, KeysteadError, Throttled, Unauthenticated
from tests.support.work import Workplace

READ = frozenset({Permission.VPN_KEYS_READ})
HERE = "192.0.2.1"


@pytest.fixture
def door(workplace: Workplace) -> TokenDoor:
    return TokenDoor(workplace.clock)


async def admit(workplace: Workplace, door: TokenDoor, presented: str, address: str = HERE) -> Principal:
    return await workplace.database.read(lambda connection: door.admit(connection, presented, address=address))


async def fail(workplace: Workplace, door: TokenDoor, times: int, address: str = HERE) -> list[KeysteadError]:
    errors: list[KeysteadError] = []
    for number in range(times):
        try:
            await admit(workplace, door, f"guess-{number}", address)
        except KeysteadError as error:
            errors.append(error)
    return errors


async def secret_of_new(workplace: Workplace, **wishes: object) -> tuple[int, str]:
    new = await workplace.do(tokens.create, name="bot", permissions=READ, **wishes)  # type: ignore[arg-type]
    return new.token.id, new.secret.reveal()


async def test_a_second_call_asks_no_database(workplace: Workplace, door: TokenDoor) -> None:
    _, secret = await secret_of_new(workplace)
    first = await admit(workplace, door, secret)
    statements: list[str] = []
    event.listen(workplace.database.engine, "before_cursor_execute", lambda *args: statements.append(str(args[2])))

    second = await admit(workplace, door, secret)

    assert first == second == door.recall(secret, address=HERE)
    assert statements == []


async def test_a_memory_lasts_five_seconds(workplace: Workplace, door: TokenDoor) -> None:
    token_id, secret = await secret_of_new(workplace)
    await admit(workplace, door, secret)
    await workplace.do(tokens.revoke, token_id)

    workplace.clock.advance(gate.REMEMBER_S + 0.1)

    assert door.recall(secret, address=HERE) is None
    with pytest.raises(Unauthenticated):
        await admit(workplace, door, secret)


async def test_a_revoked_token_is_forgotten_at_once(workplace: Workplace, door: TokenDoor) -> None:
    token_id, secret = await secret_of_new(workplace)
    await admit(workplace, door, secret)
    await workplace.do(tokens.revoke, token_id)

    door.forget(token_id)

    with pytest.raises(Unauthenticated):
        await admit(workplace, door, secret)


async def test_a_look_up_that_began_before_the_revocation_is_not_remembered(
    workplace: Workplace, door: TokenDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    token_id, secret = await secret_of_new(workplace)
    look_up = tokens.look_up

    def overtaken(connection: Connection, *args: object) -> tokens.Credential:
        credential = look_up(connection, *args)  # type: ignore[arg-type]
        door.forget(token_id)
        return credential

    monkeypatch.setattr(tokens, "look_up", overtaken)  # the only way to stand between the query and the memory

    await admit(workplace, door, secret)

    assert door.recall(secret, address=HERE) is None


async def test_expiry_and_address_are_checked_on_every_call(workplace: Workplace, door: TokenDoor) -> None:
    expires_at = workplace.clock.now() + timedelta(seconds=2)
    _, secret = await secret_of_new(workplace, expires_at=expires_at, addresses=[HERE])
    await admit(workplace, door, secret)

    with pytest.raises(Forbidden):
        door.recall(secret, address="192.0.2.2")
    workplace.clock.advance(2)
    with pytest.raises(Unauthenticated):
        door.recall(secret, address=HERE)


async def test_a_disabled_users_token_is_refused(workplace: Workplace, door: TokenDoor) -> None:
    user = await workplace.do(users.create, login="anna", password_hash=PasswordHash("none"))
    _, secret = await secret_of_new(workplace, user_id=user.id)
    principal = await admit(workplace, door, secret)
    await workplace.do(users.disable, user.id)

    door.forget_all()

    assert principal.permissions == frozenset()  # the user has no role
    with pytest.raises(Unauthenticated):
        await admit(workplace, door, secret)


async def test_last_use_is_written_in_batches(workplace: Workplace, door: TokenDoor) -> None:
    token_id, secret = await secret_of_new(workplace)
    await admit(workplace, door, secret)
    workplace.clock.advance(1)
    await admit(workplace, door, secret)

    flushed = await door.flush_last_used(workplace.database)

    assert flushed == 1
    assert (await workplace.do(tokens.find, token_id)).last_used_at == workplace.clock.now()
    assert await door.flush_last_used(workplace.database) == 0


async def test_failures_from_one_place_are_throttled_until_the_minute_is_over(
    workplace: Workplace, door: TokenDoor
) -> None:
    errors = await fail(workplace, door, 30)
    workplace.clock.advance(gate.FAILURES_WINDOW_S)
    later = await fail(workplace, door, 1)

    assert [type(error) for error in errors] == [Unauthenticated] * 21 + [Throttled] * 9
    assert isinstance(errors[-1], Throttled)
    assert errors[-1].retry_after_s == 60
    assert type(later[0]) is Unauthenticated


async def test_known_tokens_pass_while_their_place_is_throttled(workplace: Workplace, door: TokenDoor) -> None:
    _, secret = await secret_of_new(workplace)
    await admit(workplace, door, secret)
    await fail(workplace, door, 25)

    workplace.clock.advance(gate.REMEMBER_S + 1)

    assert (await admit(workplace, door, secret)).permissions == READ


async def test_unknown_tokens_wait_while_their_place_is_throttled(workplace: Workplace, door: TokenDoor) -> None:
    _, secret = await secret_of_new(workplace)
    await fail(workplace, door, 25)

    with pytest.raises(Throttled):
        await admit(workplace, door, secret)
    assert (await admit(workplace, door, secret, "192.0.2.2")).permissions == READ


async def test_one_ipv6_network_is_one_place(workplace: Workplace, door: TokenDoor) -> None:
    for number in range(21):
        await fail(workplace, door, 1, f"2001:db8::{number:x}")

    assert isinstance((await fail(workplace, door, 1, "2001:db8::ffff"))[0], Throttled)
    assert type((await fail(workplace, door, 1, "2001:db8:0:1::1"))[0]) is Unauthenticated


async def test_memory_is_bounded(workplace: Workplace) -> None:
    door = TokenDoor(workplace.clock, tokens_max=2, places_max=3)
    secrets = [(await secret_of_new(workplace))[1] for _ in range(4)]
    for number, secret in enumerate(secrets):
        await admit(workplace, door, secret)
        await fail(workplace, door, 1, f"198.51.100.{number}")

    assert [door.recall(secret, address=HERE) is not None for secret in secrets] == [False, False, True, True]
    assert len(door._failures) == 3
