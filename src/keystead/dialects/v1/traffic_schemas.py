"""The native API's shapes of traffic: a key's figures, its history, and an account's."""

from datetime import datetime
from typing import Literal

from keystead.dialects.v1.bases import Answer


class BothWays(Answer):
    """Bytes both ways; upload is client to server."""

    upload: int
    download: int
    total: int


class Traffic(Answer):
    """What a key has carried; upload is client to server.

    ``upload``, ``download`` and ``total`` are since the last reset, with what open connections have carried. Over the
    key's life: ``billed`` is what the engine counted, ``estimated`` what processes that were killed had carried beside
    that, ``lifetime_…`` the sum of both, and ``live`` the same with open connections. ``quality`` is ``live``, or
    ``counted`` when open connections are known only as far as the engine has counted them.
    """

    id: str
    upload: int
    download: int
    total: int
    lifetime_upload: int
    lifetime_download: int
    lifetime_total: int
    billed: BothWays
    estimated: BothWays
    live: BothWays
    quality: Literal["live", "counted"]
    read_at: datetime


class TrafficBucket(Answer):
    """What a key carried in an hour or a day that begins at ``start``, as the engine counted it."""

    start: datetime
    upload: int
    download: int
    total: int


class TrafficHistory(Answer):
    """The buckets of a time in which a key carried something, oldest first."""

    id: str
    step: Literal["hour", "day"]
    items: list[TrafficBucket]


class DepartedTraffic(Answer):
    """What deleted keys carried over their lives, and how many they were that carried something."""

    keys: int
    billed: BothWays
    estimated: BothWays


class AccountTraffic(Answer):
    """What the keys a caller sees have carried over their lives.

    ``billed``, ``estimated``, ``live`` and ``quality`` are as of one key; ``deleted`` is null for a token that sees
    only its own keys.
    """

    billed: BothWays
    estimated: BothWays
    live: BothWays
    quality: Literal["live", "counted"]
    deleted: DepartedTraffic | None
