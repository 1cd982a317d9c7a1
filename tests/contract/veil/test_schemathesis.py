"""What a machine that reads the OpenAPI document makes up: no 500, no status, body or header that is not documented.

``ignored_auth`` is left out: it presents wrong credentials until it is told to wait (429), which the transcripts of
credentials show on purpose.
"""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.contract.veil.conftest import Wire

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

EXAMPLES = 20
WITHIN_S = 180.0


async def test_nothing_undocumented_is_answered(wire: Wire, tmp_path: Path) -> None:
    run = await asyncio.create_subprocess_exec(
        Path(sys.executable).parent / "schemathesis",
        "run",
        f"{wire.instance.url}/openapi.json",
        f"--header=Authorization: Bearer {wire.known['token']}",
        f"--max-examples={EXAMPLES}",
        "--generation-with-security-parameters=false",
        "--generation-deterministic",
        "--exclude-checks=ignored_auth",
        "--no-color",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
    )
    try:
        async with asyncio.timeout(WITHIN_S):
            output, _ = await run.communicate()
    finally:
        if run.returncode is None:
            run.kill()
            await run.wait()

    assert run.returncode == 0, output.decode()[-8000:]
