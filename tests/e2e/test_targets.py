"""Without a REALITY target that passes: what goes on, what is refused, and where it is said."""

from pathlib import Path

import httpx2

from keystead.keeper.ports import free_loopback_port
from tests.support.keystead import keystead


async def test_without_a_valid_target_it_serves_says_so_and_issues_nothing(tmp_path: Path) -> None:
    closed = f"127.0.0.1:{free_loopback_port()}"
    async with keystead(tmp_path, is_started=False, KEYSTEAD_REALITY_TARGET=closed) as instance:
        await instance.start()
        transport = httpx2.AsyncHTTPTransport(uds=str(instance.data_dir / "run" / "control.sock"))

        created = await instance.http.post("/api/keys", json={"name": "nobody"})
        listed = await instance.listed()
        service = await instance.http.get("/")
        health = (await instance.http.get("/health")).json()
        async with httpx2.AsyncClient(transport=transport, base_url="http://local") as operator:
            checks = {check["name"]: check for check in (await operator.get("/v1/doctor")).json()["checks"]}
        said = instance.log()

    assert created.status_code == 503
    assert created.json()["detail"].startswith("Failed to create key: REALITY target " + closed)
    assert int(created.headers["retry-after"]) >= 1
    assert (listed, service.status_code) == ({}, 200)
    assert health["status"] != "ok"
    assert closed not in str(health)
    assert checks["REALITY target"]["status"] == "fail"
    assert closed in checks["REALITY target"]["message"]
    assert "KEYSTEAD_REALITY_TARGET" in checks["REALITY target"]["next"]
    assert "no key can be issued" in said
    assert closed in said
