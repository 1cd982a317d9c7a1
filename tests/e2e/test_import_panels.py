"""Customers of every other panel move to one instance: links that were handed out before go on, with what was sold."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from keystead import taking_over
from keystead.importing import sources
from keystead.importing.planvalue import ImportPlan
from keystead.main import SCOPE
from keystead.settings import Settings
from keystead.taking_over import Answers
from tests.support import founded, xray
from tests.support.clients import dial_many
from tests.support.keystead import keystead
from tests.support.panels import moving
from tests.support.panels.moving import USED, Moving

KEYS = "/v1/vpn/keys"


def old_core(panels: Sequence[Moving]) -> dict[str, Any]:
    """Return what the panels have their Xray run, as one."""
    direct = {"protocol": "freedom", "settings": {"finalRules": [{"action": "allow", "ip": ["127.0.0.0/8"]}]}}
    inbounds = [dict(panel.listener) | {"tag": panel.source.value} for panel in panels]
    return {"log": {"loglevel": "none"}, "inbounds": inbounds, "outbounds": [direct]}


def move(chosen: Settings, panel: Moving) -> ImportPlan:
    """Look at the plan for a panel, and apply it."""
    found = sources.read(panel.source, panel.files, sources.Beside(), now=datetime.now(UTC))
    planned = taking_over.plan(chosen, found, Answers())
    taking_over.apply(chosen, SCOPE, found, Answers(), digest=planned.digest, progress=lambda _: None)
    return planned


def check_told(panel: Moving, planned: ImportPlan) -> None:
    """Who is not taken over is named with the reason, before anything is written."""
    left = {one.name: one.reasons for one in (*planned.not_carried, *planned.collisions)}
    assert {key.name for key in planned.keys} == set(panel.links)
    assert set(left) == set(panel.left)
    for name, word in panel.left.items():
        told = " ".join(reason.sentence for reason in left[name])
        assert word in told.lower(), (panel.source, told)


def check_sold(panel: Moving, key: dict[str, Any], billed: dict[str, int]) -> None:
    """A customer has what the panel sold, and has used what it counted."""
    used, terms = billed["upload"] + billed["download"], key["terms"]
    assert USED <= used < USED + 1_000_000, panel.source
    if not panel.terms:
        assert terms is None, panel.source
        return
    assert terms["quota_bytes"] == panel.terms["quota_bytes"], panel.source
    assert datetime.fromisoformat(terms["expires_at"]) == panel.terms["expires_at"], panel.source
    assert USED <= terms["used_bytes"] < USED + 1_000_000, panel.source


async def test_links_of_every_panel_go_on_with_what_was_sold(tmp_path: Path) -> None:
    async with keystead(tmp_path, is_started=False) as instance:
        origin = instance.world.origin
        panels = moving.all_of(tmp_path, instance.world.target_port)
        links = [link for panel in panels for link in panel.links.values()]
        async with xray.running(old_core(panels), links[0].port):
            before = await dial_many(links, origin)
        chosen = await founded.found_by(instance.environment)

        for panel in panels:
            check_told(panel, await asyncio.to_thread(move, chosen, panel))
        await instance.start()
        await instance.ready()
        after = await dial_many(links, origin)
        listed = {key["name"]: key for key in (await instance.http.get(KEYS)).json()["items"]}

        assert all(before)
        assert all(after), dict(zip([panel.source for panel in panels], after, strict=True))
        assert set(listed) == {name for panel in panels for name in panel.links}
        for panel in panels:
            for name in panel.links:
                traffic = (await instance.http.get(f"{KEYS}/{listed[name]['id']}/traffic")).json()
                check_sold(panel, listed[name], traffic["billed"])
