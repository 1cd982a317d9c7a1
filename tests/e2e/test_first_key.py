"""The thinnest path through every layer: request, verb, database, engine, real client."""

from pathlib import Path

from tests.support import xray
from tests.support.keystead import keystead


async def test_a_key_connects_at_its_200_counts_its_bytes_and_ends_with_its_deletion(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance:
        key = await instance.create("anna")
        profile = await instance.profile(key["key_id"])

        took_s = await instance.dial(key["key_id"], 1_000_000)
        traffic = (await instance.http.get(f"/api/keys/{key['key_id']}/traffic")).json()
        deleted = await instance.http.delete(f"/api/keys/{key['key_id']}")

        assert took_s is not None
        assert 1_000_000 <= traffic["download"] <= 1_010_000
        assert traffic["total"] == traffic["upload"] + traffic["download"]
        assert deleted.json() == {"success": True, "message": f"Key {key['key_id']} deleted successfully"}
        assert await xray.dial(profile, instance.world.origin, within_s=3.0) is None


async def test_the_file_beside_the_process_sets_the_secret_and_the_short_id_of_every_link(tmp_path: Path) -> None:
    secret = "your-api-secret-key-minimum-32-characters-long"
    (tmp_path / ".env").write_text(f"API_SECRET_KEY={secret}\nREALITY_COMMON_SHORT_ID=0badc0de\n")
    async with keystead(tmp_path) as instance:
        instance.http.headers["authorization"] = f"Bearer {secret}"
        keys = [await instance.create(name) for name in ("anna", "boris")]

        profiles = [await instance.profile(key["key_id"]) for key in keys]
        served = [await xray.dial(profile, instance.world.origin) for profile in profiles]
        tokens = await instance.http.get("/v1/tokens")

        assert [key["short_id"] for key in keys] == [profile.short_id for profile in profiles] == ["0badc0de"] * 2
        assert None not in served
        assert tokens.status_code == 403
