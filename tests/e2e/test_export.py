"""A seller moves to another instance with one document: links and subscriptions go on, and what was sold with them."""

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyrage

from keystead import taking_over
from keystead.importing import sources
from keystead.importing.found import Source
from keystead.importing.planvalue import ImportPlan
from keystead.keeper.ports import free_loopback_port
from keystead.kit.age import Unlock
from keystead.kit.secret import Secret
from keystead.settings import Settings
from keystead.taking_over import Answers
from tests.support import founded, xray
from tests.support.keystead import Keystead, fresh_database, keystead

KEYS = "/v1/vpn/keys"
GIB = 1 << 30


async def command(instance: Keystead, *arguments: object) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "keystead", *map(str, arguments)],
        env=instance.environment,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=instance.data_dir.parent,
    )


async def sell(instance: Keystead) -> list[dict[str, Any]]:
    """Issue a key with terms on the shared port and one on a port of its own; the first has used something."""
    await instance.http.post("/v1/vpn/plans", json={"name": "gold", "quota_bytes": 5 * GIB})
    made = [
        (await instance.http.post(KEYS, json=wanted)).json()
        for wanted in (
            {"name": "anna", "terms": {"quota_bytes": 3 * GIB, "reset": "month"}},
            {"name": "bert", "placement": "own-port"},
        )
    ]
    anna = made[0]["id"]
    topped_up = await instance.http.post(f"{KEYS}/{anna}/top-up", json={"bytes": GIB})
    assert topped_up.status_code == 200, topped_up.text
    assert await instance.dial(made[0]["number"], 1_000_000) is not None
    return made


def planned_again(chosen: Settings, file: Path, identity: Path) -> ImportPlan:
    """Look at the plan once more where it was applied."""
    beside = sources.Beside(unlock=Unlock(identity=Secret(identity.read_text())))
    found = sources.read(Source.KEYSTEAD, [file], beside, now=datetime.now(UTC))
    return taking_over.plan(chosen, found, Answers())


def fresh(directory: Path, url: str) -> dict[str, str]:
    """Return the settings of another instance, whose own inbound is at another port."""
    return {
        "KEYSTEAD_DATA_DIR": str(directory / "data"),
        "KEYSTEAD_DATABASE_URL": url,
        "KEYSTEAD_VPN_PORT": str(free_loopback_port()),
    }


def moved(instance: Keystead, settings: dict[str, str]) -> None:
    """Let the same world be served from another instance."""
    instance.environment |= settings
    instance.data_dir, instance.database_url = Path(settings["KEYSTEAD_DATA_DIR"]), settings["KEYSTEAD_DATABASE_URL"]


async def test_old_links_and_subscriptions_go_on_in_an_instance_that_imports_the_export(tmp_path: Path) -> None:
    identity, mine, file = pyrage.x25519.Identity.generate(), tmp_path / "mine", tmp_path / "all.json"
    mine.write_text(str(identity))
    source = ("keystead", file, "--identity", mine)
    (tmp_path / "fresh").mkdir()
    with fresh_database(tmp_path / "fresh") as url:
        async with keystead(tmp_path, is_detached=True) as instance:
            sold = await sell(instance)
            links = [await instance.profile(key["number"]) for key in sold]
            subscription = (await instance.http.get(f"{KEYS}/{sold[0]['id']}/subscription")).json()["url"]
            served = (await instance.http.get(subscription)).content
            await instance.stop()
            ended = await command(instance, "engine", "stop")

            made = await command(instance, "export", file, "--with-secrets", "--recipient", identity.to_public())
            settings = fresh(tmp_path / "fresh", url)
            moved(instance, settings)
            chosen = await founded.found_by(instance.environment)
            planned = await command(instance, "import", *source, "--json")
            digest = json.loads(planned.stdout)["digest"]
            applied = await command(instance, "import", *source, "--approve", digest)
            again = await asyncio.to_thread(planned_again, chosen, file, mine)
            await instance.start()
            await instance.ready()

            assert ended.returncode == made.returncode == 0, ended.stderr + made.stderr
            assert file.stat().st_mode & 0o777 == 0o600
            assert applied.returncode == 0, applied.stderr
            assert (again.is_empty, again.counts["there"], again.notes) == (True, 2, ())
            assert None not in [await xray.dial(link, instance.world.origin) for link in links]
            assert (await instance.http.get(subscription)).content == served
            await check_terms(instance, sold)


async def check_terms(instance: Keystead, sold: list[dict[str, Any]]) -> None:
    """The key has its number, its quota, its top-up and what it carried; the plan is there."""
    anna, bert = [(await instance.http.get(f"{KEYS}/{key['id']}")).json() for key in sold]
    terms = anna["terms"]
    billed = (await instance.http.get(f"{KEYS}/{anna['id']}/traffic")).json()["billed"]["download"]
    assert [key["number"] for key in (anna, bert)] == [key["number"] for key in sold]
    assert bert["port"] == sold[1]["port"]
    assert (terms["quota_bytes"], terms["topped_up_bytes"], terms["reset"]) == (3 * GIB, GIB, "month")
    assert 1_000_000 <= billed < 3_000_000
    assert (await instance.http.get("/v1/vpn/plans/gold")).json()["quota_bytes"] == 5 * GIB
