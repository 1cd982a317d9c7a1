"""The native API's shapes of zones and DNS records, and how they are presented."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from keystead.dialects.v1.bases import Answer, Body
from keystead.dialects.v1.routes.asking import NUMBER_MAX
from keystead.kit.errors import Invalid, KeysteadError
from keystead.operations.domains.records import Action, RecordChange, RecordOutcome
from keystead.operations.domains.zones import SettingsChanged, SyncedAll
from keystead.providers.cloudflare_answers import Json
from keystead.providers.cloudflare_records import BATCH_MAX, Imported
from keystead.providers.errors import ProviderRejected
from keystead.vault.contents import Compared
from keystead.vault.store.zones import Zone as StoredZone

RECORD_ID = r"^[A-Za-z0-9]{1,64}$"
SETTING = r"^[a-z0-9_]{1,64}$"
FILES_MAX = 500

RecordId = Annotated[str, StringConstraints(pattern=RECORD_ID)]
SettingName = Annotated[str, StringConstraints(pattern=SETTING)]
UsedCredential = Annotated[
    int | None, Field(ge=1, le=NUMBER_MAX, description="The credential; unset: the only one of Cloudflare")
]


class ZoneCreate(Body):
    """A zone to be made."""

    name: str = Field(examples=["example.com"])
    credential_id: UsedCredential = None


class ZonesSync(Body):
    """Whose zones are read."""

    credential_id: int | None = Field(
        None, ge=1, le=NUMBER_MAX, description="The credential; unset: every active one of Cloudflare"
    )


class Zone(Answer):
    """A zone at a provider, as it was last seen."""

    id: int
    credential_id: int
    remote_id: str = Field(description="The provider's id of the zone")
    name: str
    status: str = Field(description="active, pending or error")
    plan: str
    name_servers: list[str]
    missing_since: AwareDatetime | None = Field(description="Since when it is no longer at the provider")
    synced_at: AwareDatetime
    check_at: AwareDatetime | None = Field(description="When a pending zone is looked at again by itself")


class ZoneList(Answer):
    """A page of zones."""

    items: list[Zone]
    next: int | None


class ZoneDifference(Answer):
    """How what is there differs from what is right, as lines for people; both are cut after twenty."""

    expected: list[str]
    seen: list[str] = Field(examples=[["changed: A www.example.com: 198.51.100.7"]])


class ZoneDrift(Answer):
    """How a zone differs from what is right there; null: not at all, as far as it was looked at."""

    zone_id: int
    zone: str
    seen_at: AwareDatetime | None = Field(description="When it was looked into last; null: never")
    accepted_at: AwareDatetime | None = Field(description="When what it held was taken for right as a whole")
    records: ZoneDifference | None
    redirects: ZoneDifference | None
    problem: str | None = Field(description="Why it could not be looked into last")


class SyncProblem(Answer):
    """A credential whose zones could not be read."""

    credential_id: int
    detail: str


class Synced(Answer):
    """What a sync took over."""

    zones: int
    domains: int
    foreign: list[str] = Field(description="Zones that another account has")
    problems: list[SyncProblem]


class RecordCreate(Body):
    """A new record."""

    type: str = Field(examples=["A"], min_length=1, max_length=16)
    name: str = Field(examples=["www"], min_length=1, max_length=255, description="@ is the zone itself")
    content: str | None = Field(None, examples=["192.0.2.1"])
    ttl: int = Field(1, ge=1, description="Seconds; 1 is the provider's choice")
    proxied: bool | None = None
    priority: int | None = Field(None, ge=0, le=65535)
    comment: str | None = None
    data: dict[str, Any] | None = Field(None, description="Of types that have no content, such as SRV")


class RecordUpdate(Body):
    """What changes about a record; what is not named stays."""

    type: str | None = Field(None, min_length=1, max_length=16)
    name: str | None = Field(None, min_length=1, max_length=255)
    content: str | None = None
    ttl: int | None = Field(None, ge=1)
    proxied: bool | None = None
    priority: int | None = Field(None, ge=0, le=65535)
    comment: str | None = None
    data: dict[str, Any] | None = None


class RecordUpdateOf(RecordUpdate):
    """The same, of a record."""

    id: RecordId


class RecordsChange(Body):
    """Changes of a zone's records: deletes first, then updates, then creates."""

    delete: list[RecordId] = Field([], max_length=BATCH_MAX)
    update: list[RecordUpdateOf] = Field([], max_length=BATCH_MAX)
    create: list[RecordCreate] = Field([], max_length=BATCH_MAX)


class Record(Answer):
    """A DNS record as its provider has it."""

    id: str
    type: str
    name: str
    content: str | None
    ttl: int | None
    proxied: bool | None
    priority: int | None
    comment: str | None
    data: dict[str, Any] | None


