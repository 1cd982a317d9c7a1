"""Yandex Metrica's API and Yandex' page of users on loopback: tokens, counters, visits, goals.

Shapes are those of the pages of yandex.com/dev/metrika: management/openapi/counter/counters (``rows``, ``counters``,
numbers of offset from 1), management/openapi/goal/goals, stat/openapi/data (``data`` with ``dimensions`` and
``metrics``, ``total_rows``, ``totals``; values of a report by ``ym:s:date`` as in the examples of
github.com/ilindrey/aiotapioca-yandex-metrika, docs/stats.md), intro/errors for failures; and of
yandex.com/dev/id/doc/en/user-information for whose token it is. A day without visits is left out of a report.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import orjson

from tests.support.standins.server import Came, StandIn, Told, serving

TOKEN = "y0_CANARY-metrica-token"
OF_ANOTHER_SERVICE = "y0_CANARY-disk-token"


@dataclass
class User:
    """Who a token is of, and the counters the user sees; ``has_metrica`` False is a token of another service."""

    id: str = "1000034426"
    login: str = "ivan.example"
    has_metrica: bool = True
    counters: dict[int, str] = field(default_factory=dict)


class Refused(Exception):
    """An answer with errors."""

    def __init__(self, code: int, kind: str, message: str) -> None:
        self.code, self.kind, self.message = code, kind, message


class YandexMetrica(StandIn):
    """The stand-in; both hosts are one."""

    def __init__(self) -> None:
        super().__init__()
        self.users = {TOKEN: User(), OF_ANOTHER_SERVICE: User("2", "disk", has_metrica=False)}
        self.visits: dict[tuple[int, str], int] = {}
        self.goals: dict[int, list[tuple[int, str, str]]] = {}
        self.next_refusals: list[Refused] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def settings(self) -> dict[str, str]:
        """Return the settings that point an instance here."""
        return {"provider_yandex_metrica_url": self.url, "provider_yandex_metrica_login_url": f"{self.url}/login"}

    def add_counters(self, count: int) -> None:
        for number in range(1, count + 1):
            self.users[TOKEN].counters[44_000_000 + number] = f"site-{number:04d}.example"

    def answer(self, came: Came) -> Told:
        try:
            return Told(200, orjson.dumps(self._found(came)))
        except Refused as refused:
            error = {"error_type": refused.kind, "message": refused.message, "location": "header"}
            body = {"errors": [error], "code": refused.code, "message": refused.message}
            return Told(refused.code, orjson.dumps(body))

    def _found(self, came: Came) -> dict[str, Any]:
        assert came.method == "GET"
        scheme, _, token = came.headers.get("authorization", "").partition(" ")
        user = self.users.get(token) if scheme == "OAuth" else None
        if user is None:
            raise Refused(401, "unauthorized", "Unauthorized user.")
        if came.path == "/login/info":
            return {
                "id": user.id,
                "login": user.login,
                "client_id": "4760187d81bc4b7799476b42b5103713",
                "psuid": "1.AA",
            }
        if self.next_refusals:
            raise self.next_refusals.pop(0)
        if not user.has_metrica:
            raise Refused(403, "access_denied", "Access is denied.")
        if came.path == "/management/v1/counters":
            return self._counters(user, came.query)
        if came.path == "/stat/v1/data":
            return self._report(user, came.query)
        return self._goals(user, came.path)

    def _counters(self, user: User, query: dict[str, str]) -> dict[str, Any]:
        first, size = int(query.get("offset", "1")), int(query.get("per_page", "1000"))
        assert first >= 1
        assert 1 <= size <= 1000
        listed = [
            {
                "id": number,
                "status": "Active",
                "owner_login": user.login,
                "code_status": "CS_OK",
                "name": site.partition(".")[0],
                "site": site,
                "type": "simple",
                "favorite": 0,
                "permission": "own",
            }
            for number, site in list(user.counters.items())[first - 1 : first - 1 + size]
        ]
        return {"rows": len(user.counters), "counters": listed}

    def _report(self, user: User, query: dict[str, str]) -> dict[str, Any]:
        counter_id = self._owned(user, int(query["ids"]))
        assert (query["metrics"], query["dimensions"]) == ("ym:s:visits", "ym:s:date")
        day, last = date.fromisoformat(query["date1"]), date.fromisoformat(query["date2"])
        rows: list[dict[str, Any]] = []
        while day <= last:
            if count := self.visits.get((counter_id, day.isoformat())):
                rows.append({"dimensions": [{"name": day.isoformat()}], "metrics": [float(count)]})
            day += timedelta(days=1)
        total = float(sum(row["metrics"][0] for row in rows))
        return {
            "query": {
                **{name: query[name].split(",") for name in ("metrics", "dimensions")},
                **{name: query[name] for name in ("date1", "date2")},
                "ids": [counter_id],
                "limit": int(query.get("limit", "100")),
                "offset": int(query.get("offset", "1")),
                "attribution": "LastSign",
            },
            "data": rows,
            "total_rows": len(rows),
            "sampled": False,
            "sample_share": 1.0,
            "totals": [total],
        }

    def _goals(self, user: User, path: str) -> dict[str, Any]:
        assert path.startswith("/management/v1/counter/")
        assert path.endswith("/goals")
        counter_id = self._owned(user, int(path.split("/")[4]))
        return {
            "goals": [
                {"id": number, "name": name, "type": kind, "default_price": 0.0, "is_retargeting": 0, "conditions": []}
                for number, name, kind in self.goals.get(counter_id, [])
            ]
        }

    def _owned(self, user: User, counter_id: int) -> int:
        if counter_id not in user.counters:
            raise Refused(403, "access_denied", "Access is denied.")
        return counter_id


@contextmanager
def yandex_metrica() -> Iterator[YandexMetrica]:
    """Serve a Yandex Metrica for the duration."""
    standin = YandexMetrica()
    with serving(standin):
        yield standin
