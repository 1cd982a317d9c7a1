"""Cloudflare's API on loopback: accounts, tokens that may do what their policies say, zones and DNS records.

Every request that comes and every answer that goes is held against the official OpenAPI document
(``cloudflare_document``). Where the document leaves something open, shapes are those of public recordings:

- envelope and page info: the document, and lexicon's recorded cassettes for Cloudflare
- a verify that succeeds has a message of code 10000 (github.com/favonia/cloudflare-ddns#813)
- 1000 "Invalid API Token", 9109, 10000 "Authentication error": same place, and kissgyorgy/cloudflare-dyndns#40
- 1001 "Failed common permission check against resources" (cloudflare/terraform-provider-cloudflare#7241)
- 429 with the headers Ratelimit and Retry-After (developers.cloudflare.com/fundamentals/api/reference/limits)
- ``is_selectable`` of permission groups: the same site's reference of the endpoint (2026)
- names and ids of permission groups: as they are known from public configurations
"""

import itertools
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from tests.support.standins import cloudflare_document as document
from tests.support.standins.server import Came, StandIn, Told, serving

BASE = "/client/v4"
MINE, OTHER = "7fadeb365dc925694b8dcfb313412345", "00000000000000000000000000000002"
_ACCOUNT = "com.cloudflare.api.account"
_ZONE = "com.cloudflare.api.account.zone"
# Names, scopes and ids as public configurations have them; "Logs Write" is in both scopes.
_GROUPS = {
    ("Zone Read", _ZONE): "c8fed203ed3043cba015a93ad1616f1f",
    ("Zone Write", _ZONE): "e6d2666161e84845a636613608cee8d5",
    ("Zone Settings Read", _ZONE): "517b21aee92c4d89936c976ba6e4be55",
    ("Zone Settings Write", _ZONE): "3030687196b94b638145a3953da2b699",
    ("DNS Read", _ZONE): "82e64a83756745bbbb1c9c2701bf816b",
    ("DNS Write", _ZONE): "4755a26eedb94da69e1066d98aa820be",
    ("Workers Scripts Read", _ACCOUNT): "1a71c399035b4950a1bd1466bbe4f420",
    ("Workers Scripts Write", _ACCOUNT): "e086da7e2179491d91ee5f35b3ca210a",
    ("Workers KV Storage Read", _ACCOUNT): "8b47d2786a534c08a1f94ee8f9f599ef",
    ("Workers KV Storage Write", _ACCOUNT): "f7f0eda5697f475c90846e879bab8666",
    ("Workers Routes Read", _ZONE): "2072033d694d415a936eaeb94e6405b8",
    ("Workers Routes Write", _ZONE): "28f4b596e7d643029c524985477ae49a",
    ("Dynamic URL Redirects Read", _ZONE): "d8e12db741544d1586ec1d6f5d3c7786",
    ("Dynamic URL Redirects Write", _ZONE): "74e1036f577a48528b78d2413b40538d",
    ("Account Settings Read", _ACCOUNT): "c1fde68c7bcc44588cbb6ddbc16d6480",
    ("Logs Write", _ACCOUNT): "96163bd1b0784f62b3e44ed8c2ab1eb6",
    ("Logs Write", _ZONE): "bd40dbb9b9f1404390fbe9ac0ef6c5a0",
    ("Billing Read", _ACCOUNT): "7cf72faf220841aabcfdfab81c43c4f6",
}


@dataclass
class Token:
    """A token; a bootstrap token may give what is not withheld."""

    id: str
    value: str
    name: str
    account_id: str
    owner: str = "account"
    status: str = "active"
    may_manage: bool = False
    withheld: set[str] = field(default_factory=set)
    policies: list[dict[str, Any]] = field(default_factory=list)
    not_before: str | None = None
    expires_on: str | None = None

    def shown(self) -> dict[str, Any]:
        shown = {"id": self.id, "name": self.name, "status": self.status, "policies": self.policies}
        moments = {"not_before": self.not_before, "expires_on": self.expires_on}
        return shown | {name: moment for name, moment in moments.items() if moment}

    def has(self, group: str, scope: str) -> bool:
        wanted = _GROUPS[group, scope]
        return self.may_manage or any(
            wanted == one["id"] for policy in self.policies for one in policy["permission_groups"]
        )


class Refused(Exception):
    """An answer with ``success: false``."""

    def __init__(self, status: int, code: int, message: str) -> None:
        self.status, self.code, self.message = status, code, message


