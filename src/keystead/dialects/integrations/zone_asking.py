"""What requests about zones and records say, read with this wire's word for each thing that is wrong."""

import re
from collections.abc import Mapping
from typing import Any

from keystead.dialects.integrations import asking
from keystead.dialects.integrations.asking import Json
from keystead.dialects.integrations.errors import WireError
from keystead.operations.domains.records import Action, RecordChange
from keystead.providers.errors import NotThere
from keystead.vault.errors import ZoneNotFound

OPERATIONS_MAX = 100
ROOTS_MAX = 10
FILES_MAX = 500
SETTINGS_MAX = 50
# Both go into a path at Cloudflare.
_RECORD_ID = re.compile(r"[A-Za-z0-9]{1,64}")
_SETTING = re.compile(r"[a-z0-9_]{1,64}")
_RECORD_FIELDS = frozenset(
    {"type", "name", "content", "ttl", "proxied", "priority", "comment", "tags", "data", "settings"}
)


def zone_id(ident: str) -> int:
    """Read the number of a zone from a path."""
    found = asking.number(ident)
    if found is None:
        raise ZoneNotFound(ident)
    return found


def record_id(ident: str) -> str:
    """Read the id of a record from a path."""
    if not _RECORD_ID.fullmatch(ident):
        raise NotThere("no record has such an id", status=404)
    return ident


def key_id(found: Json) -> int | None:
    """Read which key is meant; None when none is named."""
    value = found.get("key_id")
    if value is None:
        return None
    number = asking.number(str(value)) if isinstance(value, int | str) and not isinstance(value, bool) else None
    if number is None:
        raise WireError("key_id_required")
    return number


def root(found: Json) -> str:
    """Read the root domain of a zone."""
    for name in ("root_domain", "domain_name", "name", "domain"):
        value = found.get(name)
        if isinstance(value, str) and value.strip():
            return value
    raise WireError("domain_required")


def roots(found: Json) -> list[str]:
    """Read the root domains of several zones."""
    named = found.get("domains")
    if not isinstance(named, list) or not named or not all(isinstance(one, str) and one.strip() for one in named):
        raise WireError("domains_required")
    return _bounded(named, ROOTS_MAX, "too_many_domains")


def domains(found: Json) -> list[str]:
    """Read the names of several domains: texts, or objects that have one."""
    listed = found.get("domains")
    named = [root(one) if isinstance(one, dict) else one for one in listed] if isinstance(listed, list) else []
    return roots({"domains": named})


def record(found: Json) -> dict[str, Any]:
    """Read a new record; what else it has is Cloudflare's to judge."""
    for name in ("type", "name"):
        if not isinstance(found.get(name), str) or not found[name]:
            raise WireError(f"record_{name}_required")
    return {"ttl": 1, **_fields(found)}


def changes(found: Json) -> dict[str, Any]:
    """Read what changes about a record."""
    values = _fields(found)
    if not values:
        raise WireError("nothing_to_change")
    return values


def operations(found: Json) -> list[RecordChange]:
    """Read a batch of changes; one that cannot be read refuses the batch, and ``index`` says which it is."""
    listed = found.get("operations")
    if not isinstance(listed, list) or not listed:
        raise WireError("operations_required")
    read = []
    for index, one in enumerate(_bounded(listed, OPERATIONS_MAX, "too_many_operations")):
        try:
            read.append(_operation(one))
        except WireError as error:
            raise WireError(error.error, index=index, **error.extra) from None
        except NotThere:
            raise WireError("record_id_required", index=index) from None
    return read


def settings(found: Json) -> dict[str, object]:
    """Read settings: an object of names and values, at the top or in ``settings``."""
    inner = found.get("settings", found)
    if not isinstance(inner, Mapping):
        raise WireError("invalid_settings", message="settings are an object of names and values", fields=["settings"])
    values = dict(inner)
    if not values:
        raise WireError("settings_required")
    wrong = [name for name in values if not _SETTING.fullmatch(name)]
    if wrong or len(values) > SETTINGS_MAX:
        raise WireError("invalid_settings", fields=wrong)
    return values


def files(found: Json) -> list[str] | None:
    """Read which URLs are taken out of a cache; None for everything, which nothing but an empty body or a yes says."""
    named, everything = found.get("files"), found.get("purge_everything")
    if not isinstance(everything, bool | None):
        raise WireError("invalid_purge_everything", message="purge_everything is true or false")
    if named is None:
        if found and not everything:
            raise WireError("files_required", message="name URLs in files, or say purge_everything: true")
        return None
    if everything:
        raise WireError("invalid_files", message="either files or purge_everything")
    if not isinstance(named, list) or not named or not all(isinstance(one, str) and one for one in named):
        raise WireError("invalid_files")
    return _bounded(named, FILES_MAX, "too_many_files")


def _operation(found: Any) -> RecordChange:
    if not isinstance(found, dict) or found.get("action") not in list(Action):
        raise WireError("invalid_action")
    inner = found.get("record")
    said = inner if isinstance(inner, dict) else found
    match action := Action(found["action"]):
        case Action.CREATE:
            return RecordChange(action, record=record(said))
        case Action.UPDATE:
            return RecordChange(action, record_id(str(found.get("id") or "")), changes(said))
        case Action.DELETE:
            return RecordChange(action, record_id(str(found.get("id") or "")))


def _fields(found: Json) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name in _RECORD_FIELDS}


def _bounded(values: list[Any], limit: int, error: str) -> list[Any]:
    if len(values) > limit:
        raise WireError(error, context={"limit": limit})
    return values
