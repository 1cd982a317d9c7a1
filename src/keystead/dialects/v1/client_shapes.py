"""The native API's shapes of customers' programs and devices, and how they are presented."""

from datetime import datetime
from typing import Any

from keystead.dialects.v1.bases import Answer
from keystead.vpn import compatibility
from keystead.vpn.clientrules import ClientVersions
from keystead.vpn.clients import AccountClients, KeyClients, Requirements
from keystead.vpn.compatibility import Judged, Outcome
from keystead.vpn.devices import KeyDevices
from keystead.vpn.families import Family
from keystead.vpn.profiles.forms import Format


class ClientFamily(Answer):
    """A family of client programs and whether it connects now; ``reason`` says why not all of it does.

    ``given`` is the form its programs get unless they ask for one, ``reads`` are those they can read.
    """

    family: Family
    programs: str
    outcome: Outcome
    reason: str | None
    given: Format
    reads: list[Format]
    names_device: bool | None
    sources: list[str]


class UsedFamily(ClientFamily):
    """The same with when it last polled the key's subscription, to the day."""

    last_used_at: datetime | None


class CountedFamily(ClientFamily):
    """The same with the number of keys for which it polled in the last 30 days."""

    customers: int


class FormReaders(Answer):
    """A form of a subscription, and the families that read it, by whether they connect."""

    form: Format
    connects: list[Family]
    depends: list[Family]
    refused: list[Family]
    unknown: list[Family]


class Compatibility(Answer):
    """What decides who connects: the core's version and the client versions in force.

    ``client_versions_wanted`` differs when a stricter setting waits for the approval of an upgrade's plan.
    """

    core: str
    client_versions: ClientVersions
    client_versions_wanted: ClientVersions
    forms: list[FormReaders]


class KeyCompatibility(Compatibility):
    """Which families connect with a key. A key that is not active connects with none of them until it is again."""

    key_id: str
    key_number: int
    is_active: bool
    families: list[UsedFamily]


class AccountCompatibility(Compatibility):
    """Which families connect, and how many customers used each; ``other_customers`` used programs nobody knows."""

    families: list[CountedFamily]
    other_customers: int


class Device(Answer):
    """A device that fetches a key's subscription, as it describes itself, and when it did, to the day."""

    id: int
    system: str
    model: str
    first_at: datetime
    last_at: datetime


class DeviceList(Answer):
    """The devices that count towards a key's limit; null is no limit."""

    device_limit: int | None
    items: list[Device]


class Forgotten(Answer):
    """How many devices were forgotten."""

    forgotten: int


def key_compatibility(found: KeyClients) -> dict[str, Any]:
    """Present which families connect with a key."""
    judged = found.requirements.judged
    return {
        "key_id": found.key.public_id,
        "key_number": found.key.number,
        "is_active": found.key.is_active,
        **_standing(found.requirements, judged),
        "families": [{**_family(one), "last_used_at": found.last_used.get(one.row.family)} for one in judged],
    }


def account_compatibility(found: AccountClients) -> dict[str, Any]:
    """Present which families connect."""
    judged, customers = found.requirements.judged, found.customers
    return {
        **_standing(found.requirements, judged),
        "families": [{**_family(one), "customers": customers.get(one.row.family, 0)} for one in judged],
        "other_customers": customers.get(Family.OTHER, 0),
    }


def device_list(found: KeyDevices) -> dict[str, Any]:
    """Present a key's devices."""
    return {"device_limit": found.limit, "items": [device._asdict() for device in found.devices]}


def _standing(requirements: Requirements, judged: list[Judged]) -> dict[str, Any]:
    return {
        "core": requirements.core,
        "client_versions": requirements.versions.value,
        "client_versions_wanted": requirements.wanted.value,
        "forms": [_form(form, judged) for form in Format if form is not Format.PAGE],
    }


def _form(form: Format, judged: list[Judged]) -> dict[str, Any]:
    readers = compatibility.readers(form, judged)
    by_outcome = {
        outcome.value: [one.row.family.value for one in readers if one.fit.outcome is outcome] for outcome in Outcome
    }
    return {"form": form.value, **by_outcome}


def _family(one: Judged) -> dict[str, Any]:
    row = one.row
    return {
        "family": row.family.value,
        "programs": row.programs,
        "outcome": one.fit.outcome.value,
        "reason": one.fit.reason or None,
        "given": row.given.value,
        "reads": [form.value for form in row.reads],
        "names_device": row.sends_hwid,
        "sources": [*row.sources, *row.core.sources],
    }
