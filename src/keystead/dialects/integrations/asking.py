"""What the integrations wire's requests say: read with the document's word for each thing that is wrong.

The original looks at fields one by one and names the first that is missing, or all of them, as each endpoint is
documented; a field of another type counts as missing, and an empty text too.
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

import orjson
from starlette.requests import Request

from keystead.dialects.integrations.errors import WireError
from keystead.kit.errors import Invalid
from keystead.kit.secret import Secret
from keystead.operations.providers.cloudflare import Application
from keystead.operations.providers.namecheap import USERNAME_LENGTH_MAX
from keystead.providers.cloudflare_permissions import Profile
from keystead.vault.credentials import Changes
from keystead.vault.credentialvalue import checked_alias

# It goes into a path at Cloudflare.
_CF_ACCOUNT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NO_ACCOUNT_ID = "an account's id stands in the address of Cloudflare's dashboard: 32 hexadecimal characters"
# It goes into a query, as Namecheap has it.
_SECRET_LENGTH_MAX = 512
_NUMBER_MAX = 2**63 - 1
_STATUSES = {"active": True, "revoked": False}

Json = Mapping[str, Any]


async def body(request: Request, *, is_optional: bool = False) -> Json:
    """Return a JSON object; raise WireError for anything else. An optional one may be empty."""
    raw = await request.body()
    if is_optional and not raw.strip():
        return {}
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise WireError("invalid_json")
    return found


def application(found: Json) -> Application:
    """Read what connects a Cloudflare account; all missing fields are named."""
    account_id, bootstrap = _text(found, "cf_account_id"), _text(found, "bootstrap_token")
    is_account_id = _CF_ACCOUNT_ID.fullmatch(account_id) is not None
    named = {"cf_account_id": is_account_id, "bootstrap_token": bool(bootstrap)}
    missing = [name for name, is_there in named.items() if not is_there]
    if missing:
        told = {"message": _NO_ACCOUNT_ID} if account_id and not is_account_id else {}
        raise WireError("missing_fields", fields=missing, context={"fields": missing}, **told)
    if not _is_visible(bootstrap):
        raise WireError("bootstrap_invalid", message="this is not a token that Cloudflare could have given")
    return Application(account_id, Secret(bootstrap), alias(found), _is_confirmed(found))


def _is_confirmed(found: Json) -> bool:
    """Read whether another account may be replaced; what is neither yes nor no is refused, not taken for a no."""
    given = found.get("confirm_replace")
    if not isinstance(given, bool | None):
        raise WireError("invalid_confirm_replace", message="confirm_replace is true or false")
    return given is True


def profile(found: Json) -> Profile:
    """Read which permissions the working token gets; the document's, unless another set is named."""
    given = found.get("profile")
    name = Profile.DOCUMENTED.value if given is None or given == "" else given
    if not isinstance(name, str) or name not in {one.value for one in Profile}:
        raise WireError("invalid_profile", message=f"one of {', '.join(one.value for one in Profile)}")
    return Profile(name)


def login(found: Json) -> tuple[str, Secret[str], str | None]:
    """Read what connects a Namecheap user."""
    username, api_key = _text(found, "username"), _text(found, "api_key")
    if not username:
        raise WireError("username_required")
    if len(username) > USERNAME_LENGTH_MAX or not username.isprintable():
        raise WireError("username_required", message="this is not the name of a user at Namecheap")
    if not api_key:
        raise WireError("api_key_required")
    if len(api_key) > _SECRET_LENGTH_MAX or not _is_visible(api_key):
        raise WireError("invalid_api_key", message="this is not a key that Namecheap could have given")
    return username, Secret(api_key), alias(found)


def name_servers(found: Json) -> tuple[int, str, list[str]]:
    """Read what points a domain at its name servers."""
    key_id = given_key_id(found)
    domain, servers = _text(found, "domain"), found.get("nameservers")
    if not domain:
        raise WireError("domain_required")
    if not isinstance(servers, list) or not servers:
        raise WireError("nameservers_required")
    if not all(isinstance(server, str) for server in servers):
        raise WireError("invalid_nameservers", message="write names such as ns1.example.com")
    named = [server.strip() for server in servers if server.strip()]
    if not named:
        raise WireError("no_nameservers")
    return key_id, domain, named


def given_key_id(found: Json) -> int:
    """Read the number of a key from a body."""
    given = found.get("key_id")
    if not isinstance(given, int) or isinstance(given, bool) or not 0 < given <= _NUMBER_MAX:
        raise WireError("key_id_required")
    return given


def key_id(request: Request) -> int:
    """Read the number of a key from the query."""
    return _number(request.query_params.get("key_id", "")) or _refuse("key_id_required")


def counter(request: Request) -> int:
    """Read the number of a counter from the query."""
    return _number(request.query_params.get("counter_id", "")) or _refuse("counter_id_required")


def property_(request: Request) -> int:
    """Read the number of a property from the query."""
    return _number(request.query_params.get("property_id", "")) or _refuse("property_id_required")


def days(request: Request) -> tuple[date, date]:
    """Read the first and the last day from the query."""
    first, last = (_day(request.query_params.get(name, ""), name) for name in ("date1", "date2"))
    return first, last


def changes(found: Json) -> Changes:
    """Read what changes about a key; other fields are left alone."""
    status = found.get("status")
    if status is not None and (not isinstance(status, str) or status not in _STATUSES):
        raise WireError("invalid_status")
    return Changes(alias(found), None if status is None else _STATUSES[status])


def alias(found: Json) -> str | None:
    """Read an alias; an empty one is none, and one that is no text is refused rather than passed over."""
    if not isinstance(found.get("key_alias", ""), str | None):
        raise WireError("invalid_key_alias", message="an alias is text")
    text = _text(found, "key_alias")
    if not text:
        return None
    try:
        return checked_alias(text)
    except Invalid as error:
        raise WireError("invalid_key_alias", message=error.message) from None


def number(text: str) -> int | None:
    """Read the number of a key from a path; None for what cannot be one."""
    return _number(text)


def _number(text: str) -> int | None:
    is_number = text.isascii() and text.isdigit() and len(text) < 20
    return int(text) if is_number and 0 < int(text) <= _NUMBER_MAX else None


def _day(text: str, name: str) -> date:
    if not text:
        raise WireError(f"{name}_required")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise WireError(f"invalid_{name}", message="write a day as YYYY-MM-DD") from None


def _is_visible(secret: str) -> bool:
    """Tell whether a text could stand in a header or a query as it is; an empty one could."""
    return not secret or (secret.isascii() and secret.isprintable() and " " not in secret)


def _text(found: Json, name: str) -> str:
    value = found.get(name)
    return value.strip() if isinstance(value, str) else ""


def _refuse(error: str) -> int:
    raise WireError(error)
