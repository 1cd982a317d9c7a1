"""The list of share links, plain or as base64: what v2rayN, v2rayNG, v2raytun, Shadowrocket, Streisand and Happ read.

One link per line. The base64 form is the standard alphabet with padding over the whole list, as v2rayN introduced it;
every client of this family takes it, and not all take the plain one.
"""

import base64
from collections.abc import Sequence

from keystead.vpn.links import vless_link
from keystead.vpn.profiles.titles import titled
from keystead.vpn.values import ClientProfile


def render(profiles: Sequence[ClientProfile], title: str) -> str:
    """Return the list as base64 text."""
    return base64.b64encode(render_plain(profiles, title).encode()).decode()


def render_plain(profiles: Sequence[ClientProfile], title: str) -> str:
    """Return one link per line; a profile without a name gets the title."""
    return "".join(f"{vless_link(profile)}\n" for _, profile in titled(profiles, title))
