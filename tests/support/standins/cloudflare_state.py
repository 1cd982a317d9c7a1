"""What a Cloudflare on loopback knows, and how it tells who asks: accounts, tokens and zones.

Names of permission groups, and all ids but those of redirects and lists, are as public configurations have them.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.support.standins.server import Came, StandIn

# What a handler returns: a result, and what else stands in the envelope; for a text, the text and None.
Result = tuple[Any, dict[str, Any] | None]
Route = tuple[str, str, Callable[..., Result]]

BASE = "/client/v4"
MINE, OTHER = "7fadeb365dc925694b8dcfb313412345", "00000000000000000000000000000002"
ACCOUNT = "com.cloudflare.api.account"
ZONE = "com.cloudflare.api.account.zone"
# Names and scopes as public configurations have them; the ids of redirects, lists and tokens are made up. "Logs Write"
# is in both scopes.
GROUPS = {
    ("Zone Read", ZONE): "c8fed203ed3043cba015a93ad1616f1f",
    ("Zone Write", ZONE): "e6d2666161e84845a636613608cee8d5",
    ("Zone Settings Read", ZONE): "517b21aee92c4d89936c976ba6e4be55",
    ("Zone Settings Write", ZONE): "3030687196b94b638145a3953da2b699",
    ("Cache Purge", ZONE): "e17beae8b8cb423a99b1730f21238bed",
    ("DNS Read", ZONE): "82e64a83756745bbbb1c9c2701bf816b",
    ("DNS Write", ZONE): "4755a26eedb94da69e1066d98aa820be",
    ("Workers Scripts Read", ACCOUNT): "1a71c399035b4950a1bd1466bbe4f420",
    ("Workers Scripts Write", ACCOUNT): "e086da7e2179491d91ee5f35b3ca210a",
    ("Workers KV Storage Read", ACCOUNT): "8b47d2786a534c08a1f94ee8f9f599ef",
    ("Workers KV Storage Write", ACCOUNT): "f7f0eda5697f475c90846e879bab8666",
    ("Workers Routes Read", ZONE): "2072033d694d415a936eaeb94e6405b8",
    ("Workers Routes Write", ZONE): "28f4b596e7d643029c524985477ae49a",
    ("Dynamic URL Redirects Read", ZONE): "d8e12db741544d1586ec1d6f5d3c7786",
    ("Dynamic URL Redirects Write", ZONE): "74e1036f577a48528b78d2413b40538d",
    ("Account Settings Read", ACCOUNT): "c1fde68c7bcc44588cbb6ddbc16d6480",
    ("Account API Tokens Read", ACCOUNT): "eb56a6953c034b9d97dd838155666f06",
    ("Mass URL Redirects Read", ACCOUNT): "ab1a9d6a4b1e4d6a9d2b1c3e5f708192",
    ("Mass URL Redirects Write", ACCOUNT): "4f3196a5c95747b6ad82e34e1d0a694f",
    ("Account Rule Lists Read", ACCOUNT): "4ec32dfcb35641c5bb32d5ef1ab963b4",
    ("Account Rule Lists Write", ACCOUNT): "2edbf20661fd4661b0fe10e9e12f485c",
    ("Logs Write", ACCOUNT): "96163bd1b0784f62b3e44ed8c2ab1eb6",
    ("Logs Write", ZONE): "bd40dbb9b9f1404390fbe9ac0ef6c5a0",
    ("Billing Read", ACCOUNT): "7cf72faf220841aabcfdfab81c43c4f6",
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
        wanted = GROUPS[group, scope]
        return self.may_manage or any(
            wanted == one["id"] for policy in self.policies for one in policy["permission_groups"]
        )


class Refused(Exception):
    """An answer with ``success: false``."""

    def __init__(self, status: int, code: int, message: str) -> None:
        self.status, self.code, self.message = status, code, message


class State(StandIn):
    """What all parts of the stand-in share."""

    def __init__(self) -> None:
        super().__init__()
        self.accounts = {MINE: "user@example.com's Account", OTHER: "Another Account"}
        self.tokens: dict[str, Token] = {}
        self.zones: dict[str, dict[str, Any]] = {}
        self.records: dict[str, dict[str, dict[str, Any]]] = {}
        self.settings: dict[str, dict[str, Any]] = {}
        self.purged: list[dict[str, Any]] = []
        self.has_selectable = True
        # To whom a domain is delegated, as a check of its zone finds; None leaves zones as they are.
        self.delegated: Callable[[str], Sequence[str] | None] | None = None
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

    def _caller(self, came: Came) -> Token:
        scheme, _, value = came.headers.get("authorization", "").partition(" ")
        caller = self.by_value(value)
        if scheme != "Bearer" or caller is None:
            raise Refused(401, 1000, "Invalid API Token")
        if caller.status != "active" and not came.path.endswith("/verify"):
            raise Refused(403, 9109, "Unauthorized to access requested resource")
        return caller

    def _may(self, caller: Token, group: str) -> None:
        if not caller.has(group, ZONE):
            raise Refused(403, 10000, "Authentication error")

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
            "created_on": now(),
            "modified_on": now(),
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


def now() -> str:
    """Return the moment as Cloudflare writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
