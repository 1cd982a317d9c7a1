"""Keystead's own JSON is read back to the letter, and shows no secret to whom it is not for."""

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pyrage
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.importing import document, writing
from keystead.importing.document import Document, Head
from keystead.importing.planning import plan
from keystead.importing.planvalue import Existing
from keystead.kit.age import Lock, Unlock
from keystead.kit.errors import Invalid
from keystead.kit.secret import Secret
from keystead.vpn.accounting import Bytes
from keystead.vpn.periods import Period, Reset
from keystead.vpn.placement import Placement
from keystead.vpn.portable import PortableInbound, PortableKey, PortablePlan
from keystead.vpn.termvalue import AtLimit, Held, Progress, Starts, Terms
from tests.support.panels import parts
from tests.support.panels.parts import CREATED, NOW, VISION

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
counts = st.integers(0, 2**62)
rates = st.none() | st.integers(1, 2**62)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2999, 1, 1), timezones=st.just(UTC))
both_ways = st.builds(Bytes, counts, counts)
periods = st.one_of(
    st.builds(Period, st.sampled_from([Reset.NONE, Reset.DAY, Reset.WEEK]), zone=st.just("Europe/Moscow")),
    st.builds(Period, st.just(Reset.MONTH), month_day=st.integers(1, 31)),
    st.builds(Period, st.just(Reset.ROLLING), days=st.integers(1, 3660)),
)
terms = st.builds(
    Terms,
    quota_bytes=rates,
    at_limit=st.sampled_from(AtLimit),
    slow_to_bytes_s=st.integers(1, 2**62),
    warn_at=st.lists(st.integers(1, 99), max_size=10).map(tuple),
    speed_bytes_s=rates,
    period=periods,
    duration_s=st.none() | st.integers(1, 10**9),
    expires_at=st.none() | moments,
    device_limit=st.none() | st.integers(1, 100),
    plan=st.none() | names,
)
progresses = st.builds(
    Progress,
    period_began_at=moments,
    baseline=both_ways,
    topped_up_bytes=counts,
    warned=st.integers(0, 99),
    limit_reached_at=st.none() | moments,
    unused_at=counts,
    expired_at=st.none() | moments,
)
keys = st.builds(
    PortableKey,
    public_id=names,
    number=st.integers(1, 2**62),
    name=st.none() | names,
    uuid=st.integers(1, 10**6).map(parts.uuid_of).map(Secret),
    inbound=names,
    flow=st.sampled_from(["", VISION]),
    short_id=st.sampled_from(parts.SHORT_IDS),
    server_name=st.sampled_from(parts.SERVER_NAMES),
    is_enabled=st.booleans(),
    created_at=moments,
    lifetime=both_ways,
    shown=both_ways,
    held=st.none() | st.builds(Held, terms, progresses),
    subscription_token=st.none() | names.map(Secret),
)
inbounds = st.builds(
    PortableInbound,
    tag=names,
    placement=st.sampled_from(Placement),
    listen=st.just("::"),
    port=st.integers(1, 65535),
    private_key=st.just(parts.pair().private_key),
    public_key=st.just(parts.pair().public_key),
    target=st.just(parts.TARGET),
    server_names=st.just(parts.SERVER_NAMES),
    short_ids=st.just(parts.SHORT_IDS),
    flow=st.sampled_from(["", VISION]),
)
heads = st.builds(
    Head,
    made_at=moments,
    public_host=names,
    inbounds=st.lists(inbounds, max_size=3, unique_by=lambda inbound: inbound.tag).map(tuple),
    plans=st.lists(st.builds(PortablePlan, names, st.sampled_from(Starts), terms), max_size=3).map(tuple),
)
documents = st.builds(
    Document,
    heads,
    st.lists(keys, max_size=5, unique_by=lambda key: key.public_id).map(tuple),
)


@cache
def identity() -> tuple[Lock, Unlock]:
    made = pyrage.x25519.Identity.generate()
    return Lock(recipient=str(made.to_public())), Unlock(identity=Secret(str(made)))


def sample() -> Document:
    inbound = PortableInbound(
        "shared",
        Placement.SHARED,
        "0.0.0.0",
        443,
        parts.pair().private_key,
        parts.pair().public_key,
        parts.TARGET,
        parts.SERVER_NAMES,
        parts.SHORT_IDS,
        VISION,
    )
    held = Held(
        Terms(quota_bytes=1000, at_limit=AtLimit.SLOW, slow_to_bytes_s=5, period=Period(Reset.MONTH, month_day=3)),
        Progress(NOW - timedelta(days=5), Bytes(1, 2), topped_up_bytes=7, warned=80),
    )
    key = PortableKey(
        "b831381d-6324-4d53-ad4f-8cda48b30811",
        12,
        parts.UNICODE_NAME,
        Secret(parts.uuid_of(1)),
        "shared",
        VISION,
        parts.SHORT_IDS[0],
        parts.SERVER_NAMES[0],
        True,
        CREATED,
        Bytes(300, 600),
        Bytes(200, 500),
        held,
        Secret("a token nobody guesses"),
    )
    return Document(
        Head(NOW, "vpn.test", (inbound,), (PortablePlan("gold", Starts.ISSUE, held.terms, Placement.OWN_PORT),)), (key,)
    )


