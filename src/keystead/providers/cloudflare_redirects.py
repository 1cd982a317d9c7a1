"""Cloudflare's redirects: single ones are rules of a zone, bulk ones entries of a list of the account.

Sources: the official OpenAPI document; developers.cloudflare.com/rules/url-forwarding and …/ruleset-engine (read
2026-11). Rules are added, changed and deleted one by one: to replace an entry point's rules as a whole would take away
those of others (StackExchange/dnscontrol#695). The account's list with our name is ours as a whole; what is done to its
entries is an operation that goes on after its answer, and is asked about until it has ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from keystead.kit.clock import Clock
from keystead.kit.errors import Conflict
from keystead.providers import cloudflare_answers as answers
from keystead.providers import cloudflare_rules as rules
from keystead.providers.cloudflare_answers import Json
from keystead.providers.cloudflare_calls import Calls
from keystead.providers.cloudflare_rules import BulkItem, Ruleset, SeenList
from keystead.providers.errors import ProviderRejected, ProviderUnavailable, ProviderUnreadable
from keystead.providers.redirect import BulkRedirect, Redirect
from keystead.providers.transport import Repeat

ZONE_PHASE, ACCOUNT_PHASE = "http_request_dynamic_redirect", "http_request_redirect"
_ITEMS_PAGE_SIZE = 500
_PAGES_MAX = 1_000
# How long an operation on a list is waited for; ten thousand entries take Cloudflare some seconds.
_OPERATION_WAITS_S = (0.2, 0.5, 1.0, *(2.0,) * 15)
_NOT_FOUND = 404
# "Could not route to …": there is no such zone at all, rather than no rules in it.
_NO_ROUTE = frozenset({7000, 7003})
_KINDS = {ZONE_PHASE: "zone", ACCOUNT_PHASE: "root"}


@dataclass(frozen=True)
class RedirectList:
    """The account's list of redirects that is ours."""

    id: str
    count: int


