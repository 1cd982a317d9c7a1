"""Both wires of VPN bots on one port against one core: a bot of each, one that mixes them, and two kinds of clients."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from keystead.keeper.ports import free_loopback_port
from keystead.vpn.links import parse_link
from keystead.vpn.profiles import singbox
from tests.support import cores, xray
from tests.support.clients import running
from tests.support.keystead import Keystead, keystead
from tests.support.telegram import REDIRECT, TOKEN, telegram

BOT = Path(__file__).parent / "snippets" / "bot.py"
# What makes of the bot in the Bearer wire's document one that speaks the other wire as its own document says.
IN_THE_OTHER_WIRE = {
    '"Authorization": f"Bearer {API_KEY}"': '"X-API-Key": API_KEY',
    "['key_id']}/link": "['id']}/config",
    "json()['vless_link']": "json()['client_config']",
    "['key_id']": "['id']",
    "traffic['total']": "traffic['total_bytes']",
    "traffic['upload']": "0",
    "traffic['download']": "0",
}


def program(instance: Keystead, telegram_url: str, changes: dict[str, str]) -> str:
    text = BOT.read_text().replace("https://your-domain.com", instance.url)
    text = text.replace("your-secret-key-here", instance.token).replace("YOUR_BOT_TOKEN", TOKEN)
    for said, instead in changes.items():
        text = text.replace(said, instead)
    return REDIRECT.format(url=telegram_url) + text


@asynccontextmanager
async def bot(instance: Keystead, changes: dict[str, str]) -> AsyncIterator[Any]:
    """Run a bot, and yield what asks it as a person in Telegram would."""
    with telegram() as outside:

        async def say(text: str) -> str:
            outside.say(text)
            return (await asyncio.to_thread(outside.reply))["text"]

        process = await asyncio.create_subprocess_exec(sys.executable, "-c", program(instance, outside.url, changes))
        try:
            yield say
        finally:
            process.kill()
            await process.wait()


def link_in(reply: str) -> str:
    found = re.search(r"`(vless://\S+)`", reply)
    assert found is not None, reply
    return found[1]


def sing_box(link: str, port: int) -> dict[str, Any]:
    return {
        "log": {"disabled": True},
        "inbounds": [{"type": "socks", "listen": "127.0.0.1", "listen_port": port}],
        "outbounds": [singbox.outbound("tunnel", parse_link(link))],
    }


@pytest.mark.engine
async def test_two_bots_sell_side_by_side_and_each_sees_its_own_customers(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance:
        as_other = {"X-API-Key": instance.token, "Authorization": ""}
        async with bot(instance, {}) as say, bot(instance, IN_THE_OTHER_WIRE) as say_other:
            shared, own = link_in(await say("/create")), link_in(await say_other("/create"))
            port = free_loopback_port()
            async with running([cores.path_of(cores.SING_BOX), "run", "-c", "stdin"], sing_box(own, port), port):
                by_sing_box = await xray.get(port, instance.world.origin, 500_000)
                by_xray = await xray.dial(xray.linked(shared), instance.world.origin, 700_000)
            ours = (await instance.http.get("/api/keys")).json()["keys"]
            others = (await instance.http.get("/api/keys", headers=as_other)).json()
            traffic = await say(f"/traffic {ours[0]['key_id']}")
            traffic_of_other = await say_other(f"/traffic {others[0]['id']}")

        assert by_sing_box is not None
        assert by_xray is not None
        assert ([key["uuid"] for key in ours], [key["uuid"] for key in others]) == (
            [parse_link(shared).uuid],
            [parse_link(own).uuid],
        )
        assert re.search(r"Всего: 0\.6[78] MB", traffic)
        assert re.search(r"Всего: 0\.4[89] MB|Всего: 0\.50 MB", traffic_of_other)

        # A bot that mixes the wires reaches every key by its id, whichever issued it.
        deleted = await instance.http.delete(f"/api/keys/{others[0]['uuid']}")
        gone = await instance.http.delete(f"/api/keys/{ours[0]['uuid']}", headers=as_other)
        assert (deleted.status_code, gone.json()) == (200, {"message": "Key deleted successfully"})
        for link in (shared, own):
            assert await xray.dial(xray.linked(link), instance.world.origin, within_s=3.0) is None
