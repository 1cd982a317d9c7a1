"""A backup is worth what its restoration is worth: an old link connects to the restored instance."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyrage

from tests.support import xray
from tests.support.keystead import Keystead, fresh_database, keystead

PASSPHRASE = "correct horse battery staple"


@dataclass(frozen=True)
class Fresh:
    """A data directory that is not there yet, and an empty database."""

    data_dir: Path
    url: str

    @property
    def settings(self) -> dict[str, str]:
        return {"KEYSTEAD_DATA_DIR": str(self.data_dir), "KEYSTEAD_DATABASE_URL": self.url}


@contextmanager
def fresh_place(directory: Path) -> Iterator[Fresh]:
    directory.mkdir()
    with fresh_database(directory) as url:
        yield Fresh(directory / "data", url)


async def command(
    instance: Keystead, *arguments: object, into: Fresh | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command with the instance's settings, or into a fresh place; the passphrase is piped in."""
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "keystead", *map(str, arguments)],
        env=instance.environment | (into.settings if into else {}),
        input=f"{PASSPHRASE}\n",
        capture_output=True,
        text=True,
        timeout=120,
        cwd=instance.data_dir.parent,
    )


async def move(instance: Keystead, fresh: Fresh) -> None:
    """Stop the instance and let the same world be served from a restored one."""
    token = instance.token
    await instance.stop()
    instance.environment |= fresh.settings
    instance.data_dir, instance.database_url = fresh.data_dir, fresh.url
    (fresh.data_dir / "first-token").write_text(token)
    await instance.start()
    await instance.ready()


async def test_an_old_link_connects_to_what_was_restored(tmp_path: Path) -> None:
    file = tmp_path / "all.age"
    with fresh_place(tmp_path / "fresh") as fresh:
        async with keystead(tmp_path) as instance:
            kept, revoked = await instance.create("kept"), await instance.create("revoked")
            await instance.http.delete(f"/api/keys/{revoked['key_id']}")
            old_link = await instance.profile(kept["key_id"])
            made = await command(instance, "backup", file)
            late = await instance.create("after the backup")

            restored = await command(instance, "restore", file, into=fresh)
            await move(instance, fresh)

            assert (made.returncode, restored.returncode) == (0, 0), made.stderr + restored.stderr
            assert await xray.dial(old_link, instance.world.origin, within_s=15.0) is not None
            assert (await instance.http.get(f"/api/keys/{late['key_id']}")).status_code == 404
            assert (await instance.create("next"))["key_id"] > revoked["key_id"]
            verified = await command(instance, "audit", "verify")
            assert verified.returncode == 0, verified.stdout + verified.stderr


async def test_a_recipient_opens_it_and_nobody_else(tmp_path: Path) -> None:
    file, mine, another = tmp_path / "all.age", tmp_path / "mine", tmp_path / "another"
    identity = pyrage.x25519.Identity.generate()
    mine.write_text(f"# a comment\n{identity}\n")
    another.write_text(str(pyrage.x25519.Identity.generate()))
    with fresh_place(tmp_path / "fresh") as fresh:
        async with keystead(tmp_path) as instance:
            await instance.create("anna")

            made = await command(instance, "backup", file, "--recipient", identity.to_public(), "--json")
            refused = await command(instance, "restore", file, "--identity", another, into=fresh)
            was_left = fresh.data_dir.exists()
            restored = await command(instance, "restore", file, "--identity", mine, into=fresh)

        assert made.returncode == 0, made.stderr
        assert (refused.returncode, was_left) == (1, False)
        assert restored.returncode == 0, restored.stderr
        assert (fresh.data_dir / "root.key").stat().st_mode & 0o777 == 0o600


async def test_a_backup_is_made_in_process_while_nothing_runs(tmp_path: Path) -> None:
    file = tmp_path / "all.age"
    async with keystead(tmp_path) as instance:
        await instance.create("anna")
        await instance.stop()

        made = await command(instance, "backup", file)

        assert made.returncode == 0, made.stderr
        assert file.stat().st_mode & 0o777 == 0o600
