"""What a customer comes along without where a source has it wrong: the moment it was made, and limits.

Used by the readers: a record that is broken here costs the customer this much, told in a sentence, and not the key.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from keystead.importing import fields
from keystead.importing.fields import Record
from keystead.importing.found import FoundCustomer, NotCarried, What
from keystead.kit.errors import Invalid
from keystead.vpn.termvalue import ADDRESSES_MAX, DEVICES_MAX

_ADDRESSES_FROM_HERE = (
    "limits of addresses come along and hold from the first connection on, also where the panel only had them written"
)
_DEVICES_FROM_HERE = (
    "limits of devices come along and hold from here on, also where the panel's own are switched off: devices are "
    "counted anew, and a program that does not name its device gets no profile"
)


class Made(NamedTuple):
    """When a customer was made, None where that is not known, and what is to be told of it."""

    at: datetime | None
    told: list[NotCarried]


class Limit(NamedTuple):
    """A limit, None for no limit, and what is to be told of it."""

    most: int | None
    told: list[NotCarried]


def made(read: Callable[[], datetime | None]) -> Made:
    """Return when a customer was made; a moment that makes no sense is none, and told."""
    try:
        return Made(read(), [])
    except Invalid as error:
        sentence = f"{error.message}; it counts as made at the moment of the import"
        return Made(None, [NotCarried(What.RECORD, sentence)])


def address_limit(record: Record, name: str) -> Limit:
    """Return from how many addresses at a time a customer connects; missing, null and 0 are no limit."""
    return _limit(record, name, ADDRESSES_MAX, "addresses")


def device_limit(record: Record, name: str) -> Limit:
    """Return how many devices fetch a customer's subscription; missing, null and 0 are no limit."""
    return _limit(record, name, DEVICES_MAX, "devices")


def limits_told(customers: Iterable[FoundCustomer]) -> list[NotCarried]:
    """Return what is to be known of limits that come along, each once for all who have one."""
    found = [customer.terms for customer in customers]
    kinds = (
        (_ADDRESSES_FROM_HERE, any(terms.address_limit is not None for terms in found)),
        (_DEVICES_FROM_HERE, any(terms.device_limit is not None for terms in found)),
    )
    return [NotCarried(What.TERMS, sentence) for sentence, is_there in kinds if is_there]


def _limit(record: Record, name: str, most: int, of: str) -> Limit:
    try:
        written = fields.whole(record, name)
    except Invalid as error:
        return Limit(None, [NotCarried(What.TERMS, f"{error.message}; it comes without a limit of {of}")])
    if written > most:
        sentence = f"its limit of {written:,} {of} is beyond {most:,}, the largest here; it comes without one"
        return Limit(None, [NotCarried(What.TERMS, sentence)])
    return Limit(written if written > 0 else None, [])
