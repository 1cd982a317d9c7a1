"""Prepared statements give what SQLAlchemy gives, on both databases: types, constants and errors."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from keystead.access.models import ACCOUNTS, FIXED_FACTS, TOKENS
from keystead.db.prepared import Prepared
from keystead.db.session import Database
from keystead.kit.errors import Broken

AT = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)

ADD = Prepared(insert(FIXED_FACTS))
ADD_ACCOUNT = Prepared(insert(ACCOUNTS).returning(ACCOUNTS.c.id))
FIND = Prepared(select(FIXED_FACTS).where(FIXED_FACTS.c.name == bindparam("name")))
IS_NOT_B = Prepared(select(FIXED_FACTS.c.name).where(FIXED_FACTS.c.name != "b").order_by(FIXED_FACTS.c.name))
MOVE = Prepared(update(FIXED_FACTS).where(FIXED_FACTS.c.name == bindparam("at")).values(value=bindparam("to")))


def fact(name: str, value: object = 1) -> dict[str, Any]:
    return {"name": name, "value": value, "chosen_at": AT}


def facts(*names: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    return list(fact("")), [tuple(fact(name).values()) for name in names]


async def test_values_go_in_and_come_out_as_their_types_say(database: Database) -> None:
    def unit(connection: Connection) -> tuple[Any, ...] | None:
        ADD.run(connection, fact("a", {"x": [1, None, "é"]}))
        return FIND.first(connection, {"name": "a"})

    assert await database.write(unit) == ("a", {"x": [1, None, "é"]}, AT)


async def test_a_statement_keeps_its_constants(database: Database) -> None:
    def unit(connection: Connection) -> list[tuple[Any, ...]]:
        ADD.run_many(connection, *facts("a", "b", "c"))
        return IS_NOT_B.rows(connection, {})

    assert await database.write(unit) == [("a",), ("c",)]


async def test_nothing_found_is_none_and_many_of_nothing_is_nothing(database: Database) -> None:
    def unit(connection: Connection) -> tuple[object, object]:
        ADD.run_many(connection, ["name"], [])
        return FIND.first(connection, {"name": "a"}), FIND.scalar(connection, {"name": "a"})

    assert await database.write(unit) == (None, None)


async def test_a_statement_sees_what_the_transaction_wrote_and_is_rolled_back_with_it(database: Database) -> None:
    def unit(connection: Connection) -> None:
        ADD.run(connection, fact("a"))
        MOVE.run(connection, {"at": "a", "to": 7})
        assert FIND.first(connection, {"name": "a"}) == ("a", 7, AT)
        raise Broken("after all, no")

    with pytest.raises(Broken):
        await database.write(unit)

    assert await database.read(lambda connection: FIND.first(connection, {"name": "a"})) is None


@pytest.mark.parametrize(
    "again",
    [
        lambda connection: ADD.run(connection, fact("a")),
        lambda connection: ADD.run_many(connection, *facts("b", "a")),
    ],
)
async def test_a_broken_constraint_is_told_as_sqlalchemy_tells_it(
    database: Database, again: Callable[[Connection], None]
) -> None:
    def unit(connection: Connection) -> None:
        ADD.run(connection, fact("a"))
        with pytest.raises(IntegrityError):
            again(connection)
        raise Broken("the transaction is over")

    with pytest.raises(Broken):
        await database.write(unit)


async def test_a_new_row_gives_its_number(database: Database) -> None:
    def unit(connection: Connection) -> tuple[int, int]:
        first = ADD_ACCOUNT.scalar(connection, {"name": "first", "created_at": AT})
        return first, ADD_ACCOUNT.scalar(connection, {"name": "second", "created_at": AT})

    first, second = await database.write(unit)

    assert second == first + 1


async def test_a_missing_value_and_a_list_of_values_are_refused(database: Database) -> None:
    by_names = Prepared(select(TOKENS.c.id).where(TOKENS.c.name.in_(bindparam("names", expanding=True))))

    with pytest.raises(Broken, match="lacks its value name"):
        await database.read(lambda connection: FIND.first(connection, {}))
    with pytest.raises(Broken, match="cannot be prepared"):
        await database.read(lambda connection: by_names.rows(connection, {"names": ["a"]}))
