"""What a request for a subscription says of its program and its device.

The headers are those that Happ began with and that the panels Remnawave, PasarGuard and 3x-ui read: ``x-hwid`` names
the device, the others describe it (docs.rw/docs/features/hwid-device-limit; XTLS/Xray-core discussion 4877, which
allows 36 characters of it).
"""

from starlette.requests import Request

from keystead.kit.secret import Secret
from keystead.operations.vpn.polling import Poll
from keystead.vpn import families
from keystead.vpn.devices import Presented
from keystead.vpn.families import Family
from keystead.vpn.profiles.titles import printable

# Longer than any program's id; one that is longer still is no id.
HWID_LENGTH_MAX = 128
_TOLD_LENGTH_MAX = 64


def program(request: Request) -> Poll:
    """Return the poll of a program."""
    row = families.of_program(request.headers.get("user-agent", ""))
    return Poll(request.path_params["token"], Family.OTHER if row is None else row.family, _device(request))


def person(request: Request) -> Poll:
    """Return what somebody asks who looks at the page or at a code."""
    return Poll(request.path_params["token"])


def _device(request: Request) -> Presented | None:
    hwid = request.headers.get("x-hwid", "").strip()
    if not 0 < len(hwid) <= HWID_LENGTH_MAX:
        return None
    system = f"{_told(request, 'x-device-os')} {_told(request, 'x-ver-os')}".strip()[:_TOLD_LENGTH_MAX]
    return Presented(Secret(hwid), system, _told(request, "x-device-model"))


def _told(request: Request, name: str) -> str:
    """Return a header as a line of text; programs write UTF-8 into it, which HTTP takes for Latin-1."""
    raw = request.headers.get(name, "")
    try:
        text = raw.encode("latin-1").decode()
    except UnicodeError:
        text = raw
    return printable(text)[:_TOLD_LENGTH_MAX]