class RecordList(Answer):
    """All records of a zone."""

    items: list[Record]


class RecordResult(Answer):
    """How one change went."""

    action: Literal["create", "update", "delete"]
    id: str | None
    record: Record | None = Field(description="As it is now; of a delete null")
    detail: str | None = Field(description="Why it was not made")


class RecordResults(Answer):
    """How each change went, in the order of the body."""

    items: list[RecordResult]
    failed: int


class ZoneFile(Answer):
    """A zone's records as a zone file."""

    zone_file: str


class ZoneFileImport(Body):
    """A zone file whose records are added."""

    zone_file: str = Field(min_length=1)
    proxied: bool = False


class ImportedRecords(Answer):
    """How many records were added, of how many the file has."""

    added: int
    parsed: int


class Settings(Answer):
    """A zone's settings by name."""

    settings: dict[str, Any]


class SettingsUpdate(Body):
    """Settings to be set."""

    settings: dict[SettingName, Any] = Field(min_length=1, max_length=50)


class SettingsResult(Answer):
    """Settings that are in force, and why others are not."""

    settings: dict[str, Any]
    refused: dict[str, str]


class CachePurge(Body):
    """URLs to take out of a cache."""

    files: list[str] | None = Field(None, min_length=1, max_length=FILES_MAX, description="Unset: everything")


def zone_drift(zone_id: int, found: Compared) -> dict[str, Any]:
    """Present how a zone differs."""
    return {"zone_id": zone_id, **asdict(found)}


def zone(found: StoredZone) -> dict[str, Any]:
    """Present a zone."""
    values = {name: getattr(found, name) for name in Zone.model_fields}
    return Zone(**values).model_dump(mode="json")


def synced(found: SyncedAll) -> dict[str, Any]:
    """Present a sync."""
    problems = [{"credential_id": one.credential_id, "detail": one.error.message} for one in found.failures]
    return {"zones": found.zones, "domains": found.domains, "foreign": list(found.foreign), "problems": problems}


def record(found: Json) -> dict[str, Any]:
    """Present a record."""
    return {name: found.get(name) for name in Record.model_fields}


def records(found: Sequence[Json]) -> dict[str, Any]:
    """Present all records of a zone."""
    return {"items": [record(one) for one in found]}


def created(wanted: RecordCreate) -> RecordChange:
    """Return what a body says about a new record."""
    return RecordChange(Action.CREATE, record=wanted.model_dump(exclude_none=True))


def updated(record_id: str, wanted: RecordUpdate) -> RecordChange:
    """Return what a body says about a record; raise Invalid when it changes nothing."""
    changes = wanted.model_dump(exclude_unset=True, exclude={"id"})
    if not changes:
        raise Invalid("nothing is to be changed", fields={"body": "name a field"})
    return RecordChange(Action.UPDATE, record_id, changes)


def changed(wanted: RecordsChange) -> list[RecordChange]:
    """Return what a body says about many records; raise Invalid when it says nothing or too much."""
    changes = [
        *(RecordChange(Action.DELETE, ident) for ident in wanted.delete),
        *(updated(one.id, one) for one in wanted.update),
        *(created(one) for one in wanted.create),
    ]
    if not 0 < len(changes) <= BATCH_MAX:
        raise Invalid("the batch is empty or too large", fields={"body": f"name 1 to {BATCH_MAX} changes"})
    return changes


def results(outcomes: Sequence[RecordOutcome]) -> dict[str, Any]:
    """Present how changes went."""
    return {
        "items": [
            {
                "action": one.change.action.value,
                "id": str(one.record["id"]) if one.record and "id" in one.record else one.change.record_id or None,
                "record": record(one.record) if one.record and one.change.action is not Action.DELETE else None,
                "detail": None if one.error is None else _reason(one.error),
            }
            for one in outcomes
        ],
        "failed": sum(one.error is not None for one in outcomes),
    }


def imported(found: Imported) -> dict[str, Any]:
    """Present an import."""
    return {"added": found.added, "parsed": found.parsed}


def settings(found: Sequence[Json]) -> dict[str, Any]:
    """Present settings by name."""
    return {"settings": {str(one.get("id")): one.get("value") for one in found}}


def settings_result(found: SettingsChanged) -> dict[str, Any]:
    """Present settings that were set, and those that were refused."""
    return {"settings": dict(found.changed), "refused": {name: _reason(one) for name, one in found.refused.items()}}


def _reason(error: KeysteadError) -> str:
    """Return the provider's own sentence where it has one."""
    return error.text if isinstance(error, ProviderRejected) and error.text else error.message
