"""A backup is worth what its restoration is worth: an old link connects to the restored instance."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pyrage

from tests.support import xray
from tests.support.keystead import Keystead, keystead

PASSPHRASE = "correct horse battery staple"


async def command(instance: Keystead, *arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "keystead", *map(str, arguments)],
        env=instance.environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=instance.data_dir.parent,
    )


async def moved(instance: Keystead, fresh: Path) -> None:
    """Stop the instance and let the same world be served from another directory."""
    token = instance.token
    await instance.stop()
    instance.environment["KEYSTEAD_DATA_DIR"] = str(fresh)
    instance.data_dir = fresh
    (fresh / "first-token").write_text(token)
    await instance.start()
    await instance.ready()


async def test_an_old_link_connects_to_what_was_restored(tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    async with keystead(tmp_path) as instance:
        kept, revoked = await instance.create("kept"), await instance.create("revoked")
        await instance.http.delete(f"/api/keys/{revoked['key_id']}")
        old_link = await instance.profile(kept["key_id"])

        made = await command(instance, "backup", tmp_path / "all.age", stdin=f"{PASSPHRASE}\n")
        late = await instance.create("after the backup")
        restored = await command(
            instance, "--data-dir", fresh, "restore", tmp_path / "all.age", stdin=f"{PASSPHRASE}\n"
        )
        await moved(instance, fresh)

        assert (made.returncode, restored.returncode) == (0, 0), made.stderr + restored.stderr
        assert await xray.dial(old_link, instance.world.origin, within_s=15.0) is not None
        assert (await instance.http.get(f"/api/keys/{late['key_id']}")).status_code == 404
        assert (await instance.create("next"))["key_id"] > revoked["key_id"]
        verified = await command(instance, "audit", "verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr


async def test_a_recipient_opens_it_and_nobody_else(tmp_path: Path) -> None:
    identity, stranger = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    for name, owner in (("identity", identity), ("stranger", stranger)):
        (tmp_path / name).write_text(f"# a comment\n{owner}\n")
    async with keystead(tmp_path) as instance:
        await instance.create("anna")

        made = await command(instance, "backup", tmp_path / "all.age", "--recipient", identity.to_public(), "--json")
        refused = await command(
            instance, "--data-dir", tmp_path / "a", "restore", tmp_path / "all.age", "--identity", tmp_path / "stranger"
        )
        restored = await command(
            instance, "--data-dir", tmp_path / "b", "restore", tmp_path / "all.age", "--identity", tmp_path / "identity"
        )

    assert made.returncode == 0, made.stderr
    assert (refused.returncode, (tmp_path / "a").exists()) == (1, False)
    assert restored.returncode == 0, restored.stderr
    assert (tmp_path / "b/root.key").stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE" not in (tmp_path / "all.age").read_bytes()
