"""Traffic while connections are open, on both wires."""

from keystead.access.permissions import VPN_PERMISSIONS
from keystead.dialects.v1 import traffic_schemas
from keystead.engines.xray.state import Counters, LabelCarried
from tests.support.instance import InProcess

KEYS = "/v1/vpn/keys"
DOWNLOAD = LabelCarried(10, 1000, 10, 1000)


async def key_with_an_open_download(instance: InProcess) -> int:
    number = int((await instance.operator.post(KEYS)).json()["number"])
    instance.engine.counters[f"k{number}-1"] = Counters(10, 40)
    instance.engine.kernel[f"k{number}-1"] = DOWNLOAD
    await instance.meter.look()
    return number


async def test_figures_are_live_and_their_quality_is_named(instance: InProcess) -> None:
    number = await key_with_an_open_download(instance)

    answer = await instance.operator.get(f"{KEYS}/{number}/traffic")

    shown = traffic_schemas.Traffic.model_validate_json(answer.content)
    assert (shown.quality, shown.upload, shown.download) == ("live", 10, 1000)
    assert (shown.live.total, shown.billed.total, shown.lifetime_total, shown.estimated.total) == (1010, 50, 50, 0)


async def test_an_account_s_figure_is_what_its_keys_add_up_to(instance: InProcess) -> None:
    first = await key_with_an_open_download(instance)
    second = await key_with_an_open_download(instance)
    booked = (await instance.operator.get("/v1/vpn/traffic")).json()
    each = [(await instance.operator.get(f"{KEYS}/{number}/traffic")).json() for number in (first, second)]
    instance.engine.kernel.clear()  # what was shown stands, although nobody tells of it any more
    await instance.meter.look()

    later = (await instance.operator.get("/v1/vpn/traffic")).json()
    made = await instance.token(*VPN_PERMISSIONS, is_confined=True)
    confined = (await instance.bearer(made.secret.reveal()).get("/v1/vpn/traffic")).json()

    assert (booked["live"]["total"], booked["billed"]["total"], booked["quality"]) == (2020, 0, "live")
    assert later["live"]["total"] == sum(shown["live"]["total"] for shown in each) == 2020
    assert later["billed"]["total"] == 100
    assert confined["live"]["total"] == 0


async def test_the_veil_wire_shows_live_figures_and_a_reset_returns_just_those(instance: InProcess) -> None:
    number = await key_with_an_open_download(instance)
    bot = await instance.caller(*VPN_PERMISSIONS)
    path = f"/api/keys/{number}/traffic"

    before = (await bot.get(path)).json()
    ended = (await bot.post(f"{path}/reset")).json()
    after = (await bot.get(path)).json()
    instance.engine.kernel[f"k{number}-1"] = LabelCarried(10, 1500, 0, 0)
    instance.engine.counters[f"k{number}-1"] = Counters(10, 1500)
    later = (await bot.get(path)).json()

    assert [(found["upload"], found["download"]) for found in (before, after, later)] == [(10, 1000), (0, 0), (0, 500)]
    assert (ended["previous_upload"], ended["previous_download"]) == (10, 1000)


async def test_a_figure_that_was_shown_does_not_fall_when_the_kernel_is_not_heard_any_more(
    instance: InProcess,
) -> None:
    number = await key_with_an_open_download(instance)
    shown = (await instance.operator.get(f"{KEYS}/{number}/traffic")).json()["total"]
    instance.engine.kernel.clear()
    await instance.meter.look()

    answer = await instance.operator.get(f"{KEYS}/{number}/traffic")

    assert answer.json()["total"] == shown == 1010
