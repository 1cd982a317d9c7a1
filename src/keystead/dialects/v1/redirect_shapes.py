"""The native API's shapes of redirects, and the ways between them and the core."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from keystead.dialects.v1.bases import Answer, Body
from keystead.dialects.v1.zone_shapes import ZoneDifference
from keystead.operations.domains.redirects import BULK_MAX, BulkPut, ZoneRedirects
from keystead.providers.cloudflare_rules import BulkItem, SeenRule
from keystead.providers.redirect import EVERY_PATH
from keystead.providers.redirect import BulkRedirect as BulkValue
from keystead.providers.redirect import Redirect as RedirectValue
from keystead.vault.bulklists import ListCompared

_Url = Annotated[str, Field(min_length=1, max_length=2048)]
_Status = Literal[301, 302, 303, 307, 308]
_BulkStatus = Literal[301, 302, 307, 308]


class RedirectSet(Body):
    """A redirect; a zone has one for each host and path."""

    host: str = Field(max_length=255, examples=["www.example.com"], description="A name, or *.name for all below it.")
    path: str = Field(EVERY_PATH, max_length=2048, description="One path, or all below one with /* at its end.")
    target: _Url = Field(examples=["https://example.com"])
    status: _Status = 301
    keep_path: bool = Field(False, description="Put the path of the request behind the target.")
    keep_query: bool = Field(True, description="Keep the query of the request.")


class Redirect(Answer):
    """A redirect of a zone; where somebody rewrote it by hand, its ``expression`` is all that is known of it."""

    id: str
    source: str
    host: str | None
    path: str | None
    target: str | None
    status: int | None
    keep_path: bool | None
    keep_query: bool | None
    is_enabled: bool
    template: str | None = Field(description="The template that made it")
    expression: str | None = Field(description="Set where it was rewritten by hand")


class Redirects(Answer):
    """The redirects that were made here, in the order in which they are tried, and how many others there are."""

    items: list[Redirect]
    foreign: int


class BulkRedirectBody(Body):
    """A bulk redirect."""

    source: _Url = Field(examples=["example.com/old"], description="Host and path, with a scheme or for both.")
    target: _Url
    status: _BulkStatus = 301
    keep_query: bool = False
    include_subdomains: bool = False
    match_subpaths: bool = False
    keep_path_suffix: bool = False


class BulkRedirectsPut(Body):
    """Bulk redirects to be added, or changed where their source is there."""

    redirects: Annotated[list[BulkRedirectBody], Field(min_length=1, max_length=BULK_MAX)]


class BulkRedirectsRemove(Body):
    """Bulk redirects to be deleted."""

    sources: Annotated[list[_Url], Field(min_length=1, max_length=BULK_MAX)]


class BulkRedirect(Answer):
    """A bulk redirect that was made here."""

    source: str
    target: str
    status: int
    keep_query: bool
    include_subdomains: bool
    match_subpaths: bool
    keep_path_suffix: bool


class BulkRedirects(Answer):
    """All of them."""

    items: list[BulkRedirect]


class BulkRedirectsDone(Answer):
    """How many were added and changed, how many were right already, and how many there are now."""

    added: int
    changed: int
    same: int
    total: int


class BulkRedirectsDrift(Answer):
    """How the bulk redirects of an account differ from what is right there; null: not at all, as far as it was seen."""

    credential_id: int
    credential: str
    seen_at: AwareDatetime | None = Field(description="When they were looked at last; null: never")
    accepted_at: AwareDatetime | None = Field(description="When they were taken for right as a whole")
    redirects: ZoneDifference | None
    problem: str | None = Field(description="Why they could not be looked at last")


class BulkRedirectsRemoved(Answer):
    """How many were deleted."""

    removed: int


def value(wanted: RedirectSet) -> RedirectValue:
    """Return what a body says."""
    return RedirectValue(wanted.host, wanted.target, wanted.path, wanted.status, wanted.keep_path, wanted.keep_query)


def redirect(rule: SeenRule) -> dict[str, Any]:
    """Present a redirect."""
    said = rule.redirect
    return {
        "id": rule.ref,
        "source": rule.source,
        "host": None if said is None else said.host,
        "path": None if said is None else said.path,
        "target": None if said is None else said.target,
        "status": None if said is None else said.status,
        "keep_path": None if said is None else said.keeps_path,
        "keep_query": None if said is None else said.keeps_query,
        "is_enabled": rule.is_enabled,
        "template": rule.template,
        "expression": rule.expression if said is None else None,
    }


def redirects(found: ZoneRedirects) -> dict[str, Any]:
    """Present the redirects of a zone."""
    return {"items": [redirect(rule) for rule in found.ours], "foreign": found.foreign}


def bulk_values(wanted: BulkRedirectsPut) -> list[BulkValue]:
    """Return what a body says."""
    return [
        BulkValue(
            one.source,
            one.target,
            one.status,
            one.keep_query,
            one.include_subdomains,
            one.match_subpaths,
            one.keep_path_suffix,
        )
        for one in wanted.redirects
    ]


def bulk_redirects(found: Sequence[BulkItem]) -> dict[str, Any]:
    """Present bulk redirects."""
    return {"items": [_bulk(item.redirect) for item in found]}


def bulk_put(done: BulkPut) -> dict[str, Any]:
    """Present what a put did."""
    return {"added": done.added, "changed": done.changed, "same": done.same, "total": done.total}


def bulk_drift(credential_id: int, found: ListCompared) -> dict[str, Any]:
    """Present how bulk redirects differ."""
    return {"credential_id": credential_id, **asdict(found)}


def _bulk(one: BulkValue) -> dict[str, Any]:
    return {
        "source": one.source,
        "target": one.target,
        "status": one.status,
        "keep_query": one.keeps_query,
        "include_subdomains": one.includes_subdomains,
        "match_subpaths": one.matches_subpaths,
        "keep_path_suffix": one.keeps_path_suffix,
    }
