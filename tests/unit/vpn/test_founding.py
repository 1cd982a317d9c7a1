"""What links carry is chosen once: a later wish that contradicts it is refused by the setting's name."""

from dataclasses import replace

import pytest

from keystead.access.work import Work
from keystead.kit.errors import Misconfigured
from keystead.vpn import founding
from tests.support.shop import WISH, Shop
from tests.support.work import Workplace


@pytest.fixture
async def shop(workplace: Workplace) -> Shop:
    return await Shop(workplace).open()


@pytest.mark.parametrize(
    ("setting", "wish"),
    [
        ("KEYSTEAD_VPN_PORT", replace(WISH, port=9443)),
        ("KEYSTEAD_REALITY_SERVER_NAMES", replace(WISH, server_names=("other.test",))),
        ("REALITY_COMMON_SHORT_ID", replace(WISH, short_id="00000000", is_short_id_default=False)),
    ],
)
async def test_a_wish_that_contradicts_links_is_refused(shop: Shop, setting: str, wish: founding.Wish) -> None:
    with pytest.raises(Misconfigured, match=setting):
        await shop.workplace.do(founding.check_shared_inbound, wish)


async def test_what_no_link_carries_may_change(shop: Shop) -> None:
    wish = replace(WISH, listen="0.0.0.0", target="mirror.test:443", port=None)

    inbound = await shop.workplace.do(founding.check_shared_inbound, wish)

    assert inbound is not None
    assert (inbound.listen, inbound.target, inbound.port) == ("0.0.0.0", "mirror.test:443", 8443)


async def test_the_public_host_is_chosen_once(shop: Shop) -> None:
    def settle(work: Work, wished: str | None, default: str) -> str:
        return founding.settle_public_host(work, wished, default)

    chosen = await shop.workplace.do(settle, None, "192.0.2.7")
    later = await shop.workplace.do(settle, None, "192.0.2.99")

    assert chosen == later == "192.0.2.7"
    with pytest.raises(Misconfigured, match="KEYSTEAD_PUBLIC_HOST"):
        await shop.workplace.do(settle, "other.test", "192.0.2.7")