class Cloudflare(StandIn):
    """The stand-in."""

    def __init__(self) -> None:
        super().__init__()
        self.accounts = {MINE: "user@example.com's Account", OTHER: "Another Account"}
        self.tokens: dict[str, Token] = {}
        self.zones: dict[str, dict[str, Any]] = {}
        self.records: dict[str, dict[str, dict[str, Any]]] = {}
        self.has_selectable = True
        self._numbers = itertools.count(1)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{BASE}"

    def bootstrap(self, account_id: str = MINE, **more: Any) -> Token:
        """Make a token that may make tokens."""
        return self._token("bootstrap", account_id, may_manage=True, **more)

    def working(self, account_id: str = MINE) -> list[Token]:
        """Return the tokens that were made over the API."""
        return [one for one in self.tokens.values() if one.account_id == account_id and not one.may_manage]

    def by_value(self, value: str) -> Token | None:
        return next((one for one in self.tokens.values() if one.value == value), None)

    def add_zones(self, count: int, account_id: str = MINE, status: str = "active") -> None:
        for number in range(count):
            self._zone(f"site-{number:04d}.example.com", account_id, status)

    def answer(self, came: Came) -> Told:
        path = came.path.removeprefix(BASE)
        document.check_request(came.method, path, came.query, came.body)
        try:
            result, extra = self._result(came, path)
            body: dict[str, Any] = {"success": True, "errors": [], "messages": [], **extra, "result": result}
            status = 200
        except Refused as refused:
            told = {"code": refused.code, "message": refused.message}
            body, status = {"success": False, "errors": [told], "messages": [], "result": None}, refused.status
        raw = orjson.dumps(body)
        document.check_answer(came.method, path, status, raw)
        return Told(status, raw, headers={"Ratelimit": '"default";r=1100;t=240'})

    def _result(self, came: Came, path: str) -> tuple[Any, dict[str, Any]]:
        caller = self._caller(came)
        for method, pattern, handle in self._routes():
            found = re.fullmatch(pattern, path)
            if found and method == came.method:
                return handle(caller, came, *found.groups())  # type: ignore[no-any-return]
        raise AssertionError(f"the stand-in has no {came.method} {path}")

    def _routes(self) -> list[tuple[str, str, Any]]:
        tokens = r"/(user|accounts/[^/]+)/tokens"
        return [
            ("GET", f"{tokens}/verify", self._verify),
            ("GET", f"{tokens}/permission_groups", self._groups),
            ("GET", tokens, self._list_tokens),
            ("POST", tokens, self._create_token),
            ("PUT", f"{tokens}/([^/]+)/value", self._roll_token),
            ("DELETE", f"{tokens}/([^/]+)", self._delete_token),
            ("GET", r"/accounts/([^/]+)", self._account),
            ("GET", r"/zones", self._list_zones),
            ("POST", r"/zones", self._create_zone),
            ("GET", r"/zones/([^/]+)", self._get_zone),
            ("DELETE", r"/zones/([^/]+)", self._delete_zone),
            ("PUT", r"/zones/([^/]+)/activation_check", self._check_zone),
            ("GET", r"/zones/([^/]+)/dns_records", self._list_records),
            ("POST", r"/zones/([^/]+)/dns_records", self._create_record),
            ("PATCH", r"/zones/([^/]+)/dns_records/([^/]+)", self._change_record),
            ("DELETE", r"/zones/([^/]+)/dns_records/([^/]+)", self._delete_record),
        ]

    def _caller(self, came: Came) -> Token:
        scheme, _, value = came.headers.get("authorization", "").partition(" ")
        caller = self.by_value(value)
        if scheme != "Bearer" or caller is None:
            raise Refused(401, 1000, "Invalid API Token")
        if caller.status != "active" and not came.path.endswith("/verify"):
            raise Refused(403, 9109, "Unauthorized to access requested resource")
        return caller

    def _own(self, caller: Token, place: str) -> None:
        wanted = "user" if caller.owner == "user" else f"accounts/{caller.account_id}"
        if place != wanted:
            raise Refused(403, 10000, "Authentication error")

    def _managed(self, caller: Token, place: str) -> None:
        self._own(caller, place)
        if not caller.may_manage:
            raise Refused(403, 9109, "Unauthorized to access requested resource")

    def _verify(self, caller: Token, _: Came, place: str) -> tuple[Any, dict[str, Any]]:
        if place != ("user" if caller.owner == "user" else f"accounts/{caller.account_id}"):
            raise Refused(401, 1000, "Invalid API Token")
        said = {"messages": [{"code": 10000, "message": "This API Token is valid and active"}]}
        found = {"id": caller.id, "status": caller.status}
        return found | ({"expires_on": caller.expires_on} if caller.expires_on else {}), said

    def _groups(self, caller: Token, _: Came, place: str) -> tuple[Any, dict[str, Any]]:
        self._managed(caller, place)
        return [
            {"id": ident, "name": name, "scopes": [scope]}
            | ({"is_selectable": name not in caller.withheld} if self.has_selectable else {})
            for (name, scope), ident in _GROUPS.items()
        ], {}

    def _list_tokens(self, caller: Token, came: Came, place: str) -> tuple[Any, dict[str, Any]]:
        self._managed(caller, place)
        mine = [
            one.shown()
            for one in self.tokens.values()
            if (one.owner, one.account_id) == (caller.owner, caller.account_id)
        ]
        return self._paged(mine, came, default=20)

    def _create_token(self, caller: Token, came: Came, place: str) -> tuple[Any, dict[str, Any]]:
        self._managed(caller, place)
        body = json.loads(came.body)
        withheld = {_GROUPS[name, scope] for name, scope in _GROUPS if name in caller.withheld}
        asked = {one["id"] for policy in body["policies"] for one in policy["permission_groups"]}
        if asked & withheld or not asked <= set(_GROUPS.values()):
            raise Refused(403, 1001, "Failed common permission check against resources")
        for policy in body["policies"]:
            self._check_resources(policy, caller.account_id)
        assert len(body["name"]) <= 120
        assert datetime.fromisoformat(body["expires_on"]) > datetime.now(UTC)
        made = self._token(
            body["name"],
            caller.account_id,
            owner=caller.owner,
            policies=[{"id": f"{next(self._numbers):032x}", **policy} for policy in body["policies"]],
            not_before=body.get("not_before"),
            expires_on=body.get("expires_on"),
        )
        return made.shown() | {"value": made.value}, {}

    def _check_resources(self, policy: dict[str, Any], account_id: str) -> None:
        """Check that groups of zones stand on the nested resource and groups of accounts on the account itself."""
        scopes = {
            scope for (_, scope), ident in _GROUPS.items() if ident in {g["id"] for g in policy["permission_groups"]}
        }
        inner = {_ACCOUNT: "*", _ZONE: {f"{_ZONE}.*": "*"}}
        assert len(scopes) == 1
        assert policy["resources"] == {f"{_ACCOUNT}.{account_id}": inner[scopes.pop()]}

    def _roll_token(self, caller: Token, _: Came, place: str, token_id: str) -> tuple[Any, dict[str, Any]]:
        self._managed(caller, place)
        found = self._find_token(caller, token_id)
        found.value = self._value(found.owner)
        return found.value, {}

    def _delete_token(self, caller: Token, _: Came, place: str, token_id: str) -> tuple[Any, dict[str, Any]]:
        self._managed(caller, place)
        del self.tokens[self._find_token(caller, token_id).id]
        return {"id": token_id}, {}

    def _find_token(self, caller: Token, token_id: str) -> Token:
        found = self.tokens.get(token_id)
        if found is None or (found.owner, found.account_id) != (caller.owner, caller.account_id):
            raise Refused(404, 1003, "Token not found")
        return found

    def _account(self, caller: Token, _: Came, account_id: str) -> tuple[Any, dict[str, Any]]:
        if account_id != caller.account_id or not caller.has("Account Settings Read", _ACCOUNT):
            raise Refused(403, 9109, "Unauthorized to access requested resource")
        return {"id": account_id, "name": self.accounts[account_id]}, {}

    # --- zones and records

    def _may(self, caller: Token, group: str) -> None:
        if not caller.has(group, _ZONE):
            raise Refused(403, 10000, "Authentication error")

    def _list_zones(self, caller: Token, came: Came) -> tuple[Any, dict[str, Any]]:
        self._may(caller, "Zone Read")
        wanted = came.query.get("account.id", caller.account_id)
        mine = [zone for zone in self.zones.values() if zone["account"]["id"] == caller.account_id == wanted]
        return self._paged(mine, came, default=20)

    def _create_zone(self, caller: Token, came: Came) -> tuple[Any, dict[str, Any]]:
        self._may(caller, "Zone Write")
        body = json.loads(came.body)
        if any(zone["name"] == body["name"] for zone in self.zones.values()):
            raise Refused(400, 1061, f"{body['name']} already exists")
        return self._zone(body["name"], body["account"]["id"], "pending"), {}

    def _get_zone(self, caller: Token, _: Came, zone_id: str) -> tuple[Any, dict[str, Any]]:
        self._may(caller, "Zone Read")
        return self._find_zone(caller, zone_id), {}

    def _delete_zone(self, caller: Token, _: Came, zone_id: str) -> tuple[Any, dict[str, Any]]:
        self._may(caller, "Zone Write")
        del self.zones[self._find_zone(caller, zone_id)["id"]]
        return {"id": zone_id}, {}

    def _check_zone(self, caller: Token, _: Came, zone_id: str) -> tuple[Any, dict[str, Any]]:
        self._may(caller, "Zone Write")
        return {"id": self._find_zone(caller, zone_id)["id"]}, {}

    def _list_records(self, caller: Token, came: Came, zone_id: str) -> tuple[Any, dict[str, Any]]:
        self._may(caller, "DNS Read")
        self._find_zone(caller, zone_id)
        return self._paged(list(self.records.get(zone_id, {}).values()), came, default=100)

    def _create_record(self, caller: Token, came: Came, zone_id: str) -> tuple[Any, dict[str, Any]]:
        self._may(caller, "DNS Write")
        made = {
            "id": f"{next(self._numbers):032x}",
            "zone_id": zone_id,
            "zone_name": self._find_zone(caller, zone_id)["name"],
            "created_on": _now(),
            "modified_on": _now(),
            "proxiable": True,
            "proxied": False,
            "ttl": 1,
            "locked": False,
            "meta": {"auto_added": False},
            "tags": [],
            **json.loads(came.body),
        }
        self.records.setdefault(zone_id, {})[made["id"]] = made
        return made, {}

    def _change_record(self, caller: Token, came: Came, zone_id: str, record_id: str) -> tuple[Any, dict[str, Any]]:
        self._may(caller, "DNS Write")
        found = self._find_record(caller, zone_id, record_id)
        found |= json.loads(came.body) | {"modified_on": _now()}
        return found, {}

    def _delete_record(self, caller: Token, _: Came, zone_id: str, record_id: str) -> tuple[Any, dict[str, Any]]:
        self._may(caller, "DNS Write")
        del self.records[zone_id][self._find_record(caller, zone_id, record_id)["id"]]
        return {"id": record_id}, {}

    def _find_record(self, caller: Token, zone_id: str, record_id: str) -> dict[str, Any]:
        self._find_zone(caller, zone_id)
        if record_id not in self.records.get(zone_id, {}):
            raise Refused(404, 81044, "Record does not exist.")
        return self.records[zone_id][record_id]

    def _find_zone(self, caller: Token, zone_id: str) -> dict[str, Any]:
        found = self.zones.get(zone_id)
        if found is None or found["account"]["id"] != caller.account_id:
            raise Refused(404, 7003, "Could not route to /client/v4/zones, perhaps your object identifier is invalid?")
        return found

    def _paged(self, items: list[Any], came: Came, *, default: int) -> tuple[Any, dict[str, Any]]:
        page, size = int(came.query.get("page", 1)), int(came.query.get("per_page", default))
        shown = items[(page - 1) * size : page * size]
        pages = -(-len(items) // size)
        info = {"page": page, "per_page": size, "count": len(shown), "total_count": len(items), "total_pages": pages}
        return shown, {"result_info": info}

    def _zone(self, name: str, account_id: str, status: str) -> dict[str, Any]:
        ident = f"{next(self._numbers):032x}"
        self.zones[ident] = {
            "id": ident,
            "name": name,
            "status": status,
            "account": {"id": account_id, "name": self.accounts[account_id]},
            "activated_on": None,
            "created_on": _now(),
            "modified_on": _now(),
            "development_mode": 0,
            "meta": {"phishing_detected": False},
            "name_servers": ["bob.ns.cloudflare.com", "lola.ns.cloudflare.com"],
            "original_dnshost": None,
            "original_name_servers": None,
            "original_registrar": None,
            "owner": {"id": account_id, "name": "", "type": "organization"},
            "plan": {"id": "0feeeeeeeeeeeeeeeeeeeeeeeeeeeeee", "name": "Free Website", "legacy_id": "free"},
        }
        return self.zones[ident]

    def _token(self, name: str, account_id: str, **more: Any) -> Token:
        owner = more.get("owner", "account")
        made = Token(f"{next(self._numbers):032x}", self._value(owner), name, account_id, **more)
        self.tokens[made.id] = made
        return made

    def _value(self, owner: str) -> str:
        """Return a value in the form of 2026: prefix, 40 characters, checksum."""
        prefix = "cfut_" if owner == "user" else "cfat_"
        return f"{prefix}CANARY{next(self._numbers):034d}{next(self._numbers):08x}"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@contextmanager
def cloudflare() -> Iterator[Cloudflare]:
    """Serve a Cloudflare for the duration."""
    standin = Cloudflare()
    with serving(standin):
        yield standin
