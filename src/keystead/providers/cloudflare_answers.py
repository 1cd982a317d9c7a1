"""What Cloudflare's answers mean: the envelope, its errors, and its objects as values. Pure.

By HTTP status first, then by code: codes repeat, and a successful verify has a message of code 10000
(favonia/cloudflare-ddns#813). The envelope is that of the official OpenAPI document (``success``, ``errors``,
``messages``, ``result``, ``result_info``); codes are those seen in public reports.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from keystead.kit.secret import Secret
from keystead.providers.cloudflare_permissions import Group, Policy
from keystead.providers.errors import (
    AlreadyThere,
    NotThere,
    ProviderFailed,
    ProviderRejected,
    ProviderUnreadable,
    SecretRefused,
)
from keystead.providers.transport import Answer

Json = dict[str, Any]

# Invalid token, malformed headers, missing headers, and a token that is not for this.
SECRET_CODES = frozenset({1000, 6003, 6103, 6111, 9106, 9109, 10000})
# "Failed common permission check against resources", when a token is made (terraform-provider-cloudflare#7241).
MAY_NOT_GIVE = 1001
# A zone of the name, and a record that is identical (dns-lexicon#49; "already exists" is in the sentence of all three).
EXISTS_CODES = frozenset({1061, 81057, 81058})
_REFUSED_STATUSES = frozenset({401, 403})
_NOT_FOUND = 404
_TEMPORARY = frozenset({408})


@dataclass(frozen=True)
class Verified:
    """What Cloudflare says of a token: its id, its status, its end, and whether a user or an account owns it."""

    id: str
    status: str
    expires_on: datetime | None
    owner: str


@dataclass(frozen=True)
class NewToken:
    """A token that was made, with its value, which is shown this once."""

    id: str
    value: Secret[str]


@dataclass(frozen=True)
class SeenToken:
    """A token in a list."""

    id: str
    name: str
    not_before: datetime | None
    expires_on: datetime | None


@dataclass(frozen=True)
class RemoteZone:
    """A zone as Cloudflare shows it."""

    id: str
    name: str
    status: str
    plan: str
    name_servers: tuple[str, ...]
    is_phishing: bool


@dataclass(frozen=True)
class Page:
    """One page of a list; how many pages there are, and where the next one begins, where the answer says so."""

    items: list[Json]
    pages: int | None
    size: int = field(default=0)
    after: str | None = None


def result(answer: Answer, *, has_effect: bool) -> Any:
    """Return the result of an envelope; raise by what a failure means.

    ``has_effect`` says that the request may have changed something although it is answered with a failure for now.
    """
    return _envelope(answer, has_effect=has_effect).get("result")


def text(answer: Answer) -> str:
    """Return an answer that is text; raise by what a failure means, which comes in an envelope."""
    if not 200 <= answer.status < 300:
        _envelope(answer, has_effect=False)
    return answer.body.decode(errors="replace")


def page(answer: Answer) -> Page:
    """Return a page of a list."""
    envelope = _envelope(answer, has_effect=False)
    items, told = envelope.get("result"), envelope.get("result_info") or {}
    if not isinstance(items, list) or not isinstance(told, dict):
        raise ProviderUnreadable("Cloudflare answered no list where one was asked for")
    pages, after = told.get("total_pages"), (told.get("cursors") or {}).get("after")
    return Page(items, pages if isinstance(pages, int) else None, len(items), str(after) if after else None)


def verified(found: Any, owner: str) -> Verified:
    """Read the answer to a verify."""
    values = _object(found, "id", "status")
    return Verified(str(values["id"]), str(values["status"]), moment(values.get("expires_on")), owner)


def new_token(found: Any) -> NewToken:
    """Read the answer to a create."""
    values = _object(found, "id", "value")
    return NewToken(str(values["id"]), Secret(str(values["value"])))


def seen_token(found: Any) -> SeenToken:
    """Read a token of a list."""
    values = _object(found, "id", "name")
    ends = moment(values.get("expires_on"))
    return SeenToken(str(values["id"]), str(values["name"]), moment(values.get("not_before")), ends)


def group(found: Any) -> Group:
    """Read a permission group."""
    values = _object(found, "id", "name")
    scopes = tuple(str(scope) for scope in values.get("scopes") or ())
    is_selectable = values.get("is_selectable")
    return Group(
        str(values["id"]), str(values["name"]), scopes, is_selectable if isinstance(is_selectable, bool) else None
    )


def policies(found: Any) -> list[Policy]:
    """Read the policies of a token."""
    listed = _object(found, "id").get("policies")
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise ProviderUnreadable("Cloudflare's answer lacks the policies of a token")
    return [
        Policy(
            one.get("effect") == "allow",
            frozenset(str(of.get("id")) for of in one.get("permission_groups") or () if isinstance(of, dict)),
            resources if isinstance(resources := one.get("resources"), dict) else {},
        )
        for one in listed
    ]


def zone(found: Any) -> RemoteZone:
    """Read a zone."""
    values = _object(found, "id", "name")
    plan, meta = values.get("plan") or {}, values.get("meta") or {}
    return RemoteZone(
        id=str(values["id"]),
        name=str(values["name"]).lower(),
        status=str(values.get("status") or ""),
        plan=str(plan.get("legacy_id") or plan.get("id") or ""),
        name_servers=tuple(str(server) for server in values.get("name_servers") or ()),
        is_phishing=meta.get("phishing_detected") is True,
    )


def moment(text: object) -> datetime | None:
    """Read a moment of the API; None for none and for what is not one."""
    if not isinstance(text, str):
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return read if read.tzinfo is not None else None


def _envelope(answer: Answer, *, has_effect: bool) -> Json:
    status = answer.status
    if status >= 500 or status in _TEMPORARY:
        raise ProviderFailed(f"Cloudflare answered HTTP {status}", status=status, may_have_landed=has_effect)
    envelope = _json(answer.body)
    if envelope is None:
        raise ProviderUnreadable(f"Cloudflare answered HTTP {status} without its envelope", may_have_landed=has_effect)
    if 200 <= status < 300 and envelope.get("success") is True:
        return envelope
    raise _refusal(status, envelope)


def _refusal(status: int, envelope: Mapping[str, Any]) -> ProviderRejected:
    errors = [one for one in envelope.get("errors") or () if isinstance(one, dict)]
    chained = [inner for one in errors for inner in one.get("error_chain") or () if isinstance(inner, dict)]
    codes = [one["code"] for one in (*errors, *chained) if isinstance(one.get("code"), int)]
    code = codes[0] if codes else status
    text = str(errors[0].get("message", "")) if errors else ""
    is_about_secret = bool(SECRET_CODES & set(codes)) or (status in _REFUSED_STATUSES and code != MAY_NOT_GIVE)
    kind = SecretRefused if is_about_secret else _kind(status, code)
    return kind(f"Cloudflare refused: {code}", number=code, text=text, status=status)


def _kind(status: int, code: int) -> type[ProviderRejected]:
    if code in EXISTS_CODES:
        return AlreadyThere
    return NotThere if status == _NOT_FOUND else ProviderRejected


def _json(body: bytes) -> Json | None:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) and "success" in found else None


def _object(found: Any, *needed: str) -> Json:
    if not isinstance(found, dict) or not all(found.get(name) for name in needed):
        raise ProviderUnreadable(f"Cloudflare's answer lacks {' or '.join(needed)}", may_have_landed=True)
    return found
