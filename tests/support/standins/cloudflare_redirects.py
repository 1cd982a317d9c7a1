"""Redirects of a Cloudflare on loopback: rulesets of zones and accounts, lists of redirects and operations on them.

- rulesets and their rules: the OpenAPI document; where a rule goes (``position``), and that a second entry point of a
  phase is refused: developers.cloudflare.com/ruleset-engine (2026)
- lists: the OpenAPI document; their entries, cursors and operations: Cloudflare's SDK for Python, 5.9.0
- the numbers of refusals: from memory and unchecked; nothing but their HTTP status is relied on
"""

import json
from typing import Any

from tests.support.standins.cloudflare_state import ACCOUNT, Refused, Result, Route, State, Token, now
from tests.support.standins.server import Came

_MISSING = "could not find entrypoint ruleset in the {phase} phase"


class Redirects(State):
    """Answers about redirects; an operation on a list runs for some looks at it, and fails with a problem."""

    def __init__(self) -> None:
        super().__init__()
        self.rulesets: dict[str, dict[str, Any]] = {}
        self.lists: dict[str, dict[str, Any]] = {}
        self.items: dict[str, list[dict[str, Any]]] = {}
        self.operations: dict[str, dict[str, Any]] = {}
        self.operation_looks = 1
        self.list_problem: str | None = None
        self.items_page_max = 500

    def redirect_routes(self) -> list[Route]:
        rulesets, lists = r"/(zones|accounts)/([^/]+)/rulesets", r"/accounts/([^/]+)/rules/lists"
        return [
            ("GET", f"{rulesets}/phases/([^/]+)/entrypoint", self._entry_point),
            ("POST", rulesets, self._create_ruleset),
            ("POST", f"{rulesets}/([^/]+)/rules", self._add_rule),
            ("PATCH", f"{rulesets}/([^/]+)/rules/([^/]+)", self._change_rule),
            ("DELETE", f"{rulesets}/([^/]+)/rules/([^/]+)", self._delete_rule),
            ("GET", f"{lists}/bulk_operations/([^/]+)", self._operation),
            ("GET", lists, self._list_lists),
            ("POST", lists, self._create_list),
            ("GET", f"{lists}/([^/]+)/items", self._list_items),
            ("PUT", f"{lists}/([^/]+)/items", self._replace_items),
            ("DELETE", f"{lists}/([^/]+)/items", self._delete_items),
        ]

    def add_foreign_rule(self, zone_id: str, description: str = "by hand") -> dict[str, Any]:
        """Put a rule into a zone that nobody here made."""
        made = self._rule(
            {
                "action": "redirect",
                "expression": '(http.host eq "shop.example.org")',
                "action_parameters": {"from_value": {"target_url": {"value": "https://example.net"}}},
                "description": description,
                "enabled": True,
            }
        )
        self._of(f"zones/{zone_id}", "http_request_dynamic_redirect")["rules"].append(made)
        return made

    def rules(self, zone_id: str) -> list[dict[str, Any]]:
        """Return the rules of a zone's redirects."""
        found = self._found(f"zones/{zone_id}", "http_request_dynamic_redirect")
        return [] if found is None else found["rules"]

    # --- rulesets

    def _entry_point(self, caller: Token, _: Came, kind: str, ident: str, phase: str) -> Result:
        self._may_rule(caller, kind, ident, "Read")
        found = self._found(f"{kind}/{ident}", phase)
        if found is None:
            raise Refused(404, 10003, _MISSING.format(phase=phase))
        return found, {}

    def _create_ruleset(self, caller: Token, came: Came, kind: str, ident: str) -> Result:
        self._may_rule(caller, kind, ident, "Write")
        body = json.loads(came.body)
        if self._found(f"{kind}/{ident}", body["phase"]) is not None:
            raise Refused(400, 20217, "'zone' is not a valid value for kind because exceeded maximum number")
        made = self._of(f"{kind}/{ident}", body["phase"])
        made["rules"] = [self._rule(one) for one in body["rules"]]
        return made, {}

    def _add_rule(self, caller: Token, came: Came, kind: str, ident: str, ruleset_id: str) -> Result:
        self._may_rule(caller, kind, ident, "Write")
        found, body = self._by_id(kind, ident, ruleset_id), json.loads(came.body)
        if any(one["ref"] == body.get("ref") for one in found["rules"]):
            raise Refused(400, 20120, "rule refs must be unique")
        before = (body.pop("position", None) or {}).get("before")
        at = next((at for at, one in enumerate(found["rules"]) if one["id"] == before), len(found["rules"]))
        found["rules"].insert(at, self._rule(body))
        return self._changed(found), {}

    def _change_rule(self, caller: Token, came: Came, kind: str, ident: str, ruleset_id: str, rule_id: str) -> Result:
        self._may_rule(caller, kind, ident, "Write")
        found = self._by_id(kind, ident, ruleset_id)
        self._find_rule(found, rule_id).update(json.loads(came.body), last_updated=now())
        return self._changed(found), {}

    def _delete_rule(self, caller: Token, _: Came, kind: str, ident: str, ruleset_id: str, rule_id: str) -> Result:
        self._may_rule(caller, kind, ident, "Write")
        found = self._by_id(kind, ident, ruleset_id)
        found["rules"].remove(self._find_rule(found, rule_id))
        return self._changed(found), {}

    def _may_rule(self, caller: Token, kind: str, ident: str, what: str) -> None:
        if kind == "zones":
            self._may(caller, f"Dynamic URL Redirects {what}")
            self._find_zone(caller, ident)
        else:
            self._may_account(caller, ident, f"Mass URL Redirects {what}")

    def _may_account(self, caller: Token, account_id: str, group: str) -> None:
        if account_id != caller.account_id or not caller.has(group, ACCOUNT):
            raise Refused(403, 10000, "Authentication error")

    def _found(self, place: str, phase: str) -> dict[str, Any] | None:
        return self.rulesets.get(f"{place} {phase}")

    def _of(self, place: str, phase: str) -> dict[str, Any]:
        kind = "zone" if place.startswith("zones") else "root"
        made = {"id": f"{next(self._numbers):032x}", "name": "default", "kind": kind, "phase": phase, "rules": []}
        return self.rulesets.setdefault(f"{place} {phase}", made | {"version": "1", "last_updated": now()})

    def _by_id(self, kind: str, ident: str, ruleset_id: str) -> dict[str, Any]:
        for place, one in self.rulesets.items():
            if one["id"] == ruleset_id and place.startswith(f"{kind}/{ident} "):
                return one
        raise Refused(404, 10000, "could not find ruleset")

    def _find_rule(self, ruleset: dict[str, Any], rule_id: str) -> dict[str, Any]:
        for one in ruleset["rules"]:
            if one["id"] == rule_id:
                return one  # type: ignore[no-any-return]
        raise Refused(404, 10001, "could not find rule")

    def _rule(self, body: dict[str, Any]) -> dict[str, Any]:
        ident = f"{next(self._numbers):032x}"
        return {"id": ident, "version": "1", "last_updated": now(), "ref": ident, "enabled": True, **body}

    def _changed(self, ruleset: dict[str, Any]) -> dict[str, Any]:
        ruleset["version"] = str(int(ruleset["version"]) + 1)
        return ruleset

    # --- lists

    def _list_lists(self, caller: Token, _: Came, account_id: str) -> Result:
        self._may_account(caller, account_id, "Account Rule Lists Read")
        return [self._shown(one) for one in self.lists.values() if one["account"] == account_id], {}

    def _create_list(self, caller: Token, came: Came, account_id: str) -> Result:
        self._may_account(caller, account_id, "Account Rule Lists Write")
        ident = f"{next(self._numbers):032x}"
        body = json.loads(came.body)
        if any(one["name"] == body["name"] and one["account"] == account_id for one in self.lists.values()):
            raise Refused(400, 10020, "list name already exists")
        self.lists[ident] = {**body, "id": ident, "account": account_id, "created_on": now(), "modified_on": now()}
        self.items[ident] = []
        return self._shown(self.lists[ident]), {}

    def _shown(self, one: dict[str, Any]) -> dict[str, Any]:
        shown = {name: value for name, value in one.items() if name != "account"}
        return shown | {"num_items": len(self.items[one["id"]]), "num_referencing_filters": 0}

    def _list_items(self, caller: Token, came: Came, account_id: str, list_id: str) -> Result:
        self._may_account(caller, account_id, "Account Rule Lists Read")
        found = self.items[self._find_list(account_id, list_id)]
        size = min(int(came.query.get("per_page", 25)), self.items_page_max)
        begin = int(came.query.get("cursor", "at-0").removeprefix("at-"))
        after = {"after": f"at-{begin + size}"} if begin + size < len(found) else {}
        return found[begin : begin + size], {"result_info": {"cursors": after}}

    def _replace_items(self, caller: Token, came: Came, account_id: str, list_id: str) -> Result:
        self._may_account(caller, account_id, "Account Rule Lists Write")
        body = json.loads(came.body)
        assert len({one["redirect"]["source_url"] for one in body}) == len(body)
        made = [{"id": f"{next(self._numbers):032x}", "created_on": now(), "modified_on": now(), **one} for one in body]
        return self._begun(self._find_list(account_id, list_id), made), {}

    def _delete_items(self, caller: Token, came: Came, account_id: str, list_id: str) -> Result:
        self._may_account(caller, account_id, "Account Rule Lists Write")
        gone = {one["id"] for one in json.loads(came.body)["items"]}
        found = self._find_list(account_id, list_id)
        return self._begun(found, [one for one in self.items[found] if one["id"] not in gone]), {}

    def _find_list(self, account_id: str, list_id: str) -> str:
        if self.lists.get(list_id, {}).get("account") != account_id:
            raise Refused(404, 10009, "could not find list")
        return list_id

    def _begun(self, list_id: str, items: list[dict[str, Any]]) -> dict[str, Any]:
        ident = f"{next(self._numbers):032x}"
        self.operations[ident] = {"looks": self.operation_looks, "list": list_id, "items": items}
        return {"operation_id": ident}

    def _operation(self, caller: Token, _: Came, account_id: str, operation_id: str) -> Result:
        self._may_account(caller, account_id, "Account Rule Lists Read")
        found = self.operations[operation_id]
        if found["looks"] > 0:
            found["looks"] -= 1
            return {"id": operation_id, "status": "running"}, {}
        ended = {"id": operation_id, "completed": now()}
        if self.list_problem is not None:
            return ended | {"status": "failed", "error": self.list_problem}, {}
        self.items[found["list"]] = found["items"]
        return ended | {"status": "completed"}, {}
