"""What two dialects would have at one door is refused, both routes named, before a request could tell."""

from collections.abc import Sequence

import pytest

from keystead.http import overlaps
from keystead.http.doors import Mount, below
from keystead.kit.errors import Misconfigured


async def nothing(scope: object, receive: object, send: object) -> None:
    raise AssertionError("nobody asks")


def mount(dialect: str, *routes: str, prefix: str = "", takes: bool = False, base: str = "") -> Mount:
    made = Mount(prefix, dialect, nothing, takes=(lambda scope: True) if takes else None, routes=routes)
    return below(base, made)


@pytest.mark.parametrize(
    "mounts",
    [
        [mount("veil", "GET /api/keys"), mount("v1", "GET /v1/keys", prefix="/v1")],
        [mount("vpnkeys", "GET /api/keys", takes=True), mount("veil", "GET /api/keys")],
        [mount("veil", "GET /api/keys", base="/veil"), mount("vpnkeys", "GET /api/keys")],
        [mount("veil", "GET /v10"), mount("v1", "GET /v1", prefix="/v1")],
        [mount("veil", "GET /docs"), mount("assets", prefix="/docs/assets")],
    ],
    ids=["a longer prefix", "one says what it takes", "another base", "a longer word", "below a page"],
)
def test_what_a_prefix_or_a_header_tells_apart_is_no_overlap(mounts: Sequence[Mount]) -> None:
    overlaps.require_none(mounts)


@pytest.mark.parametrize(
    ("mounts", "named"),
    [
        (
            [mount("v1", "GET /v1/health", prefix="/v1"), mount("veil", "GET /", "GET /health", base="/v1")],
            "GET /v1/health of v1 and GET /v1/health of veil",
        ),
        (
            [mount("subscription", "GET /sub/{token}", prefix="/sub"), mount("veil", "GET /docs", base="/sub")],
            r"GET /sub/\{token\} of subscription and GET /sub/docs of veil",
        ),
        (
            [mount("veil", "GET /api/keys"), mount("vpnkeys", "GET /api/keys", base="/api")],
            "GET /api/keys of veil and /api… of vpnkeys",
        ),
        (
            [mount("veil", "GET /api/keys"), mount("veil", "GET /api/keys", base="/api")],
            "GET /api/keys of veil",
        ),
    ],
    ids=["the same route", "a parameter", "shadowed", "one dialect twice"],
)
def test_an_overlap_is_refused_with_both_routes(mounts: Sequence[Mount], named: str) -> None:
    with pytest.raises(Misconfigured, match=named):
        overlaps.require_none(mounts)
