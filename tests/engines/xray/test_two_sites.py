"""Two key pairs on one port that hide behind different sites: everybody reaches the site of the name they ask for."""

from dataclasses import replace
from pathlib import Path

from keystead.engines.xray import keys
from keystead.engines.xray.state import BEHIND_TAG_PREFIX
from tests.engines.xray.test_two_pairs import RESTART, left_over
from tests.support import xray

THEIRS = "panel.example"
SHORT_ID = "a1b2c3d4e5f60718"


def take_over(lab: xray.Lab, target_port: int) -> None:
    """Desire a pair of another origin behind the present one, with a name and a site of its own."""
    pair, tag = keys.generate(), f"{BEHIND_TAG_PREFIX}1"
    lab.behind = replace(
        lab.inbound,
        tag=tag,
        port=0,
        private_key=pair.private_key,
        public_key=pair.public_key,
        server_names=(THEIRS,),
        short_ids=(SHORT_ID,),
        sites=((THEIRS, f"127.0.0.1:{target_port}"),),
    )
    lab.inbound = replace(lab.inbound, behind=tag)


async def test_strangers_see_the_site_they_ask_for_and_links_of_both_connect(tmp_path: Path) -> None:
    async with xray.named_site(tmp_path / "theirs", THEIRS) as target_port, xray.lab(tmp_path / "lab") as lab:
        user = await lab.add("k1-1")
        take_over(lab, target_port)
        await lab.driver.apply(RESTART, lab.desired)
        assert lab.behind is not None
        theirs = replace(lab.profile(user), public_key=lab.behind.public_key, short_id=SHORT_ID, server_name=THEIRS)
        dials = [await xray.dial(profile, lab.origin) is not None for profile in (lab.profile(user), theirs)]
        mixed = replace(theirs, server_name=xray.SERVER_NAME)
        refused = await xray.dial(mixed, lab.origin, within_s=2)
        shown = [
            await xray.name_seen(lab.inbound.port, name) for name in (xray.SERVER_NAME, THEIRS, "other.test", None)
        ]
        seen = set(await lab.driver.watching.seen(60.0, is_behind=True))
        left = left_over(lab, await lab.driver.observe())
        lab.retire()
        await lab.driver.apply(RESTART, lab.desired)
        after = [
            await xray.dial(profile, lab.origin, within_s=3) is not None for profile in (lab.profile(user), theirs)
        ]

    assert dials == [True, True]
    assert refused is None
    assert shown == [xray.SERVER_NAME, THEIRS, xray.SERVER_NAME, xray.SERVER_NAME]
    assert seen == {"k1-1"}
    assert left == []
    assert after == [True, False]
