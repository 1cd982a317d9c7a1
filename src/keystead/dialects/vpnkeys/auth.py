"""Which requests of a shared door are this wire's: any token works in either header, so where another dialect owns the
same paths the header chooses.
"""

from collections.abc import MutableMapping
from typing import Any

_SYSTEM = "/api/system/"
# Another dialect has this path too and tells a stranger in its own words; with a credential both mean the same.
_SHARED_SYSTEM = "/api/system/xray/sync-config"


def takes(scope: MutableMapping[str, Any]) -> bool:
    """Tell whether a request on a shared door is for this wire.

    Below ``/api/`` it is, with ``X-API-Key`` and no Authorization; below ``/api/system/`` with any credential or none.
    """
    path = scope["path"].rstrip("/")
    if not path.startswith("/api/"):
        return False
    named = {name for name, value in scope["headers"] if value.strip()}
    has_key, has_authorization = b"x-api-key" in named, b"authorization" in named
    if path.startswith(_SYSTEM):
        return has_key or has_authorization or path != _SHARED_SYSTEM
    return has_key and not has_authorization
