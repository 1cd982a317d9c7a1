"""The thinnest path through every layer: request, verb, database, engine, real client."""

from pathlib import Path

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
        from tests.support import xray

        assert await xray.dial(profile, instance.world.origin, within_s=3.0) is None
