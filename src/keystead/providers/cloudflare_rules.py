"""Redirects in Cloudflare's words: rules of a ruleset and entries of a list, written and read. Pure.

Sources: the schemas ``RedirectRule``, ``Ruleset`` and ``lists`` of the official OpenAPI document, and
developers.cloudflare.com/rules/url-forwarding (read 2026-11). A rule is ours if its ``ref`` says so: a ref stays when a
rule is edited elsewhere, and no other rule is ever touched.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keystead.providers.cloudflare_answers import Json
from keystead.providers.errors import ProviderUnreadable
from keystead.providers.redirect import EVERY_PATH, BulkRedirect, Redirect

REF_PREFIX = "keystead-"
LIST_NAME = "keystead_redirects"
LIST_REF = f"{REF_PREFIX}bulk"
_KEY = "http.request.full_uri"
_SOURCE = re.compile(
    r'\((?:http\.host eq "(?P<host>[^"]+)"|ends_with\(http\.host, "\.(?P<below>[^"]+)"\))'
    r'(?: and (?:http\.request\.uri\.path eq "(?P<path>[^"]+)"'
    r'|starts_with\(http\.request\.uri\.path, "(?P<prefix>[^"]+)"\)))?\)'
)
_TARGET = re.compile(r'concat\("(?P<target>[^"]+)", http\.request\.uri\.path\)')
_DESCRIPTION = re.compile(r"Keystead(?: \(template (?P<template>[^)]+)\))?: (?P<source>.*)")


@dataclass(frozen=True)
class SeenRule:
    """A rule of a ruleset. ``redirect`` is None where a rule of ours says something that we never write.

    ``list_name`` is that of the list by which a rule redirects, of an account's rules.
    """

    id: str
    ref: str
    redirect: Redirect | None
    template: str | None
    is_enabled: bool
    expression: str
    description: str = ""
    list_name: str | None = None

    @property
    def source(self) -> str:
        """Return what it redirects; of a rule that was rewritten by hand, what it did when it was made."""
        if self.redirect is not None:
            return self.redirect.source
        described = _DESCRIPTION.fullmatch(self.description)
        return described["source"] if described else self.ref

    @property
    def is_ours(self) -> bool:
        """Tell whether it was made here."""
        return self.ref.startswith(REF_PREFIX)


@dataclass(frozen=True)
class Ruleset:
    """The rules of a phase, in their order."""

    id: str
    rules: tuple[SeenRule, ...]

    @property
    def ours(self) -> list[SeenRule]:
        """Return the rules that were made here."""
        return [rule for rule in self.rules if rule.is_ours]

    def find(self, ref: str) -> SeenRule | None:
        """Return the rule with a ref."""
        return next((rule for rule in self.rules if rule.ref == ref), None)


@dataclass(frozen=True)
class BulkItem:
    """An entry of our list, with its id there."""

    id: str
    redirect: BulkRedirect


@dataclass(frozen=True)
class SeenList:
    """What an account has of our bulk redirects: the entries of our list, and the rule of ours that looks into it."""

    items: tuple[BulkItem, ...] = ()
    rule: SeenRule | None = None


def ref_of(source: str) -> str:
    """Return the ref of the rule for a source."""
    return f"{REF_PREFIX}{hashlib.sha256(source.encode()).hexdigest()[:24]}"


def rule(redirect: Redirect, template: str | None) -> Json:
    """Return the rule that carries a redirect out; ``template`` names what asked for it, for people and for plans."""
    made_by = "Keystead" if template is None else f"Keystead (template {template})"
    return {
        "ref": ref_of(redirect.source),
        "description": f"{made_by}: {redirect.source}",
        "expression": _expression(redirect),
        "action": "redirect",
        "action_parameters": {
            "from_value": {
                "target_url": _target(redirect),
                "status_code": redirect.status,
                "preserve_query_string": redirect.keeps_query,
            }
        },
        "enabled": True,
    }


def list_rule() -> Json:
    """Return the rule that has an account look into our list."""
    return {
        "ref": LIST_REF,
        "description": "Keystead: bulk redirects",
        "expression": f"{_KEY} in ${LIST_NAME}",
        "action": "redirect",
        "action_parameters": {"from_list": {"name": LIST_NAME, "key": _KEY}},
        "enabled": True,
    }


def position(redirect: Redirect, ours: Sequence[SeenRule]) -> Json:
    """Return where a new rule goes: before the first of ours that is wider, else at the end, with no say of others'."""
    for seen in ours:
        if seen.redirect is not None and seen.redirect.order > redirect.order:
            return {"position": {"before": seen.id}}
    return {}