def with_inbound(made: Document, **changes: Any) -> Document:
    inbound = replace(made.head.inbounds[0], **changes)
    return replace(made, head=replace(made.head, inbounds=(inbound,)))


def written(made: Document, lock: Lock | None) -> bytes:
    target = io.BytesIO()
    writing.write(target, made.head, iter(made.keys), lock=lock)
    return target.getvalue()


@settings(deadline=None, max_examples=100)
@given(documents)
def test_what_was_written_is_read(made: Document) -> None:
    lock, unlock = identity()

    assert document.read(written(made, lock), unlock=unlock) == made


@pytest.mark.slow
def test_a_passphrase_opens_it_and_a_wrong_one_does_not() -> None:
    content = written(sample(), Lock(Secret("correct horse")))

    assert document.read(content, unlock=Unlock(Secret("correct horse"))) == sample()
    with pytest.raises(Invalid, match="does not open"):
        document.read(content, unlock=Unlock(Secret("another one")))


def test_no_secret_stands_in_the_plain_part() -> None:
    lock, _ = identity()
    made = sample()

    shown = written(made, lock).decode()

    secrets = [made.head.inbounds[0].private_key, made.keys[0].uuid, made.keys[0].subscription_token]
    assert [secret.reveal() in shown for secret in secrets if secret is not None] == [False, False, False]


def test_without_an_unlock_the_secrets_are_missing_and_the_rest_is_there() -> None:
    lock, _ = identity()

    read = document.read(written(sample(), lock), unlock=None)

    assert (read.head.inbounds[0].private_key, read.keys[0].uuid) == (None, None)
    assert read.keys[0].held == sample().keys[0].held
    assert [one.reasons[0].sentence for one in plan(document.found(read), Existing(), now=NOW).not_carried] == [
        "its UUID or its inbound's private key is not in the file"
    ]


def test_a_document_without_a_sealed_part_says_what_it_is_good_for() -> None:
    _, unlock = identity()

    with pytest.raises(Invalid, match="has no sealed part"):
        document.read(written(sample(), None), unlock=unlock)


@pytest.mark.parametrize("change", [{"target": "evil.example:443"}, {"port": 444}, {"tag": "other"}])
def test_a_plain_part_that_was_changed_is_noticed(change: dict[str, object]) -> None:
    lock, unlock = identity()
    content = json.loads(written(sample(), lock))
    content["inbounds"][0] |= change

    with pytest.raises(Invalid, match="changed after it was made"):
        document.read(json.dumps(content).encode(), unlock=unlock)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"format": "other"}, "no export of Keystead"),
        ({"schema": 2}, "schema 2, and this Keystead reads schema 1"),
        ({"made_at": None}, "made_at is missing"),
        ({"keys": [{}]}, "public_id is missing"),
        ({"keys": 5}, "keys should be a list"),
        ({"plans": [{"name": "x", "starts": "never"}]}, "one of"),
    ],
)
def test_another_file_is_refused_with_what_is_wrong(change: dict[str, object], problem: str) -> None:
    content = json.loads(written(sample(), None)) | change

    with pytest.raises(Invalid, match=problem):
        document.read(json.dumps(content).encode(), unlock=None)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff"])
def test_what_is_no_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid):
        document.read(content, unlock=None)


def test_a_document_is_planned_as_any_source_with_its_terms_to_the_letter() -> None:
    made = sample()

    [key] = plan(document.found(made), Existing(), now=NOW).keys

    assert (key.public_id, key.number, key.name) == (made.keys[0].public_id, 12, parts.UNICODE_NAME)
    assert key.held is not None
    assert made.keys[0].held is not None
    assert key.held.terms == made.keys[0].held.terms
    assert key.held.progress.topped_up_bytes == 7


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (lambda one: replace(one, head=replace(one.head, inbounds=())), "not the inbound itself"),
        (lambda one: replace(one, keys=one.keys * 2), "names one key twice"),
        (lambda one: replace(one, head=replace(one.head, inbounds=one.head.inbounds * 2)), "names one inbound twice"),
        (lambda one: replace(one, keys=(replace(one.keys[0], public_id="x"),)), "no UUID"),
        (lambda one: with_inbound(one, listen="x"), "no address"),
        (lambda one: with_inbound(one, short_ids=()), "lacks"),
        (lambda one: with_inbound(one, public_key="x"), "do not belong together"),
    ],
)
def test_a_document_that_contradicts_itself_is_refused(broken: object, problem: str) -> None:
    assert callable(broken)

    with pytest.raises(Invalid, match=problem):
        document.found(broken(sample()))
