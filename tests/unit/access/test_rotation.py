import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select

from keystead.access import datakeys, rotation
from keystead.access.datakeys import OpenKeys, RootKey
from keystead.access.rotation import Progress, Rotated, SealedColumn
from keystead.kit.crypto import KeyRing, encode_key, new_key
from keystead.kit.errors import Misconfigured
from keystead.kit.secret import Secret
from keystead.reconcile.models import SCOPES
from keystead.vpn.models import INBOUNDS
from tests.support.work import Workplace

PRIVATE_KEYS = SealedColumn(INBOUNDS, [INBOUNDS.c.scope, INBOUNDS.c.tag], INBOUNDS.c.private_key)


class Killed(BaseException):
    """The process is gone."""


async def open_at_start(workplace: Workplace, directory: Path) -> tuple[RootKey, OpenKeys]:
    root = datakeys.load_root_key(directory, None)
    keys = await workplace.database.write(
        lambda connection: datakeys.open_keys(connection, root, workplace.clock.now())
    )
    return root, keys


def add_inbounds(connection: Connection, ring: KeyRing, workplace: Workplace, tags: range) -> None:
    if connection.execute(select(SCOPES.c.name)).first() is None:
        connection.execute(insert(SCOPES), {"name": "xray/main"})
    rows = [
        {
            "scope": "xray/main",
            "tag": f"in-{tag}",
            "placement": "shared",
            "listen": "::",
            "port": 1000 + tag,
            "private_key": ring.seal(Secret(f"private {tag}"), PRIVATE_KEYS.place("xray/main", f"in-{tag}")),
            "public_key": "p",
            "target": "t",
            "server_names": [],
            "short_ids": [],
            "flow": "",
            "created_at": workplace.clock.now(),
        }
        for tag in tags
    ]
    connection.execute(insert(INBOUNDS), rows)


async def revealed(workplace: Workplace, ring: KeyRing) -> set[str]:
    rows = await workplace.database.read(
        lambda connection: connection.execute(select(INBOUNDS.c.tag, INBOUNDS.c.private_key)).all()
    )
    return {ring.open(row.private_key, PRIVATE_KEYS.place("xray/main", row.tag)).reveal() for row in rows}


async def rotate(workplace: Workplace, root: RootKey, ring: KeyRing) -> Rotated:
    return await rotation.rotate(workplace.database, root, ring, [PRIVATE_KEYS], clock=workplace.clock)


async def data_keys(workplace: Workplace) -> list[tuple[str, str]]:
    return await workplace.database.read(
        lambda connection: sorted(
            (row.purpose, row.wrapped_by)
            for row in connection.exec_driver_sql("SELECT purpose, wrapped_by FROM data_keys").all()
        )
    )


async def test_the_first_start_makes_a_private_root_key(workplace: Workplace, tmp_path: Path) -> None:
    root, keys = await open_at_start(workplace, tmp_path)
    again, reopened = await open_at_start(workplace, tmp_path)

    assert root.path is not None
    assert root.path.stat().st_mode & 0o777 == 0o600
    assert again == root
    assert (reopened.ring.newest, reopened.audit_key) == (keys.ring.newest, keys.audit_key)
    assert not reopened.is_rotation_unfinished


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_root_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    datakeys.load_root_key(tmp_path, None)
    (tmp_path / datakeys.ROOT_KEY_FILE).chmod(mode)

    with pytest.raises(Misconfigured, match="chmod 600"):
        datakeys.load_root_key(tmp_path, None)


@pytest.mark.parametrize("content", ["", "short\n", "a b c"])
def test_a_damaged_root_key_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / datakeys.ROOT_KEY_FILE
    path.touch(mode=0o600)
    path.write_text(content)

    with pytest.raises(Misconfigured, match=r"root\.key"):
        datakeys.load_root_key(tmp_path, None)


def test_a_damaged_setting_is_refused_without_repeating_it(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="KEYSTEAD_ROOT_KEY must") as caught:
        datakeys.load_root_key(tmp_path, Secret("swordfish"))

    assert "swordfish" not in str(caught.value)
    assert not (tmp_path / datakeys.ROOT_KEY_FILE).exists()


async def test_another_root_key_opens_nothing(workplace: Workplace, tmp_path: Path) -> None:
    root, _ = await open_at_start(workplace, tmp_path)
    (tmp_path / datakeys.ROOT_KEY_FILE).unlink()

    with pytest.raises(Misconfigured, match=root.name):
        await open_at_start(workplace, tmp_path)


async def test_rotation_changes_all_keys_but_the_audit_key(workplace: Workplace, tmp_path: Path) -> None:
    root, keys = await open_at_start(workplace, tmp_path)
    before = keys.ring.newest
    await workplace.database.write(lambda connection: add_inbounds(connection, keys.ring, workplace, range(450)))

    rotated = await rotate(workplace, root, keys.ring)

    reloaded, reopened = await open_at_start(workplace, tmp_path)
    assert (rotated.resealed, rotated.keys_deleted) == (450, 1)
    assert reloaded == rotated.root
    assert reloaded.name != root.name
    assert reloaded.previous is None
    assert reopened.ring.newest == keys.ring.newest != before
    assert reopened.audit_key == keys.audit_key
    assert reopened.marking_key == keys.marking_key != keys.audit_key
    assert not reopened.is_rotation_unfinished
    assert await data_keys(workplace) == [("audit", reloaded.name), ("secrets", reloaded.name)]
    assert await revealed(workplace, reopened.ring) == {f"private {tag}" for tag in range(450)}


