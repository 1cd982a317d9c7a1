"""The vpnkeys wire with real clients: programs of the VPN, and the document's own requests as they stand."""

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from keystead.engines.xray.client import XrayClient
from keystead.engines.xray.state import LIVE_TAG_PREFIX
from tests.support import xray
from tests.support.keystead import Keystead, keystead

EXAMPLES = Path(__file__).parent / "snippets" / "vpnkeys.sh"


async def ask(instance: Keystead, method: str, path: str, **more: Any) -> Any:
    headers = {"X-API-Key": instance.token, "Authorization": ""}
    answer = await instance.http.request(method, path, headers=headers, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.engine
async def test_a_key_connects_at_its_200_counts_its_bytes_and_ends_with_its_deletion(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance:
        key = await ask(instance, "POST", "/api/keys", json={"name": "anna"})
        profile = xray.linked((await ask(instance, "GET", f"/api/keys/{key['uuid']}/config"))["vless_url"])
        took_s = await xray.dial(profile, instance.world.origin, 1_000_000)
        carried = await ask(instance, "GET", f"/api/keys/{key['id']}/traffic")
        await ask(instance, "POST", f"/api/keys/{key['uuid']}/traffic/reset")
        after = await ask(instance, "GET", f"/api/keys/{key['id']}/traffic")
        await xray.dial(profile, instance.world.origin, 1_000_000)
        again = await ask(instance, "GET", f"/api/keys/{key['id']}/traffic")
        synced = await ask(instance, "POST", "/api/system/xray/sync-config")
        deleted = await ask(instance, "DELETE", f"/api/keys/{key['uuid']}")

        assert took_s is not None
        assert (profile.port, profile.short_id, profile.server_name) == (key["port"], key["short_id"], key["sni"])
        assert 1_000_000 <= carried["total_bytes"] <= 1_020_000
        assert after["total_bytes"] == 0
        assert 1_000_000 <= again["total_bytes"] <= 1_020_000
        assert synced["short_id_sync"]["config_count"] == 1
        assert deleted == {"message": "Key deleted successfully"}
        assert await xray.dial(profile, instance.world.origin, within_s=3.0) is None


@pytest.mark.engine
async def test_a_key_that_somebody_took_out_of_the_core_is_seen_and_brought_back(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance:
        key = await ask(instance, "POST", "/api/keys", json={"name": "anna"})
        profile = xray.linked((await ask(instance, "GET", f"/api/keys/{key['id']}/config"))["client_config"])
        client = XrayClient.on_socket(instance.data_dir / "run" / "xray.sock", timeout_s=5.0)
        await client.remove_inbound(f"{LIVE_TAG_PREFIX}{key['port']}")
        await client.close()
        seen = (await ask(instance, "GET", "/api/system/xray/validate-sync"))["validation"]
        synced = await ask(instance, "POST", "/api/system/sync-config")

        assert (seen["synced"], seen["missing_in_config"], seen["config_uuids"]) == (False, [key["uuid"]], [])
        assert synced["validation"]["config_uuids"] == [key["uuid"]]
        assert await xray.dial(profile, instance.world.origin) is not None


@pytest.mark.engine
async def test_the_documents_examples_run_as_they_stand(tmp_path: Path) -> None:
    async with keystead(tmp_path, KEYSTEAD_TLS="self-signed") as instance:
        answers: dict[str, Any] = {}
        for title, command in re.findall(r"^### (.+)\n((?:.+\n)+)", EXAMPLES.read_text(), re.MULTILINE):
            made = answers.get("Создание ключа", {}).get("id", "")
            answers[title] = await run(instance, command.replace("{key_id}", made), tmp_path)

    key = answers["Создание ключа"]
    assert list(key) == ["id", "name", "uuid", "created_at", "is_active", "port", "short_id", "sni"]
    assert answers["Получение списка ключей"] == [key]
    assert answers["Получение конфигурации ключа"]["key"] == key
    assert answers["Получение накопительного трафика ключа"]["key_uuid"] == key["uuid"]
    assert answers["Обнуление трафика ключа"]["message"] == "Traffic reset successfully"
    assert answers["Удаление ключа"] == {"message": "Key deleted successfully"}
    assert answers["Синхронизация конфигурации"]["status"] == "synced"
    assert answers["Статус портов"]["used_ports"] == 0


async def run(instance: Keystead, command: str, directory: Path) -> Any:
    """Run a request with address and key filled in; the certificate is self-signed, as ``-k`` is to say."""
    (directory / ".curlrc").write_text("insecure\nsilent\n")
    filled = command.replace("https://SERVER_ADDRESS:8000", instance.url).replace("your-api-key", instance.token)
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", filled, env=environment | {"CURL_HOME": str(directory)}, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, command
    return json.loads(output)
