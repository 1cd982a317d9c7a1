"""Keys with a port of their own as their holders see them: dialled at the answer, kept through every restart."""

import asyncio
import signal
import socket
from pathlib import Path
from typing import Any

import httpx2

from keystead.kit.files import noted_directory
from tests.support import xray
from tests.support.clients import dial_many
from tests.support.keystead import Keystead, keystead, port_range

KEYS = "/v1/vpn/keys"
ENGINE = "/v1/engines/xray/main"


async def create(instance: Keystead, name: str | None = None) -> dict[str, Any]:
    answer = await instance.http.post(KEYS, json={"name": name, "placement": "own-port"})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_key_has_a_port_of_its_own_from_its_answer_to_its_deletion(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance:
        key = await create(instance, "anna")
        shared = await instance.create("bert")
        took_s = await instance.dial(key["id"], 1_000_000)
        profile = await instance.profile(key["id"])
        traffic = (await instance.http.get(f"{KEYS}/{key['id']}/traffic")).json()
        deleted = await instance.http.delete(f"{KEYS}/{key['id']}")

        assert took_s is not None
        assert (profile.port, profile.short_id) == (key["port"], key["short_id"])
        assert len(key["short_id"]) == 16
        assert 1_000_000 <= traffic["download"] <= 1_010_000
        assert deleted.status_code == 204
        assert not is_listening(key["port"])
        assert await instance.dial(shared["key_id"]) is not None


async def test_a_disabled_keys_port_is_closed_and_opened_again(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance:
        key = await create(instance)
        disabled = await instance.http.patch(f"{KEYS}/{key['id']}", json={"is_active": False})
        while_disabled = is_listening(key["port"])
        other = await create(instance)
        enabled = await instance.http.patch(f"{KEYS}/{key['id']}", json={"is_active": True})

        assert (disabled.status_code, enabled.status_code) == (200, 200)
        assert not while_disabled
        assert other["port"] != key["port"]
        assert await instance.dial(key["id"]) is not None


async def test_a_hundred_ports_are_handed_out_at_once_and_each_is_dialled_at_its_answer(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance:
        profiles: list[xray.Profile] = []

        async def create_and_dial() -> bool:
            profile = await instance.profile((await create(instance))["id"])
            profiles.append(profile)
            return (await dial_many([profile], instance.world.origin))[0]

        gate = asyncio.Semaphore(10)

        async def one() -> bool:
            async with gate:
                return await create_and_dial()

        served = await asyncio.gather(*(one() for _ in range(100)))
        full = await instance.http.post(KEYS, json={"placement": "own-port"})

        assert all(served)
        assert len({profile.port for profile in profiles}) == 100
        assert full.status_code == 409
        assert full.json()["detail"] == "Maximum number of keys (100) reached"
        await instance.until_agreed()


async def test_ports_survive_a_killed_core_a_killed_keystead_and_a_restart_of_the_engine(tmp_path: Path) -> None:
    async with keystead(tmp_path, is_detached=True) as instance:
        keys = [await create(instance) for _ in range(3)]
        gone = await create(instance)
        await instance.stop(signal.SIGKILL)
        xray.os.kill(instance.core_pid(), signal.SIGKILL)  # the keeper alone knows what was acknowledged
        async with asyncio.timeout(15):
            while not all(is_listening(key["port"]) for key in [*keys, gone]):
                await asyncio.sleep(0.1)
        await instance.start()
        await instance.ready()
        await instance.http.delete(f"{KEYS}/{gone['id']}")
        await instance.until_agreed()
        await replace_core(instance)

        profiles = [await instance.profile(key["id"]) for key in keys]
        assert await dial_many(profiles, instance.world.origin) == [True, True, True]
        assert not is_listening(gone["port"])


async def replace_core(instance: Keystead) -> None:
    transport = httpx2.AsyncHTTPTransport(uds=str(noted_directory(instance.data_dir / "run") / "control.sock"))
    async with httpx2.AsyncClient(transport=transport, base_url="http://local", timeout=30.0) as operator:
        planned = (await operator.post(f"{ENGINE}/replacement", json={"kind": "restart", "dry_run": True})).json()
        done = await operator.post(f"{ENGINE}/replacement", json={"kind": "restart", "digest": planned["digest"]})
    assert done.status_code == 200, done.text


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_a_reset_moves_keys_outside_the_range_while_their_downloads_go_on(tmp_path: Path) -> None:
    async with keystead(tmp_path, KEYSTEAD_VPN_PORT_GRACE_S="5") as instance:
        moving, shared = await create(instance), await instance.create()
        old = await instance.profile(moving["id"])
        await instance.stop()
        instance.environment["KEYSTEAD_VPN_PORTS"] = port_range(without=old.port)
        await instance.start()
        await instance.ready()
        staying = await create(instance)
        async with xray.client(old) as port:
            downloading = asyncio.create_task(xray.get(port, instance.world.origin, 200_000_000, within_s=60))
            await asyncio.sleep(0.2)
            done = (await instance.http.post("/v1/vpn/ports/reset")).json()
            new = await instance.profile(moving["id"])
            both = await dial_many([old, new], instance.world.origin)

            assert await downloading is not None
        again = (await instance.http.post("/v1/vpn/ports/reset")).json()

        assert done == {"kept": 1, "moved": [{"id": moving["id"], "number": moving["number"], "port": new.port}]}
        assert new == xray.replace(old, port=new.port)
        assert both == [True, True]
        assert again == {"kept": 2, "moved": []}
        assert await instance.dial(staying["id"]) is not None
        assert await instance.dial(shared["key_id"]) is not None


async def test_a_port_that_another_program_holds_is_replaced(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance:
        key = await create(instance)
        disabled = await instance.http.patch(f"{KEYS}/{key['id']}", json={"is_active": False})
        with socket.create_server(("127.0.0.1", key["port"])):
            refused = await instance.http.patch(f"{KEYS}/{key['id']}", json={"is_active": True})
            done = (await instance.http.post("/v1/vpn/ports/reset")).json()
            enabled = await instance.http.patch(f"{KEYS}/{key['id']}", json={"is_active": True})

            assert disabled.status_code == 200
            assert refused.status_code in {502, 503}, refused.text
            assert done["kept"] == 1, "a disabled key needs no port"
            assert enabled.status_code in {502, 503}
        assert (await instance.http.patch(f"{KEYS}/{key['id']}", json={"is_active": True})).status_code == 200
        assert await instance.dial(key["id"]) is not None
