"""Google Analytics."""

from pathlib import Path
from typing import Any

from keystead.access.permissions import Permission
from keystead.db.session import Database
from tests.support.instance import in_process
from tests.support.standins.google_analytics import (
    CLIENT_ID,
    CLIENT_SECRET,
    EMAIL,
    REFRESH_TOKEN,
    SUBJECT,
    GoogleAnalytics,
    exhausted,
    uploaded,
)
from tests.support.standins.server import serving

PATH = "/v1/providers/google_analytics/credentials"


async def test_properties_reports_and_realtime_are_read(database: Database, tmp_path: Path) -> None:
    google = GoogleAnalytics()
    shop = google.add(7, "Shop")
    shop.days, shop.now = {"2026-11-01": (5, 2, 9, 30)}, 42
    with serving(google):
        async with in_process(database, tmp_path, **google.settings()) as instance:
            made = await instance.operator.post(PATH, json={"secret": {"service_account": uploaded()}})
            path = f"{PATH}/{made.json()['id']}/properties"

            async def get(what: str) -> Any:
                return await instance.operator.get(f"{path}{what}")

            properties = (await get("")).json()["items"]
            days = (await get("/7/report?first=2026-11-01&last=2026-11-02")).json()["items"]
            usual = (await get("/7/report")).json()["items"]
            now = (await get("/7/realtime")).json()
            reversed_days = await get("/7/report?first=2026-11-02&last=2026-11-01")
            denied = await get("/8/realtime")
            google.refusal = exhausted()
            spent = await get("/7/realtime")
            reader = await instance.caller(Permission.VAULT_READ)
            forbidden = await reader.get(path)

    assert (made.status_code, made.json()["external_id"], made.json()["account"]) == (201, EMAIL, {"properties": 1})
    assert properties == [{"id": "7", "name": "Shop", "kind": "ordinary", "account": "Example"}]
    assert days == [
        {"day": "2026-11-01", "active_users": 5, "new_users": 2, "sessions": 9, "views": 30},
        {"day": "2026-11-02", "active_users": 0, "new_users": 0, "sessions": 0, "views": 0},
    ]
    assert (len(usual), now) == (28, {"active_users": 42, "minutes": 30})
    assert [one.status_code for one in (reversed_days, denied, spent, forbidden)] == [422, 502, 503, 403]
    assert reversed_days.json()["errors"][0]["field"] == "date2"
    assert "sufficient permissions" in denied.json()["detail"]
    assert "Exhausted property tokens" in spent.json()["detail"]
    assert "PRIVATE KEY" not in made.text


async def test_each_way_of_connecting_is_taken(database: Database, tmp_path: Path) -> None:
    google = GoogleAnalytics()
    refreshing = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "refresh_token": REFRESH_TOKEN}
    with serving(google):
        async with in_process(database, tmp_path, **google.settings()) as instance:
            person = await instance.operator.post(PATH, json={"secret": refreshing})
            google.identity = {}
            alone = await instance.operator.post(PATH, json={"secret": {"access_token": google.grant(SUBJECT)}})
            lacking = await instance.operator.post(PATH, json={"secret": {"client_id": CLIENT_ID}})

    assert (person.json()["external_id"], person.json()["expires_at"]) == (SUBJECT, None)
    assert alone.json()["external_id"].startswith("key:")
    assert alone.json()["expires_at"] is not None
    assert lacking.json()["errors"] == [{"field": "refresh_token", "message": "it is missing"}]
