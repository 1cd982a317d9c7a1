"""What the OpenAPI documents of wires are held to: read by people here, and by a machine that makes requests up."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from tests.contract.wires import Wire

EXAMPLES = 20
WITHIN_S = 180.0

# The machine makes up names of plans, which no account has, and more keys than there are ports.
_MADE_UP = """
[[operations]]
include-name = "POST /api/keys"

[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "400", "401", "403", "404", "409", "429", "5xx"]
"""


async def document(wire: Wire, prefix: str = "") -> dict[str, Any]:
    """Return the document at a prefix, which everybody may read."""
    answer = await wire.anonymous.get(f"{prefix}/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def operations(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return every operation by method and path."""
    return {f"{method} {path}": made for path, methods in found["paths"].items() for method, made in methods.items()}


async def try_everything(wire: Wire, credential: str, directory: Path, prefix: str = "") -> tuple[int | None, str]:
    """Let a machine that reads the document make requests up; return its exit code, 0 when all is as documented.

    ``ignored_auth`` is left out: it presents wrong credentials until it is told to wait (429), which the transcripts of
    credentials show on purpose. So is ``ensure_resource_availability``: it does not see that a key deleted by one of
    its names is the one it created.
    """
    (directory / "schemathesis.toml").write_text(_MADE_UP)
    run = await asyncio.create_subprocess_exec(
        Path(sys.executable).parent / "schemathesis",
        "run",
        f"{wire.instance.url}{prefix}/openapi.json",
        f"--header={credential}",
        f"--max-examples={EXAMPLES}",
        "--generation-with-security-parameters=false",
        "--generation-deterministic",
        "--exclude-checks=ignored_auth,ensure_resource_availability",
        "--no-color",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=directory,
        env={name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
    )
    try:
        async with asyncio.timeout(WITHIN_S):
            output, _ = await run.communicate()
    finally:
        if run.returncode is None:
            run.kill()
            await run.wait()
    return run.returncode, output.decode()[-8000:]
