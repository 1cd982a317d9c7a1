"""Speed limits and quotas against the real engine, while customers download: in force at once, and for nobody else."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support import xray
from tests.support.downloads import MB, downloading, streaming
from tests.support.keystead import Keystead, keystead

FIRST, SECOND = "127.0.0.2", "127.0.0.3"


async def issued(instance: Keystead, **terms: Any) -> tuple[int, xray.Profile]:
    answer = await instance.http.post("/v1/vpn/keys", json={"terms": terms} if terms else {})
    assert answer.status_code == 201, answer.text
    number = answer.json()["number"]
    return number, await instance.profile(number)


async def audited(instance: Keystead, verb: str) -> list[dict[str, Any]]:
    """Return the audit records of a verb, as the operator reads them over the local socket."""
    transport = httpx2.AsyncHTTPTransport(uds=str(instance.data_dir / "run" / "control.sock"))
    async with httpx2.AsyncClient(transport=transport, base_url="http://local") as operator:
        answer = await operator.get("/v1/audit", params={"verb": verb})
    records: list[dict[str, Any]] = answer.json()["items"]
    return records


async def set_terms(instance: Keystead, number: int, **terms: Any) -> None:
    answer = await instance.http.patch(f"/v1/vpn/keys/{number}/terms", json=terms)
    assert answer.status_code == 200, answer.text


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.parametrize("connections", [1, 4, 16])
async def test_a_limit_is_held_over_all_connections_of_a_key_and_nobody_else_feels_it(
    tmp_path: Path, connections: int
) -> None:
    async with keystead(tmp_path) as instance:
        number, profile = await issued(instance, speed_bytes_s=3 * MB)
        _, other = await issued(instance)
        async with (
            streaming(profile, connections=connections) as limited,
            streaming(other, bytes_per_s=6 * MB) as free,
        ):
            await asyncio.sleep(3)
            limited_per_s, free_per_s = await asyncio.gather(limited.per_s(10), free.per_s(10))
            await set_terms(instance, number, speed_bytes_s=1 * MB)
            await asyncio.sleep(2)
            slower_per_s = await limited.per_s(4)
            await set_terms(instance, number, speed_bytes_s=None)
            await asyncio.sleep(1.5)
            lifted_per_s = await limited.per_s(2)

    assert 2.55 * MB < limited_per_s < 3.45 * MB  # within 10 % on a machine that does nothing else
    assert free_per_s > 4.8 * MB
    assert 0.7 * MB < slower_per_s < 1.3 * MB  # loopback's segments are a second's worth of a sixteenth of it
    assert lifted_per_s > 6 * MB


async def test_the_newest_of_too_many_addresses_is_refused_and_that_is_told_once(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance:
        number, profile = await issued(instance, address_limit=1)
        _, other = await issued(instance)
        async with (
            downloading(profile, source=FIRST) as first,
            downloading(other, source=SECOND) as others,
            downloading(profile, source=SECOND) as second,
        ):
            took_s = await second.over_after_s(within_s=10)
            async with asyncio.timeout(10):
                while not (records := await audited(instance, "vpn.terms.refuse")):
                    await asyncio.sleep(0.1)
            shown = (await instance.http.get(f"/v1/vpn/keys/{number}")).json()
            is_served = not first.is_over and not others.is_over

    assert took_s is not None
    assert is_served
    assert (shown["address_use"]["active"], shown["address_use"]["refused"]) == (1, 1)
    assert [record["facts"] for record in records] == [{"address_limit": 1, "active": 1}]
    assert shown["terms"]["address_refused_at"] is not None
    logs = [path.read_text(errors="replace") for path in tmp_path.rglob("*.log*")]
    assert logs
    assert not any(SECOND in text for text in logs)


async def test_a_quota_cuts_a_download_at_the_quota_and_the_figure_that_caused_it_is_audited(tmp_path: Path) -> None:
    line_per_s = 12_500_000  # 100 Mbit/s
    async with keystead(tmp_path) as instance:
        number, profile = await issued(instance, quota_bytes=30 * MB)
        _, other = await issued(instance)
        async with streaming(profile, bytes_per_s=line_per_s) as cut, streaming(other, bytes_per_s=MB) as kept:
            async with asyncio.timeout(20):
                while cut.ended_at is None:
                    await asyncio.sleep(0.05)
            await asyncio.sleep(0.5)
            still_per_s = await kept.per_s(1)
            refused = await xray.dial(profile, instance.world.origin, within_s=3)
        shown = (await instance.http.get(f"/api/keys/{number}")).json()
        [limit] = await audited(instance, "vpn.terms.limit")

    assert cut.received < 30 * MB + 2 * MB + line_per_s
    assert cut.received > 25 * MB
    assert still_per_s > 0.7 * MB
    assert refused is None
    assert shown["is_active"] is False
    assert limit["facts"]["used"] >= 30 * MB


async def test_a_quota_can_slow_a_key_down_instead(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance:
        _, profile = await issued(instance, quota_bytes=10 * MB, at_limit="slow", slow_to_bytes_s=MB)
        async with streaming(profile) as stream:
            async with asyncio.timeout(10):
                while stream.received < 12 * MB:
                    await asyncio.sleep(0.05)
            await asyncio.sleep(2.5)
            slowed_per_s = await stream.per_s(4)

            assert stream.ended_at is None
            assert 0.75 * MB < slowed_per_s < 1.25 * MB
