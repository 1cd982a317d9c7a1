"""Links that another panel handed out, dialled with a real client against a core that was made from the plan."""

from dataclasses import replace
from pathlib import Path

from keystead.importing import xui
from keystead.importing.planning import plan
from keystead.importing.planvalue import Existing, ImportPlan
from tests.support import xray
from tests.support.panels import parts
from tests.support.panels.parts import NOW, VISION
from tests.support.panels.xui import Xui


def panel_of(lab: xray.Lab) -> Xui:
    """Return a 3x-ui panel that hides behind the laboratory's target, with clients of all kinds."""
    shown = {"publicKey": parts.pair().public_key}
    reality = parts.reality(dest=lab.inbound.target, serverNames=[xray.SERVER_NAME], settings=shown)
    panel = Xui()
    panel.inbound("in", lab.inbound.port, listen="127.0.0.1", stream=parts.stream(realitySettings=reality))
    panel.client("in", "vision", 1)
    panel.client("in", "plain", 2, flow="")
    panel.client("in", "text", 3, id="anna", flow="")
    panel.client("in", "disabled", 4, enable=False)
    return panel


def apply(made: ImportPlan, lab: xray.Lab) -> None:
    """Desire what a plan says, as rows would."""
    [inbound] = made.inbounds
    lab.inbound = replace(
        lab.inbound,
        listen=inbound.found.listen,
        port=inbound.found.port,
        private_key=inbound.found.private_key,
        public_key=inbound.found.public_key,
        target=inbound.found.target,
        server_names=inbound.server_names,
        short_ids=inbound.short_ids,
    )
    for number, key in enumerate(made.keys, 1):
        if key.is_enabled:
            lab.want(f"k{number}-1", key.uuid, key.flow)


async def test_every_link_of_the_panel_goes_on_working_and_a_disabled_one_does_not(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, is_started=False) as lab:
        panel = panel_of(lab)
        port = lab.inbound.port
        apply(plan(xui.read(panel.write(tmp_path / "x-ui.db"), now=NOW), Existing(), now=NOW), lab)
        await lab.driver.start()
        await lab.ready()
        link = xray.Profile("127.0.0.1", port, "", parts.pair().public_key, short_id=parts.SHORT_IDS[1])
        dialled = {
            client["email"]: await xray.dial(
                replace(link, uuid=client["id"], flow=client["flow"]),
                lab.origin,
                within_s=15 if client["enable"] else 3,
            )
            for client in panel.inbounds[0]["settings"]["clients"]
        }

    assert [name for name, took_s in dialled.items() if took_s is not None] == ["vision", "plain", "text"]
    assert panel.inbounds[0]["settings"]["clients"][0]["flow"] == VISION