async def test_a_second_rotation_works_like_the_first(workplace: Workplace, tmp_path: Path) -> None:
    root, keys = await open_at_start(workplace, tmp_path)
    await workplace.database.write(lambda connection: add_inbounds(connection, keys.ring, workplace, range(3)))
    first = await rotate(workplace, root, keys.ring)

    await rotate(workplace, first.root, keys.ring)

    _, reopened = await open_at_start(workplace, tmp_path)
    assert await revealed(workplace, reopened.ring) == {f"private {tag}" for tag in range(3)}


async def test_others_seal_and_open_while_keys_rotate(workplace: Workplace, tmp_path: Path) -> None:
    root, keys = await open_at_start(workplace, tmp_path)
    await workplace.database.write(lambda connection: add_inbounds(connection, keys.ring, workplace, range(600)))

    async def keep_adding() -> None:
        for tag in range(600, 660):
            await workplace.database.write(
                lambda connection, tag=tag: add_inbounds(connection, keys.ring, workplace, range(tag, tag + 1))
            )

    await asyncio.gather(rotate(workplace, root, keys.ring), keep_adding())

    _, reopened = await open_at_start(workplace, tmp_path)
    assert await revealed(workplace, reopened.ring) == {f"private {tag}" for tag in range(660)}
    assert len(await data_keys(workplace)) == 2


async def test_how_far_it_is_is_known_while_it_runs(
    workplace: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, keys = await open_at_start(workplace, tmp_path)
    await workplace.database.write(lambda connection: add_inbounds(connection, keys.ring, workplace, range(25)))
    progress, seen = Progress(), []
    reseal = rotation._reseal_batch

    def looking(*args: object, **kwargs: object) -> object:
        seen.append((progress.resealed, progress.total))
        return reseal(*args, **kwargs)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(rotation, "_reseal_batch", looking)  # between batches is where somebody may look

    done = await rotation.rotate(
        workplace.database, root, keys.ring, [PRIVATE_KEYS], clock=workplace.clock, progress=progress
    )

    assert seen == [(0, 25), (10, 25), (20, 25), (25, 25)]
    assert done.resealed == progress.resealed == 25


@pytest.mark.parametrize("killed_at", range(1, 9))
async def test_a_kill_at_any_step_loses_nothing(
    workplace: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    root, keys = await open_at_start(workplace, tmp_path)
    await workplace.database.write(lambda connection: add_inbounds(connection, keys.ring, workplace, range(450)))
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        if steps == killed_at:
            raise Killed

    write_root_key = rotation.write_root_key
    with monkeypatch.context() as patch:  # a kill comes from outside; every durable step is given a place to die
        patch.setattr(rotation, "write_root_key", lambda root: (step(), write_root_key(root), step()))
        for name in ("_rewrap", "_reseal_batch", "_delete_retired"):
            patch.setattr(rotation, name, _dying_after(getattr(rotation, name), step))
        with pytest.raises(Killed):
            await rotate(workplace, root, keys.ring)

    restarted, reopened = await open_at_start(workplace, tmp_path)
    everything = {f"private {tag}" for tag in range(450)}
    assert await revealed(workplace, reopened.ring) == everything
    finished = await rotate(workplace, restarted, reopened.ring)
    _, final = await open_at_start(workplace, tmp_path)
    assert await revealed(workplace, final.ring) == everything
    assert finished.root.name != root.name
    assert final.audit_key == keys.audit_key
    assert len(await data_keys(workplace)) == 2


def _dying_after(unit: object, step: object) -> object:
    """Return the unit with a death before its commit: what it did is rolled back."""

    def dying(*args: object, **kwargs: object) -> object:
        value = unit(*args, **kwargs)  # type: ignore[operator]  # any unit of rotation
        step()  # type: ignore[operator]
        return value

    return dying


async def test_a_root_key_from_the_settings_rotates_to_its_successor(workplace: Workplace, tmp_path: Path) -> None:
    old, new = (Secret(encode_key(new_key())) for _ in range(2))
    at_first = datakeys.load_root_key(tmp_path, old)
    keys = await workplace.database.write(
        lambda connection: datakeys.open_keys(connection, at_first, workplace.clock.now())
    )
    await workplace.database.write(lambda connection: add_inbounds(connection, keys.ring, workplace, range(5)))
    with pytest.raises(Misconfigured, match="KEYSTEAD_ROOT_KEY_PREVIOUS"):
        await rotate(workplace, at_first, keys.ring)
    both = datakeys.load_root_key(tmp_path, new, previous=old)

    await rotate(workplace, both, keys.ring)

    alone = datakeys.load_root_key(tmp_path, new)
    reopened = await workplace.database.write(
        lambda connection: datakeys.open_keys(connection, alone, workplace.clock.now())
    )
    assert await revealed(workplace, reopened.ring) == {f"private {tag}" for tag in range(5)}
    assert not (tmp_path / datakeys.ROOT_KEY_FILE).exists()
    with pytest.raises(Misconfigured):
        await rotate(workplace, both, keys.ring)
