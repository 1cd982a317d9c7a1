"""Rotation on request: one that was cut is finished by the next, without a start in between."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from keystead.access import datakeys
from keystead.access.store import datakeys as store
from keystead.kit.errors import StorageBusy
from keystead.operations.instance.rotation import SecretsOperations
from tests.support.standins.cloudflare import Cloudflare
from tests.support.vaulted import Vaulted
from tests.support.work import Workplace
from tests.unit.access.test_rotation import PRIVATE_KEYS, add_inbounds, open_at_start, revealed


async def test_a_rotation_that_was_cut_is_finished_by_the_next(
    workplace: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, keys = await open_at_start(workplace, tmp_path)
    await workplace.database.write(lambda connection: add_inbounds(connection, keys.ring, workplace, range(3)))
    made = Vaulted(workplace, Cloudflare())
    operations = SecretsOperations(
        made.transactions,
        workplace.database,
        load_root=partial(datakeys.load_root_key, tmp_path, None),
        ring=keys.ring,
        columns=[PRIVATE_KEYS],
        clock=workplace.clock,
    )

    def away(*_: Any) -> int:
        raise StorageBusy("the database is locked")

    with monkeypatch.context() as patched:
        patched.setattr(store, "delete_retired", away)
        with pytest.raises(StorageBusy):
            await operations.rotate(made.call())

    await operations.rotate(made.call())

    after, reopened = await open_at_start(workplace, tmp_path)
    assert (after.name != before.name, after.previous, reopened.is_rotation_unfinished) == (True, None, False)
    assert await revealed(workplace, reopened.ring) == {f"private {tag}" for tag in range(3)}