def ruleset(found: Any) -> Ruleset:
    """Read a ruleset."""
    if not isinstance(found, dict) or not found.get("id"):
        raise ProviderUnreadable("Cloudflare's answer lacks a ruleset", may_have_landed=True)
    return Ruleset(str(found["id"]), tuple(_seen(one) for one in found.get("rules") or ()))


def item(redirect: BulkRedirect) -> Json:
    """Return the entry of a list."""
    return {
        "redirect": {
            "source_url": redirect.source,
            "target_url": redirect.target,
            "status_code": redirect.status,
            "preserve_query_string": redirect.keeps_query,
            "include_subdomains": redirect.includes_subdomains,
            "subpath_matching": redirect.matches_subpaths,
            "preserve_path_suffix": redirect.keeps_path_suffix,
        }
    }


def seen_item(found: Json) -> BulkItem:
    """Read an entry of a list; what it does not say is the default of the API."""
    said = found.get("redirect")
    if not isinstance(said, dict) or not found.get("id"):
        raise ProviderUnreadable("Cloudflare's answer lacks a redirect of its list")
    redirect = BulkRedirect(
        source=str(said.get("source_url", "")),
        target=str(said.get("target_url", "")),
        status=int(said.get("status_code") or 301),
        keeps_query=said.get("preserve_query_string") is True,
        includes_subdomains=said.get("include_subdomains") is True,
        matches_subpaths=said.get("subpath_matching") is True,
        keeps_path_suffix=said.get("preserve_path_suffix") is True,
    )
    return BulkItem(str(found["id"]), redirect)


def _expression(redirect: Redirect) -> str:
    host, path = redirect.host, redirect.path
    met = f'ends_with(http.host, "{host[1:]}")' if host.startswith("*.") else f'http.host eq "{host}"'
    if path == EVERY_PATH:
        return f"({met})"
    below, exact = f'starts_with(http.request.uri.path, "{path[:-1]}")', f'http.request.uri.path eq "{path}"'
    return f"({met} and {below if path.endswith('/*') else exact})"


def _target(redirect: Redirect) -> Json:
    if not redirect.keeps_path:
        return {"value": redirect.target}
    return {"expression": f'concat("{redirect.target}", http.request.uri.path)'}


def _seen(found: Json) -> SeenRule:
    described = _DESCRIPTION.fullmatch(str(found.get("description") or ""))
    from_list = (found.get("action_parameters") or {}).get("from_list") or {}
    return SeenRule(
        id=str(found.get("id", "")),
        ref=str(found.get("ref") or ""),
        redirect=_redirect(found),
        template=described["template"] if described else None,
        is_enabled=found.get("enabled") is not False,
        expression=str(found.get("expression") or ""),
        description=str(found.get("description") or ""),
        list_name=str(from_list["name"]) if from_list.get("name") else None,
    )


def _redirect(found: Json) -> Redirect | None:
    said = ((found.get("action_parameters") or {}).get("from_value") or {}) if found.get("action") == "redirect" else {}
    source = _SOURCE.fullmatch(str(found.get("expression") or ""))
    wanted = said.get("target_url") or {}
    computed = _TARGET.fullmatch(str(wanted.get("expression") or ""))
    target = wanted.get("value") or (computed["target"] if computed else None)
    if source is None or not target:
        return None
    return Redirect(
        host=source["host"] or f"*.{source['below']}",
        target=str(target),
        path=source["path"] or (f"{source['prefix']}*" if source["prefix"] else EVERY_PATH),
        status=int(said.get("status_code") or 301),
        keeps_path=computed is not None,
        keeps_query=said.get("preserve_query_string") is True,
    )
