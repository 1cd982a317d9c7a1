"""The documented limits a minute, held by an instance as it is without any setting."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from tests.support import tokens
from tests.support.keystead import Keystead, keystead

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def instance(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Keystead]:
    async with keystead(tmp_path_factory.mktemp("limits")) as made:
        yield made


async def caller(instance: Keystead, name: str) -> httpx2.AsyncClient:
    """Return a client with a token of its own, which nothing was counted for yet."""
    secret = await tokens.issue(instance, name)
    return httpx2.AsyncClient(base_url=instance.url, headers={"X-API-Key": secret}, timeout=30.0)


@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [
        ("POST", "/api/keys", 5),
        ("GET", "/api/keys", 30),
        ("GET", "/api/keys/1", 60),
        ("DELETE", "/api/keys/999", 10),
        ("POST", "/api/system/sync-config", 3),
    ],
)
async def test_a_request_beyond_the_limit_is_429(instance: Keystead, method: str, path: str, limit: int) -> None:
    async with await caller(instance, f"{method} {path}") as http:
        within = [(await http.request(method, path, json={"name": "n"})).status_code for _ in range(limit)]
        beyond = await http.request(method, path, json={"name": "n"})

    text = f"Rate limit exceeded: {limit} per 1 minute"
    assert 429 not in within
    assert (beyond.status_code, beyond.json()) == (429, {"error": text, "detail": text})
    assert 0 < int(beyond.headers["retry-after"]) <= 60


async def test_one_token_s_requests_do_not_count_for_another(instance: Keystead) -> None:
    async with await caller(instance, "one") as one, await caller(instance, "two") as two:
        for _ in range(4):
            await one.post("/api/system/sync-config")
        answer = await two.post("/api/system/sync-config")

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/system/ports"),
        ("GET", "/api/keys/999/config"),
        ("GET", "/api/keys/999/traffic"),
        ("POST", "/api/system/xray/sync-config"),
    ],
)
async def test_what_has_no_documented_limit_has_none(instance: Keystead, method: str, path: str) -> None:
    async with await caller(instance, f"free {path}") as http:
        told = {(await http.request(method, path)).status_code for _ in range(61)}

    assert 429 not in told


async def test_bad_bodies_and_wrong_tokens_do_not_count(instance: Keystead) -> None:
    async with await caller(instance, "careless") as http:
        bad = {(await http.post("/api/keys", json={})).status_code for _ in range(8)}
        good = await http.post("/api/keys", json={"name": "n"})

    assert (bad, good.status_code) == ({400}, 200)


async def test_a_token_of_the_command_line_without_limits_is_held_to_none(instance: Keystead) -> None:
    outcome = await cli(instance, "token", "create", "mass", "--no-rate-limits", "--json")
    secret = json.loads(outcome)["secret"]

    async with httpx2.AsyncClient(base_url=instance.url, headers={"X-API-Key": secret}, timeout=30.0) as http:
        told = {(await http.post("/api/keys", json={"name": "n"})).status_code for _ in range(12)}

    assert told == {200}


async def cli(instance: Keystead, *arguments: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "keystead", *arguments),
        env=instance.environment,
        cwd=instance.data_dir.parent,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, output
    return output
