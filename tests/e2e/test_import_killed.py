"""An import that is killed is run again, and ends as if it had not been: nothing is lost, nothing is there twice."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, func, select

from keystead.access.models import AUDIT_RECORDS
from keystead.keeper.ports import free_loopback_port
from keystead.vpn.models import INBOUNDS, KEYS, SECOND_PAIRS, TERMS, TRAFFIC
from tests.support import founded
from tests.support.dying import STEPS
from tests.support.keystead import fresh_database
from tests.support.panels import parts
from tests.support.panels.remnawave import Remnawave

CUSTOMERS = 200
ROOT = Path(__file__).parents[2]


def run(module: str, environment: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, cwd=ROOT, check=False)


def panel(our_port: int) -> Remnawave:
    """Return a panel with two inbounds; one has our port, so that its key pair is served beside ours."""
    made = Remnawave()
    made.profile("main", parts.inbound("PLAIN", 443), parts.inbound("BESIDE", our_port, number=1))
    for inbound in ("PLAIN", "BESIDE"):
        made.squad(inbound, inbound)
    for number in range(1, CUSTOMERS + 1):
        made.user(f"user {number}", number, "BESIDE" if number % 2 else "PLAIN")
    return made


def environment_of(directory: Path, url: str) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("KEYSTEAD_")},
        "KEYSTEAD_DATA_DIR": str(directory / "data"),
        "KEYSTEAD_DATABASE_URL": url,
        "KEYSTEAD_VPN_PORT": str(free_loopback_port()),
        "KEYSTEAD_PUBLIC_HOST": "vpn.test",
        "KEYSTEAD_REALITY_TARGET": "127.0.0.1:9",
    }


def counted(url: str) -> dict[str, int]:
    """Count what an import writes."""
    engine = create_engine(url)
    of_import = select(func.count()).where(AUDIT_RECORDS.c.verb.in_(["vpn.key.import", "vpn.import"]))
    try:
        with engine.connect() as connection:
            tables: tuple[Any, ...] = (INBOUNDS, SECOND_PAIRS, KEYS, TRAFFIC, TERMS)
            rows = {table.name: connection.execute(select(func.count()).select_from(table)) for table in tables}
            return {name: row.scalar_one() for name, row in rows.items()} | {
                "audit": connection.execute(of_import).scalar_one()
            }
    finally:
        engine.dispose()


async def test_wherever_an_import_was_killed_the_next_run_completes_it(tmp_path: Path) -> None:
    with fresh_database(tmp_path) as url:
        environment = environment_of(tmp_path, url)
        files = panel(int(environment["KEYSTEAD_VPN_PORT"])).write(tmp_path)
        await founded.found_by(environment)
        source = ("import", "remnawave", *files)
        digest = json.loads(run("keystead", environment, *source, "--json").stdout)["digest"]
        of_keys = dict.fromkeys(("vpn_keys", "vpn_traffic", "vpn_terms"), CUSTOMERS)
        whole = {"vpn_inbounds": 2, "vpn_second_pairs": 1, **of_keys, "audit": CUSTOMERS + 1}
        nothing = dict.fromkeys(whole, 0) | {"vpn_inbounds": 1}

        deaths, left = [], []
        for step in STEPS:
            dying = ("tests.support.dying", environment, step, *source, "--approve", digest)
            deaths.append((await asyncio.to_thread(run, *dying)).returncode)
            left.append(counted(url))
        again = await asyncio.to_thread(run, "keystead", environment, *source, "--approve", digest, "--json")

        assert deaths == [-signal.SIGKILL] * len(STEPS)
        assert left == [nothing] * (len(STEPS) - 1) + [whole]
        assert json.loads(again.stdout)["counts"]["there"] == CUSTOMERS, again.stderr
        assert set(json.loads(again.stdout)["taken"].values()) == {0}
        assert counted(url) == whole
