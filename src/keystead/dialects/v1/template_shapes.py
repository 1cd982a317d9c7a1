"""The native API's shapes of templates and rollouts, and the ways between them and the core."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from keystead.dialects.v1 import redirect_shapes
from keystead.dialects.v1.bases import Answer, Body
from keystead.dialects.v1.redirect_shapes import RedirectSet
from keystead.vault.rolloutvalue import ZONES_MAX, Selection, Stage, ZoneResult
from keystead.vault.rolloutvalue import Rollout as RolloutFound
from keystead.vault.store.templates import Kept
from keystead.vault.templateplan import Kind, Verb
from keystead.vault.templatevalue import RECORDS_MAX, REDIRECTS_MAX, RecordWish, template_of
from keystead.vault.templatevalue import Template as TemplateValue

TemplateName = Annotated[str, Field(min_length=1, max_length=40)]
_ZoneText = Annotated[str, Field(min_length=1, max_length=255)]
_Value = Annotated[str, Field(max_length=255)]
Outcome = Literal["waiting", "planned", "same", "applying", "done", "failed", "refused"]


class TemplateRecord(Body):
    """A DNS record; texts may hold placeholders: {domain}, {label}, and any that an application gives a value."""

    type: Literal["A", "AAAA", "CNAME", "MX", "NS", "TXT"]
    name: str = Field(max_length=255, examples=["@"], description="@ for the zone itself, or a name below it.")
    content: str = Field(max_length=2048, examples=["{ip}"])
    ttl: int = Field(1, description="Seconds; 1 is automatic.")
    proxied: bool = False
    priority: int | None = Field(None, description="Of MX; 10 where it is left out.")


class TemplateSet(Body):
    """What a template says: all of each name and type in it, and its redirects."""

    records: Annotated[list[TemplateRecord], Field(max_length=RECORDS_MAX)] = Field([])
    redirects: Annotated[list[RedirectSet], Field(max_length=REDIRECTS_MAX)] = Field([])


class Template(Answer):
    """A template."""

    name: str
    records: list[TemplateRecord]
    redirects: list[RedirectSet]
    placeholders: list[str] = Field(description="Those that need a value")
    created_at: datetime
    changed_at: datetime


class Templates(Answer):
    """All templates, by name."""

    items: list[Template]


class RolloutPlan(Body):
    """A template for zones, by id or name, or for every one."""

    template: TemplateName
    zones: Annotated[list[_ZoneText], Field(max_length=ZONES_MAX)] = Field([], description="Ids or names.")
    every: bool = False
    values: dict[str, _Value] = Field({}, description="Values of placeholders.")


class RolloutStart(Body):
    """The plan that was reviewed, by its digest; ``force`` names zones that may lose more than usual, or the digest."""

    digest: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    force: Annotated[list[_ZoneText], Field(max_length=ZONES_MAX)] = Field([])


class Rollout(Answer):
    """A rollout as it stands: ``done`` of ``total`` zones are planned, or changed.

    ``unsafe`` says why it needs to be forced; ``message`` what it waits for, or why it failed.
    """

    id: int
    template: str
    state: Stage
    digest: str | None
    done: int
    total: int
    create: int
    change: int
    delete: int
    left: int = Field(description="Records and rules that are others' and stay as they are")
    outcomes: dict[str, int]
    unsafe: list[str]
    message: str | None
    created_at: datetime


class RolloutList(Answer):
    """Rollouts, the newest first."""

    items: list[Rollout]
    next: int | None


class RolloutStep(Answer):
    """One change."""

    verb: Verb
    kind: Kind
    subject: str
    before: str | None
    after: str | None
    reason: str | None


class RolloutZone(Answer):
    """What a rollout does to a zone, and what became of it."""

    position: int
    zone_id: int
    zone: str
    outcome: Outcome
    create: int
    change: int
    delete: int
    left: int
    reason: str | None
    steps: list[RolloutStep]


class RolloutZones(Answer):
    """A page of them."""

    items: list[RolloutZone]
    next: int | None


def value(name: str, wanted: TemplateSet) -> TemplateValue:
    """Return what a body says."""
    records = tuple(RecordWish(**one.model_dump()) for one in wanted.records)
    return TemplateValue(name, records, tuple(redirect_shapes.value(one) for one in wanted.redirects))


def selection(wanted: RolloutPlan) -> Selection:
    """Return which zones a body means."""
    return Selection(tuple(wanted.zones), wanted.every)


def template(kept: Kept) -> dict[str, Any]:
    """Present a template."""
    found = template_of(kept.name, kept.body)
    return {
        "name": kept.name,
        "records": [vars(one) for one in found.records],
        "redirects": [
            {
                "host": one.host,
                "path": one.path,
                "target": one.target,
                "status": one.status,
                "keep_path": one.keeps_path,
                "keep_query": one.keeps_query,
            }
            for one in found.redirects
        ],
        "placeholders": sorted(found.placeholders),
        "created_at": kept.created_at,
        "changed_at": kept.changed_at,
    }


def rollout(found: RolloutFound) -> dict[str, Any]:
    """Present a rollout."""
    totals = found.totals
    return {
        "id": found.number,
        "template": found.template,
        "state": found.stage.value,
        "digest": found.digest,
        "done": found.done,
        "total": found.total,
        "create": totals.creates,
        "change": totals.changes,
        "delete": totals.deletes,
        "left": totals.left,
        "outcomes": dict(totals.outcomes),
        "unsafe": list(found.unsafe),
        "message": found.message,
        "created_at": found.created_at,
    }


def zone(found: ZoneResult) -> dict[str, Any]:
    """Present what a rollout does to a zone."""
    return {
        "position": found.position,
        "zone_id": found.zone_id,
        "zone": found.zone,
        "outcome": found.outcome,
        "create": found.creates,
        "change": found.changes,
        "delete": found.deletes,
        "left": found.left,
        "reason": found.reason,
        "steps": [
            {
                "verb": step.verb.value,
                "kind": step.kind.value,
                "subject": step.subject,
                "before": step.before,
                "after": step.after,
                "reason": step.reason,
            }
            for step in found.steps
        ],
    }
