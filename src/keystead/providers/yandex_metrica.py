"""Yandex Metrica's API: whose token it is, counters, visits by day of a counter, and its goals; read only.

Sources: yandex.com/dev/metrika (management/openapi/counter/counters, management/openapi/goal/goals, stat/openapi/data,
intro/errors, intro/quotas) and yandex.com/dev/id/doc/en/user-information, which takes a token of any Yandex service;
all read 2026-11. The header says ``OAuth``, not Bearer. A quota that is used up is HTTP 429 in one edition of the pages
and 420 in another: both are understood.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import orjson

from keystead.kit.errors import Invalid
from keystead.kit.secret import Secret
from keystead.providers.capability import Capability, Provider
from keystead.providers.connectable import Connectable, Field, RemoteAccount
from keystead.providers.errors import ProviderFailed, ProviderRejected, ProviderUnreadable, SecretRefused
from keystead.providers.transport import Answer, Ask, Repeat, Transport

Json = dict[str, Any]

YANDEX_METRICA = Provider(
    id="yandex_metrica",
    title="Yandex Metrica",
    base_url="https://api-metrika.yandex.net",
    hosts={"login": "https://login.yandex.ru"},
    secret_fields=("token",),
    public_fields=("login",),
    capabilities=frozenset({Capability.COUNTERS, Capability.VISITS, Capability.GOALS}),
    errors={
        "HTTP 401; unauthorized, invalid_token": "the token is wrong or has ended",
        "HTTP 403 when it is connected or verified": "the token is not for Metrica",
        "HTTP 403 else": "the counter is not this user's",
        "HTTP 420 and 429": "a quota is used up; nothing was done",
        "HTTP 5xx": "not available for now",
        "any other": "told by its code and its own sentence",
    },
    limits="200 requests in 5 minutes, 5,000 a day, 30 a second and 3 at once for each user",
    lacks={"counters and goals are not changed": "a token that may read is enough"},
    pace=((30, 1.0), (200, 300.0), (5000, 86_400.0)),
    parallel=3,
    busy_statuses=frozenset({420, 429}),
)

PAGE_SIZE = 1000
# A year and a day: more days are asked for in parts.
DAYS_MAX = 366
_DAYS_USUAL = 28
_PAGES_MAX = 1000
_LOGIN = "login"
_SECRET_KINDS = frozenset({"unauthorized", "invalid_token"})


@dataclass(frozen=True)
class Counter:
    """A counter that the user may see; ``permission`` is ``own``, ``view`` or ``edit``."""

    id: int
    name: str
    site: str
    status: str
    permission: str
    owner_login: str


@dataclass(frozen=True)
class Day:
    """The visits of one day, in the counter's own time zone."""

    day: date
    visits: int


@dataclass(frozen=True)
class Goal:
    """A goal of a counter; ``kind`` is Yandex's word, such as ``url`` or ``action``."""

    id: int
    name: str
    kind: str


