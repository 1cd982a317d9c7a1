"""The short form: about a hundred creates and deletes while every disturbance comes over one of two instances.

A failure names its seed; ``KEYSTEAD_CHAOS_SEED=N`` plays the same again. The long form is ``make chaos``.
"""

import os
import random
import secrets
from pathlib import Path

import pytest

from tests.chaos import invariants, stage
from tests.chaos.disturbances import DISTURBANCES
from tests.chaos.play import Play, draw

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.alone]

KEYS, ROUNDS, LONGEST_S = 40, 3, 1.2


@pytest.mark.parametrize("is_detached", [False, True], ids=["attached", "detached"])
async def test_what_was_promised_holds_whatever_is_done_to_keystead(tmp_path: Path, is_detached: bool) -> None:
    seed = int(os.environ.get("KEYSTEAD_CHAOS_SEED") or secrets.randbelow(1_000_000))
    half = list(DISTURBANCES)[is_detached::2]
    async with stage.opened(tmp_path, is_detached=is_detached) as opened:
        play = Play(opened, random.Random(seed + 1), KEYS)
        await play.run(draw(seed, ROUNDS, longest_s=LONGEST_S, only=tuple(half), at_once=(2,)), print)
        await invariants.require_nothing_left(opened)

    assert opened.ledger.violations == [], f"seed {seed}"