class Redirects(Calls):
    """What is asked about redirects."""

    # --- single ones

    async def redirect_rules(self, zone_id: str) -> Ruleset | None:
        """Return the rules of a zone's redirects, ours and others'; None while the zone has none."""
        return await self._entry_point(f"/zones/{zone_id}", ZONE_PHASE)

    async def set_redirect(self, zone_id: str, redirect: Redirect) -> bool:
        """Make a redirect of ours be as it is told; return whether it is new. No other rule is touched."""
        present = await self.redirect_rules(zone_id)
        await self._set_rule(zone_id, present, redirect, None)
        return present is None or present.find(rules.ref_of(redirect.source)) is None

    async def change_redirects(
        self, zone_id: str, *, gone: Sequence[str], wanted: Sequence[Redirect], template: str
    ) -> None:
        """Delete redirects of ours by their refs, and make others be as a template says; rules are read once."""
        present = await self.redirect_rules(zone_id)
        for rule in () if present is None else present.ours:
            if rule.ref in gone and present is not None:
                await self._delete(f"/zones/{zone_id}/rulesets/{present.id}/rules/{rule.id}")
                present = replace(present, rules=tuple(one for one in present.rules if one is not rule))
        for redirect in wanted:
            present = await self._set_rule(zone_id, present, redirect, template)

    async def delete_redirect(self, zone_id: str, ref: str) -> bool:
        """Delete a redirect of ours by its ref; return False when none of ours has it."""
        place = f"/zones/{zone_id}"
        present = await self._entry_point(place, ZONE_PHASE)
        same = None if present is None else present.find(ref)
        if present is None or same is None or not same.is_ours:
            return False
        return await self._delete(f"{place}/rulesets/{present.id}/rules/{same.id}")

    async def _set_rule(
        self, zone_id: str, present: Ruleset | None, redirect: Redirect, template: str | None
    ) -> Ruleset:
        """Add a rule, or change the one with its ref; return all rules as they are then."""
        place, wanted = f"/zones/{zone_id}", rules.rule(redirect, template)
        same = None if present is None else present.find(wanted["ref"])
        if present is None or same is None:
            there = {} if present is None else rules.position(redirect, present.ours)
            return await self._add_rule(place, ZONE_PHASE, present, wanted | there)
        return rules.ruleset(await self._set("PATCH", f"{place}/rulesets/{present.id}/rules/{same.id}", wanted))

    # --- bulk ones

    async def redirect_list(self, account_id: str) -> RedirectList | None:
        """Return our list of an account; raise Conflict when its name is another kind of list's."""
        for one in await self._get(_lists(account_id)) or ():
            if one.get("name") == rules.LIST_NAME:
                if one.get("kind") != "redirect":
                    raise Conflict(f"the account has a list named {rules.LIST_NAME} that is not one of redirects")
                return RedirectList(str(one["id"]), int(one.get("num_items") or 0))
        return None

    async def bulk_redirects(self, account_id: str) -> list[BulkItem]:
        """Return the entries of our list: every page."""
        present = await self.redirect_list(account_id)
        return [] if present is None else await self._items(account_id, present.id)

    async def seen_list(self, account_id: str) -> SeenList:
        """Return what the account has of ours; a list of our name that is not one of redirects is nothing of ours."""
        try:
            present = await self.redirect_list(account_id)
        except Conflict:
            present = None
        if present is None:
            return SeenList()
        items = await self._items(account_id, present.id)
        point = await self._entry_point(f"/accounts/{account_id}", ACCOUNT_PHASE)
        return SeenList(tuple(items), None if point is None else point.find(rules.LIST_REF))

    async def put_bulk_redirects(self, account_id: str, redirects: Sequence[BulkRedirect], clock: Clock) -> None:
        """Make these be all entries of our list, in one operation, and have the account look into it.

        Raises ProviderRejected with Cloudflare's reason when the operation fails: then nothing has changed.
        """
        present = await self.redirect_list(account_id)
        list_id = await self._make_list(account_id) if present is None else present.id
        await self._operate(account_id, list_id, "PUT", [rules.item(one) for one in redirects], clock)
        await self._look_into_list(account_id)

    async def delete_bulk_redirects(self, account_id: str, ids: Sequence[str], clock: Clock) -> None:
        """Delete entries of our list by their ids, in one operation."""
        present = await self.redirect_list(account_id)
        if present is not None and ids:
            await self._operate(account_id, present.id, "DELETE", {"items": [{"id": ident} for ident in ids]}, clock)

    async def _make_list(self, account_id: str) -> str:
        body = {"name": rules.LIST_NAME, "kind": "redirect", "description": "Made by Keystead: its bulk redirects"}

        async def find() -> Json | None:
            present = await self.redirect_list(account_id)
            return None if present is None else {"id": present.id}

        made = await self._made(self._change("POST", _lists(account_id), body), find)
        return str(made["id"])

    async def _look_into_list(self, account_id: str) -> None:
        """Have a rule of ours send requests by the list; one that is there is left as it is."""
        place = f"/accounts/{account_id}"
        present = await self._entry_point(place, ACCOUNT_PHASE)
        if present is None or present.find(rules.LIST_REF) is None:
            await self._add_rule(place, ACCOUNT_PHASE, present, rules.list_rule())

    async def _items(self, account_id: str, list_id: str) -> list[BulkItem]:
        found: list[BulkItem] = []
        query = {"per_page": str(_ITEMS_PAGE_SIZE)}
        for _ in range(_PAGES_MAX):
            path = f"{_lists(account_id)}/{list_id}/items"
            page = answers.page(await self._send(self._ask("GET", path, Repeat.HARMLESS, query=query)))
            found += [rules.seen_item(one) for one in page.items]
            if page.after is None:
                break
            query["cursor"] = page.after
        return found

    async def _operate(self, account_id: str, list_id: str, method: str, body: Json | list[Json], clock: Clock) -> None:
        """Begin an operation on a list and wait for its end; raise ProviderUnavailable when that takes too long."""
        path, raw = f"{_lists(account_id)}/{list_id}/items", orjson.dumps(body)
        ask = self._ask_raw(method, path, Repeat.HARMLESS, raw=raw, media_type="application/json")
        begun: Any = answers.result(await self._send(ask), has_effect=True)
        operation = str((begun or {}).get("operation_id") or "")
        if not operation:
            raise ProviderUnreadable("Cloudflare's answer lacks an operation", may_have_landed=True)
        for wait_s in _OPERATION_WAITS_S:
            told = await self._get(f"{_lists(account_id)}/bulk_operations/{operation}")
            match told.get("status"):
                case "completed":
                    return
                case "failed":
                    text = str(told.get("error") or "")
                    raise ProviderRejected("Cloudflare could not change its list of redirects", text=text)
            await clock.sleep(wait_s)
        raise ProviderUnavailable("Cloudflare is still changing its list of redirects", may_have_landed=True)

    # --- rules

    async def _entry_point(self, place: str, phase: str) -> Ruleset | None:
        try:
            return rules.ruleset(await self._get(f"{place}/rulesets/phases/{phase}/entrypoint"))
        except ProviderRejected as refusal:
            if refusal.status != _NOT_FOUND or refusal.number in _NO_ROUTE:
                raise
            return None

    async def _add_rule(self, place: str, phase: str, present: Ruleset | None, rule: Json) -> Ruleset:
        """Add a rule, with the entry point itself while there is none; without an answer, look whether it is there."""

        async def find() -> Ruleset | None:
            found = await self._entry_point(place, phase)
            return found if found is not None and found.find(rule["ref"]) is not None else None

        if present is None:
            bare = {name: value for name, value in rule.items() if name != "position"}
            body = {"name": "default", "kind": _KINDS[phase], "phase": phase, "rules": [bare]}
            try:
                return await self._made(self._new_ruleset(place, body), find)
            except ProviderRejected:
                # Somebody else may have made it meanwhile; if not, the refusal stands.
                present = await self._entry_point(place, phase)
                if present is None:
                    raise
        return await self._made(self._new_rule(f"{place}/rulesets/{present.id}/rules", rule), find)

    async def _new_ruleset(self, place: str, body: Json) -> Ruleset:
        return rules.ruleset(await self._change("POST", f"{place}/rulesets", body))

    async def _new_rule(self, path: str, rule: Json) -> Ruleset:
        return rules.ruleset(await self._change("POST", path, rule))


def _lists(account_id: str) -> str:
    return f"/accounts/{account_id}/rules/lists"