class YandexMetrica:
    """Call Yandex Metrica with one token."""

    def __init__(self, transport: Transport, token: Secret[str]) -> None:
        self._transport = transport
        self._token = token
        self._key = hashlib.sha256(token.reveal().encode()).hexdigest()[:16]

    async def verify(self) -> RemoteAccount:
        """Ask whose token it is, and whether it opens Metrica; raise SecretRefused otherwise."""
        user = await self._get("/info", {"format": "json"}, host=_LOGIN)
        try:
            listed = await self._get("/management/v1/counters", {"per_page": "1", "offset": "1"})
        except SecretRefused:
            raise
        except ProviderRejected as refusal:
            raise SecretRefused(refusal.message, number=refusal.number, text=refusal.text) from None
        login = _text(user, "login")
        told = {"login": login, "counters": _number(listed, "rows")}
        return RemoteAccount(_text(user, "id"), name=login, scope={"login": login}, told=told)

    async def counters(self) -> list[Counter]:
        """Return every counter that the user may see: all pages."""
        found: dict[int, Counter] = {}
        for _ in range(_PAGES_MAX):
            query = {"per_page": str(PAGE_SIZE), "offset": str(len(found) + 1)}
            listed = await self._get("/management/v1/counters", query)
            known = len(found)
            found |= {one.id: one for one in map(_counter, _items(listed, "counters"))}
            if len(found) == known or len(found) >= _number(listed, "rows"):
                break
        return list(found.values())

    async def visits(self, counter_id: int, first: date | None = None, last: date | None = None) -> list[Day]:
        """Return a counter's visits by day, both days included; a day that Yandex leaves out had none.

        Without a last day it is today, without a first one four weeks are told.
        """
        last = last or self._transport.clock.now().date()
        first = first or last - timedelta(days=_DAYS_USUAL - 1)
        days = (last - first).days + 1
        if not 1 <= days <= DAYS_MAX:
            problem = f"the last day is on or after the first, and at most {DAYS_MAX} days are asked for at once"
            raise Invalid(problem, fields={"date2": problem})
        query = {
            "ids": str(counter_id),
            "metrics": "ym:s:visits",
            "dimensions": "ym:s:date",
            "sort": "ym:s:date",
            "date1": first.isoformat(),
            "date2": last.isoformat(),
            "limit": str(DAYS_MAX),
            "accuracy": "full",
        }
        counted = dict(_day(row) for row in _items(await self._get("/stat/v1/data", query), "data"))
        every = [first + timedelta(days=number) for number in range(days)]
        return [Day(day, counted.get(day, 0)) for day in every]

    async def goals(self, counter_id: int) -> list[Goal]:
        """Return a counter's goals."""
        listed = await self._get(f"/management/v1/counter/{counter_id}/goals", {})
        return [Goal(_number(one, "id"), _text(one, "name"), _text(one, "type")) for one in _items(listed, "goals")]

    async def _get(self, path: str, query: Mapping[str, str], *, host: str = "") -> Json:
        headers = {"authorization": f"OAuth {self._token.reveal()}", "accept": "application/json"}
        ask = Ask("GET", path, key=self._key, repeat=Repeat.HARMLESS, query=query, headers=headers, host=host)
        return _checked(await self._transport.send(ask))


CONNECTABLE = Connectable(
    YANDEX_METRICA,
    ways=((Field("token", "OAuth token of Yandex with the right metrika:read"),),),
    client=lambda transport, secrets: YandexMetrica(transport, secrets["token"]),
    aliases=("ym",),
)


def _checked(answer: Answer) -> Json:
    """Return the object of an answer; raise what its status and its kind of error mean."""
    found = _object(answer.body)
    if answer.status == 200 and found is not None:
        return found
    kinds = {str(one.get("error_type")) for one in _errors(found)}
    text = str((found or {}).get("message", ""))
    if answer.status == 401 or kinds & _SECRET_KINDS:
        raise SecretRefused(f"Yandex refused: {answer.status}", number=answer.status, text=text)
    if answer.status >= 500:
        raise ProviderFailed(f"Yandex answered HTTP {answer.status}", status=answer.status)
    if found is None or answer.status < 400:
        raise ProviderUnreadable(f"Yandex answered HTTP {answer.status} without an object of its API")
    raise ProviderRejected(f"Yandex refused: {answer.status}", number=answer.status, text=text, status=answer.status)


def _object(body: bytes) -> Json | None:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _errors(found: Json | None) -> list[Json]:
    listed = (found or {}).get("errors")
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _items(found: Json, name: str) -> list[Json]:
    listed = found.get(name)
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise ProviderUnreadable(f"Yandex's answer has no list of {name}")
    return listed


def _text(found: Json, name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str | int):
        raise ProviderUnreadable(f"Yandex's answer has no {name}")
    return str(value)


def _number(found: Json, name: str) -> int:
    value = found.get(name)
    if not isinstance(value, int):
        raise ProviderUnreadable(f"Yandex's answer has no number {name}")
    return value


def _counter(one: Json) -> Counter:
    """Return a counter; its site is in ``site2`` where ``site`` is not told any more."""
    told = one.get("site2")
    site = told.get("site", "") if isinstance(told, dict) else one.get("site", "")
    rest = (str(one.get(name) or "") for name in ("status", "permission", "owner_login"))
    return Counter(_number(one, "id"), str(one.get("name") or ""), str(site or ""), *rest)


def _day(row: Json) -> tuple[date, int]:
    try:
        return date.fromisoformat(row["dimensions"][0]["name"]), int(row["metrics"][0])
    except (KeyError, IndexError, TypeError, ValueError):
        raise ProviderUnreadable("Yandex's answer has a day that cannot be read") from None
