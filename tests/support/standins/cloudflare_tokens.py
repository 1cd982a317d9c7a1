"""Tokens and accounts of a Cloudflare on loopback.

- a verify that succeeds has a message of code 10000 (github.com/favonia/cloudflare-ddns#813)
- 1000 "Invalid API Token", 9109, 10000 "Authentication error": same place, and kissgyorgy/cloudflare-dyndns#40
- 1001 "Failed common permission check against resources" (cloudflare/terraform-provider-cloudflare#7241)
- ``is_selectable`` of permission groups: developers.cloudflare.com's reference of the endpoint (2026)
"""

import json
from datetime import UTC, datetime
from typing import Any

from tests.support.standins.cloudflare_state import ACCOUNT, GROUPS, ZONE, Refused, Result, Route, State, Token
from tests.support.standins.server import Came


class Tokens(State):
    """Answers about tokens and accounts."""

    def token_routes(self) -> list[Route]:
        tokens = r"/(user|accounts/[^/]+)/tokens"
        return [
            ("GET", f"{tokens}/verify", self._verify),
            ("GET", f"{tokens}/permission_groups", self._groups),
            ("GET", tokens, self._list_tokens),
            ("POST", tokens, self._create_token),
            ("PUT", f"{tokens}/([^/]+)/value", self._roll_token),
            ("GET", f"{tokens}/([^/]+)", self._show_token),
            ("DELETE", f"{tokens}/([^/]+)", self._delete_token),
            ("GET", r"/accounts/([^/]+)", self._account),
        ]

    def _own(self, caller: Token, place: str) -> None:
        wanted = "user" if caller.owner == "user" else f"accounts/{caller.account_id}"
        if place != wanted:
            raise Refused(403, 10000, "Authentication error")

    def _managed(self, caller: Token, place: str) -> None:
        self._own(caller, place)
        if not caller.may_manage:
            raise Refused(403, 9109, "Unauthorized to access requested resource")

    def _verify(self, caller: Token, _: Came, place: str) -> Result:
        if place != ("user" if caller.owner == "user" else f"accounts/{caller.account_id}"):
            raise Refused(401, 1000, "Invalid API Token")
        said = {"messages": [{"code": 10000, "message": "This API Token is valid and active"}]}
        found = {"id": caller.id, "status": caller.status}
        return found | ({"expires_on": caller.expires_on} if caller.expires_on else {}), said

    def _read(self, caller: Token, place: str) -> None:
        """Tokens, and what they may do, are read with a permission of their own."""
        self._own(caller, place)
        if not caller.has("Account API Tokens Read", ACCOUNT):
            raise Refused(403, 9109, "Unauthorized to access requested resource")

    def _show_token(self, caller: Token, _: Came, place: str, token_id: str) -> Result:
        self._read(caller, place)
        return self._find_token(caller, token_id).shown(), {}

    def _groups(self, caller: Token, _: Came, place: str) -> Result:
        self._read(caller, place)
        return [
            {"id": ident, "name": name, "scopes": [scope]}
            | ({"is_selectable": name not in caller.withheld} if self.has_selectable else {})
            for (name, scope), ident in GROUPS.items()
        ], {}

    def _list_tokens(self, caller: Token, came: Came, place: str) -> Result:
        self._read(caller, place)
        mine = [
            one.shown()
            for one in self.tokens.values()
            if (one.owner, one.account_id) == (caller.owner, caller.account_id)
        ]
        return self._paged(mine, came, default=20)

    def _create_token(self, caller: Token, came: Came, place: str) -> Result:
        self._managed(caller, place)
        body = json.loads(came.body)
        withheld = {GROUPS[name, scope] for name, scope in GROUPS if name in caller.withheld}
        asked = {one["id"] for policy in body["policies"] for one in policy["permission_groups"]}
        if asked & withheld or not asked <= set(GROUPS.values()):
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
            scope for (_, scope), ident in GROUPS.items() if ident in {g["id"] for g in policy["permission_groups"]}
        }
        inner = {ACCOUNT: "*", ZONE: {f"{ZONE}.*": "*"}}
        assert len(scopes) == 1
        assert policy["resources"] == {f"{ACCOUNT}.{account_id}": inner[scopes.pop()]}

    def _roll_token(self, caller: Token, _: Came, place: str, token_id: str) -> Result:
        self._managed(caller, place)
        found = self._find_token(caller, token_id)
        found.value = self._value(found.owner)
        return found.value, {}

    def _delete_token(self, caller: Token, _: Came, place: str, token_id: str) -> Result:
        self._managed(caller, place)
        del self.tokens[self._find_token(caller, token_id).id]
        return {"id": token_id}, {}

    def _find_token(self, caller: Token, token_id: str) -> Token:
        found = self.tokens.get(token_id)
        if found is None or (found.owner, found.account_id) != (caller.owner, caller.account_id):
            raise Refused(404, 1003, "Token not found")
        return found

    def _account(self, caller: Token, _: Came, account_id: str) -> Result:
        if account_id != caller.account_id or not caller.has("Account Settings Read", ACCOUNT):
            raise Refused(403, 9109, "Unauthorized to access requested resource")
        return {"id": account_id, "name": self.accounts[account_id]}, {}
