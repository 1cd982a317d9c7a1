from datetime import timedelta

import pytest

from keystead.access import idempotency
from keystead.access.idempotency import Answer, AnswerKey, Progress
from keystead.kit.errors import Conflict, Invalid
from tests.support.work import Workplace

KEY = AnswerKey("3", "POST /v1/vpn/keys", "abc")
CREATED = Answer(201, b'{"id": 1}')


async def begin(workplace: Workplace, key: AnswerKey = KEY, body: bytes = b"{}") -> Answer | Progress:
    return await workplace.database.write(
        lambda connection: idempotency.begin(connection, key, body, workplace.clock.now())
    )


async def finish(workplace: Workplace) -> None:
    await workplace.database.write(lambda connection: idempotency.finish(connection, KEY, CREATED))


async def test_a_repetition_gets_the_first_answer(workplace: Workplace) -> None:
    assert await begin(workplace) is Progress.FRESH
    assert await begin(workplace) is Progress.RUNNING
    await finish(workplace)

    assert await begin(workplace) == CREATED


async def test_another_body_conflicts(workplace: Workplace) -> None:
    await begin(workplace)

    with pytest.raises(Conflict):
        await begin(workplace, body=b'{"name": "x"}')


async def test_keys_are_per_token_and_route(workplace: Workplace) -> None:
    await begin(workplace)

    assert await begin(workplace, AnswerKey("4", KEY.route, KEY.key), b"1") is Progress.FRESH
    assert await begin(workplace, AnswerKey(KEY.token, "POST /other", KEY.key), b"2") is Progress.FRESH


async def test_a_forgotten_key_is_fresh(workplace: Workplace) -> None:
    await begin(workplace)

    await workplace.database.write(lambda connection: idempotency.forget(connection, KEY))

    assert await begin(workplace, body=b"another") is Progress.FRESH


async def test_a_key_is_fresh_after_a_day(workplace: Workplace) -> None:
    await begin(workplace)
    await finish(workplace)

    workplace.clock.advance(timedelta(hours=24).total_seconds())

    assert await begin(workplace, body=b"another") is Progress.FRESH


async def test_old_answers_are_purged(workplace: Workplace) -> None:
    await begin(workplace)
    workplace.clock.advance(timedelta(hours=24).total_seconds())
    await begin(workplace, AnswerKey("4", "r", "k"))

    purged = await workplace.database.write(lambda connection: idempotency.purge(connection, workplace.clock.now()))

    assert purged == 1


async def test_what_a_crash_left_running_is_abandoned(workplace: Workplace) -> None:
    await begin(workplace)
    await finish(workplace)
    running = AnswerKey("4", "r", "k")
    await begin(workplace, running)

    assert await workplace.database.write(idempotency.abandon_running) == 1
    assert await begin(workplace) == CREATED
    assert await begin(workplace, running) is Progress.FRESH


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb"])
async def test_a_bad_key_is_invalid(workplace: Workplace, key: str) -> None:
    with pytest.raises(Invalid):
        await begin(workplace, AnswerKey("3", "r", key))
