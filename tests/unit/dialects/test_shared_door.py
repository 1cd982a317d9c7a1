"""Two dialects at one door: the credential chooses. And each of them with a door to itself."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from keystead.access.permissions import ALL_PERMISSIONS
from keystead.db.session import Database
from keystead.dialects.veil.app import create_app as veil_app
from keystead.dialects.vpnkeys.app import create_app as vpnkeys_app
from keystead.http import overlaps
from keystead.http.doors import Door, Mount
from keystead.http.metrics import Metrics
from keystead.kit.ids import RandomIds
from keystead.mounts import Mounts
from keystead.settings.places import EVERYTHING, Place
from tests.support.instance import InProcess, client, in_process

VEIL = {"keys": [], "total": 0}
BOTH = "present either"
NO_KEY = {"detail": "Invalid API key. Use X-API-Key header with the correct key."}


@pytest.fixture
async def instance(database: Database, tmp_path: Path) -> AsyncIterator[InProcess]:
    async with in_process(database, tmp_path) as made:
        yield made


async def secret_of(instance: InProcess) -> str:
    return (await instance.token(*ALL_PERMISSIONS)).secret.reveal()


def alone(mount: Mount) -> httpx2.AsyncClient:
    return client(Door([mount], ids=RandomIds(), metrics=Metrics(), trusted=()))


async def test_the_header_chooses_the_dialect(instance: InProcess) -> None:
    secret, http = await secret_of(instance), instance.stranger()

    bearer = await http.get("/api/keys", headers={"Authorization": f"Bearer {secret}"})
    key = await http.get("/api/keys", headers={"X-API-Key": secret})
    both = await http.get("/api/keys", headers={"X-API-Key": secret, "Authorization": f"Bearer {secret}"})
    none = await http.get("/api/keys")

    assert (bearer.status_code, bearer.json()) == (200, VEIL)
    assert (key.status_code, key.json()) == (200, [])
    assert (both.status_code, both.json()["detail"].startswith(BOTH)) == (400, True)
    assert (none.status_code, none.json()) == (401, {"detail": "Not authenticated"})


async def test_an_empty_header_is_none(instance: InProcess) -> None:
    http = instance.stranger()

    answer = await http.get("/api/keys", headers={"X-API-Key": " "})

    assert (answer.status_code, answer.json()) == (401, {"detail": "Not authenticated"})


@pytest.mark.parametrize("path", ["/api/system/ports", "/api/system/ports/", "/api/system/config-status"])
async def test_below_system_either_header_works(instance: InProcess, path: str) -> None:
    secret, http = await secret_of(instance), instance.stranger()

    bearer = await http.get(path, headers={"Authorization": f"Bearer {secret}"})
    key = await http.get(path, headers={"X-API-Key": secret})
    both = await http.get(path, headers={"X-API-Key": secret, "Authorization": f"Bearer {secret}"})
    none = await http.get(path)

    assert [answer.status_code for answer in (bearer, key, both, none)] == [200, 200, 400, 401]
    assert bearer.json().keys() == key.json().keys()
    assert none.json() == NO_KEY


async def test_a_synchronisation_satisfies_the_readers_of_both(instance: InProcess) -> None:
    secret, http = await secret_of(instance), instance.stranger()

    bearer = await http.post("/api/system/xray/sync-config", headers={"Authorization": f"Bearer {secret}"})
    none = await http.post("/api/system/xray/sync-config")

    assert bearer.json()["message"] == "Xray configuration synchronized successfully"
    assert list(bearer.json()) == ["message", "status", "short_id_sync", "timestamp"]
    assert (none.status_code, none.json()) == (401, {"detail": "Not authenticated"})


@pytest.mark.parametrize("path", ["/", "/api", "/api/", "/health"])
async def test_open_paths_are_answered_alike_whatever_is_presented(instance: InProcess, path: str) -> None:
    secret, http = await secret_of(instance), instance.stranger()

    told = [
        (await http.get(path, headers=headers)).json()
        for headers in ({}, {"X-API-Key": secret}, {"Authorization": f"Bearer {secret}"})
    ]

    assert told[0] == told[1] == told[2]
    assert (told[0]["status"], told[0]["service"]) == ("ok", "veil-xray-api")


async def test_paths_that_only_one_dialect_has_are_unknown_in_the_other(instance: InProcess) -> None:
    secret, http = await secret_of(instance), instance.stranger()

    answer = await http.post("/api/traffic/sync", headers={"X-API-Key": secret})

    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


async def test_each_page_of_documentation_leads_to_those_of_the_others(instance: InProcess) -> None:
    http = instance.stranger()

    pages = [await http.get(path) for path in ("/docs", "/vpnkeys/docs", "/v1/docs")]

    for page in pages:
        assert all(f'href="{path}"' in page.text for path in ("/docs", "/vpnkeys/docs", "/v1/docs"))
    titles = [(await http.get(f"{at}/openapi.json")).json()["info"]["title"] for at in ("", "/vpnkeys", "/v1")]
    assert titles == ["Veil Xray API", "VPN Key Management API", "Keystead API"]


async def test_requests_are_counted_for_the_dialect_that_answered(instance: InProcess) -> None:
    secret, http = await secret_of(instance), instance.stranger()
    for headers in ({"X-API-Key": secret}, {"Authorization": f"Bearer {secret}"}):
        await http.get("/api/keys", headers=headers)

    told = (await http.get("/metrics", headers={"Authorization": f"Bearer {secret}"})).text

    assert 'dialect="vpnkeys"' in told
    assert 'dialect="veil"' in told


@pytest.mark.parametrize("header", ["X-API-Key", "Authorization"])
async def test_vpnkeys_alone_takes_either_header(instance: InProcess, header: str) -> None:
    secret = await secret_of(instance)
    http = alone(Mount("", "vpnkeys", vpnkeys_app(Mounts(instance.parts).vpnkeys())))

    answer = await http.get("/api/keys", headers={header: secret if header == "X-API-Key" else f"Bearer {secret}"})

    assert (answer.status_code, answer.json()) == (200, [])


@pytest.mark.parametrize("header", ["X-API-Key", "Authorization"])
async def test_veil_alone_takes_either_header(instance: InProcess, header: str) -> None:
    secret = await secret_of(instance)
    http = alone(Mount("", "veil", veil_app(Mounts(instance.parts).veil())))

    answer = await http.get("/api/keys", headers={header: secret if header == "X-API-Key" else f"Bearer {secret}"})

    assert (answer.status_code, answer.json()) == (200, VEIL)


@pytest.mark.parametrize("path", ["/", "/api", "/api/"])
async def test_vpnkeys_alone_says_its_version_and_that_it_runs(instance: InProcess, path: str) -> None:
    http = alone(Mount("", "vpnkeys", vpnkeys_app(Mounts(instance.parts).vpnkeys())))

    answer = await http.get(path)

    assert answer.json() == {"message": "VPN Key Management API", "version": "2.3.4", "status": "running"}


async def test_vpnkeys_alone_tells_the_real_state_of_engine_storage_and_machine(instance: InProcess) -> None:
    http = alone(Mount("", "vpnkeys", vpnkeys_app(Mounts(instance.parts).vpnkeys())))

    well = (await http.get("/health")).json()
    instance.engine.is_down = True
    other = alone(Mount("", "vpnkeys", vpnkeys_app(Mounts(instance.parts).vpnkeys())))
    ill = await other.get("/health")

    assert (well["status"], well["services"]["xray"], well["services"]["storage"]) == ("healthy", "running", "running")
    assert 0 < well["resources"]["memory_usage_percent"] < 100
    assert well["resources"]["disk_free_gb"] > 0
    assert (ill.status_code, ill.json()["status"], ill.json()["services"]["xray"]) == (200, "unhealthy", "down")


async def test_requests_a_minute_are_counted_over_all_doors(instance: InProcess) -> None:
    mounts, secret = Mounts(instance.parts), await secret_of(instance)
    doors = {
        f"{base}/api/keys": client(
            Door(mounts.at([Place("vpnkeys", base)]), ids=RandomIds(), metrics=Metrics(), trusted=())
        )
        for base in ("", "/bots")
    }

    answers = [
        await http.post(path, headers={"X-API-Key": secret}, json={"name": "x"})
        for _ in range(3)
        for path, http in doors.items()
    ]
    statuses = [answer.status_code for answer in answers]

    assert statuses == [200] * 5 + [429]


async def test_the_key_that_a_rotation_left_is_known_at_every_door(instance: InProcess) -> None:
    mounts, headers = Mounts(instance.parts), {"Authorization": f"Bearer {await secret_of(instance)}"}
    doors = {
        f"{base}/v1/secrets/rotate": client(
            Door(mounts.at([Place("v1", base)]), ids=RandomIds(), metrics=Metrics(), trusted=())
        )
        for base in ("/one", "/two")
    }

    answers = [await http.post(path, headers=headers) for path, http in doors.items()]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json()["root_key"] != answers[1].json()["root_key"]


async def test_a_path_that_no_dialect_has_is_not_found(instance: InProcess) -> None:
    mounts = Mounts(instance.parts).at([Place("veil", "/veil")])
    http = client(Door(mounts, ids=RandomIds(), metrics=Metrics(), trusted=()))

    answers = [await http.get(path) for path in ("/", "/api/keys", "/veils", "/veil/")]

    assert [answer.status_code for answer in answers] == [404, 404, 404, 200]


def test_no_two_dialects_would_have_a_path_of_the_usual_door(instance: InProcess) -> None:
    # Named in another order they are made at once, and tell their routes.
    mounts = Mounts(instance.parts).at(EVERYTHING[::-1])

    assert all(mount.routes for mount in mounts if mount.dialect in ("v1", "auth", "integrations"))
    overlaps.require_none(mounts)
