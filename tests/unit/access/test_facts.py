from keystead.access import accounts, facts
from tests.support.work import Workplace


async def test_a_fact_is_chosen_once(workplace: Workplace) -> None:
    def choose(value: object) -> object:
        return workplace.database.write(
            lambda connection: facts.choose(connection, "vpn_port", value, workplace.clock.now())
        )

    assert await choose(443) == 443  # type: ignore[misc]  # the awaitable of a write
    assert await choose(8443) == 443  # type: ignore[misc]
    assert await workplace.database.read(lambda connection: facts.get(connection, "vpn_port")) == 443
    assert await workplace.database.read(lambda connection: facts.get(connection, "unknown")) is None


async def test_the_default_account_is_made_once(workplace: Workplace) -> None:
    again = await workplace.database.write(
        lambda connection: accounts.ensure_default(connection, workplace.clock.now())
    )

    assert again == workplace.account_id
