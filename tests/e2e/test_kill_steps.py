"""kill -9 of Keystead and of the core at each step of a create and of a delete, one after the other.

``test_kill.py`` kills at any time under load; here no step is left to chance.
"""

import asyncio
from pathlib import Path

import httpx2
import pytest

from tests.support import xray
from tests.support.keystead import Keystead, keystead

STRUCK = Path(__file__).parents[1] / "support" / "struck"
# Within the transaction, after its commit, before and after the engine's call, after the wait for it (the answer is
# next), and after what was settled is written down.
STEPS = ("marked", "committed", "telling", "told", "settled", "confirmed")
VICTIMS = ("keystead", "core")


def arm(instance: Keystead, path: Path, step: str, victim: str) -> None:
    """Have a process killed at the next time that this step is reached."""
    assert instance.process is not None
    pid = instance.process.pid if victim == "keystead" else instance.core_pid()
    prepared = path.with_suffix(".new")
    prepared.write_text(f"{step} {pid}")
    prepared.replace(path)


async def ask(instance: Keystead, method: str, path: str) -> httpx2.Response | None:
    """Return the answer, or nothing when it was cut off."""
    try:
        return await instance.http.request(method, path, json={"name": "struck"} if method == "POST" else None)
    except httpx2.HTTPError:
        return None


async def recover(instance: Keystead, strike: Path, victim: str) -> None:
    """See that the blow was struck, start what it killed, and have database and core agree in time."""
    async with asyncio.timeout(20.0):
        while strike.exists():
            await asyncio.sleep(0.01)
    if victim == "keystead":
        assert instance.process is not None
        await instance.process.wait()
        await instance.start()
    await instance.until_agreed(within_s=10.0)


def is_done(answer: httpx2.Response | None) -> bool:
    """Tell whether a caller was told that it is done; a refusal may be tried again."""
    assert answer is None or answer.status_code in {200, 503}, answer.text
    return answer is not None and answer.status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("victim", VICTIMS)
async def test_a_create_that_is_struck_is_whole_or_was_never_there(tmp_path: Path, victim: str) -> None:
    strike = tmp_path / "strike"
    async with keystead(tmp_path, PYTHONPATH=str(STRUCK), STRIKE=str(strike)) as instance:
        for step in STEPS:
            before = set(await instance.listed())
            arm(instance, strike, step, victim)

            answer = await ask(instance, "POST", "/api/keys")
            await recover(instance, strike, victim)

            made = set(await instance.listed()) - before
            if is_done(answer):
                assert answer is not None
                assert made == {answer.json()["key_id"]}, step
            elif answer is not None:
                assert made == set(), step
            assert len(made) <= 1
            for number in made:
                assert await instance.dial(number) is not None, step


@pytest.mark.slow
@pytest.mark.parametrize("victim", VICTIMS)
async def test_a_delete_that_is_struck_is_carried_through_once_it_was_committed(tmp_path: Path, victim: str) -> None:
    strike = tmp_path / "strike"
    async with keystead(tmp_path, PYTHONPATH=str(STRUCK), STRIKE=str(strike)) as instance:
        for step in STEPS:
            number = (await instance.create())["key_id"]
            profile = await instance.profile(number)
            await instance.until_agreed()
            arm(instance, strike, step, victim)

            answer = await ask(instance, "DELETE", f"/api/keys/{number}")
            await recover(instance, strike, victim)

            is_listed = number in await instance.listed()
            is_served = await xray.dial(profile, instance.world.origin, within_s=5.0) is not None
            assert is_listed == is_served, step
            assert not (is_listed and is_done(answer)), step
            assert is_listed == (step == "marked" and answer is None), step
