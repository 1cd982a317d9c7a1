"""The plan: each customer becomes exactly one thing, nothing is merged, and what was done is found again."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.engines.xray.state import masked
from keystead.importing.found import Found, FoundCustomer, FoundInbound, FoundLink, FoundTerms, Source
from keystead.importing.planning import plan, public_id_of
from keystead.importing.planvalue import Existing, ExistingInbound, ExistingKey, ImportPlan, Named, PlannedKey, Standing
from keystead.kit.errors import Invalid
from keystead.kit.secret import Secret
from keystead.vpn.accounting import Bytes
from keystead.vpn.periods import Period, Reset
from tests.support.panels import parts
from tests.support.panels.parts import GIB, NOW, VISION
from tests.unit.importing import found_strategies


def inbound(tag: str = "main", port: int = 443, *, pair: int = 0, **more: object) -> FoundInbound:
    keys = parts.pair(pair)
    base = FoundInbound(
        tag, "0.0.0.0", port, keys.private_key, keys.public_key, parts.TARGET, parts.SERVER_NAMES, parts.SHORT_IDS
    )
    return replace(base, **more)  # type: ignore[arg-type]


def link(tag: str = "main", flow: str = VISION) -> FoundLink:
    return FoundLink(tag, flow, parts.SHORT_IDS[0], parts.SERVER_NAMES[0])


def customer(ident: int = 1, *tags: str, **more: object) -> FoundCustomer:
    links = tuple(link(tag) for tag in tags or ("main",))
    base = FoundCustomer(str(ident), f"customer {ident}", parts.uuid_of(ident), links)
    return replace(base, **more)  # type: ignore[arg-type]


def found(*customers: FoundCustomer, inbounds: tuple[FoundInbound, ...] = ()) -> Found:
    return Found(Source.XUI, inbounds or (inbound(),), customers)


def planned(source: Found, existing: Existing | None = None, **more: object) -> ImportPlan:
    return plan(source, existing or Existing(), now=NOW, **more)  # type: ignore[arg-type]


def applied(made: ImportPlan) -> Existing:
    """Return what is here once a plan has been written."""
    keys = tuple(ExistingKey(number, key.public_id, key.uuid) for number, key in enumerate(made.keys, 1))
    inbounds = tuple(
        ExistingInbound(
            one.tag, one.found.listen, one.found.port, one.found.public_key, one.server_names, one.short_ids
        )
        for one in made.inbounds
    )
    return Existing(keys=keys, inbounds=inbounds)


def sentence(customers: tuple[Named, ...]) -> str:
    [one] = customers
    [reason] = one.reasons
    return reason.sentence


def held_of_only_key(made: ImportPlan) -> PlannedKey:
    [key] = made.keys
    assert key.held is not None
    return key


@settings(deadline=None, max_examples=100)
@given(found_strategies.founds(), found_strategies.existings(), st.lists(st.sampled_from(found_strategies.TAGS)))
def test_nobody_vanishes_and_no_two_keys_are_one_to_xray(source: Found, existing: Existing, prefer: list[str]) -> None:
    tags = [inbound.tag for inbound in source.inbounds]
    made = plan(source, existing, now=NOW, prefer=[tag for tag in prefer if tag in tags])

    outcomes = [*made.keys, *made.there, *made.collisions, *made.asked, *made.not_carried]
    assert Counter(one.source_id for one in outcomes) == Counter(one.source_id for one in source.customers)
    assert made.counts["customers"] == len(source.customers)
    kept = [key.masked_uuid for key in made.keys] + [masked(key.uuid) for key in existing.keys]
    assert max(Counter(key.masked_uuid for key in made.keys).values(), default=1) == 1
    assert len(set(kept)) == len(made.keys) + len({masked(key.uuid) for key in existing.keys})
    assert {key.inbound for key in made.keys} == {one.tag for one in made.inbounds}
    assert all(one.reasons for one in [*made.collisions, *made.not_carried])


@settings(deadline=None, max_examples=40)
@given(found_strategies.founds())
def test_what_was_applied_is_there_the_next_time(source: Found) -> None:
    first = plan(source, Existing(), now=NOW)

    again = plan(source, applied(first), now=NOW)

    assert {one.source_id for one in again.there} == {key.source_id for key in first.keys}
    assert (again.keys, again.inbounds) == ((), ())


@settings(deadline=None, max_examples=40)
@given(found_strategies.founds(), st.integers(0, 12))
def test_an_import_that_broke_off_goes_on_where_it_was(source: Found, done: int) -> None:
    first = plan(source, Existing(), now=NOW)
    part = applied(replace(first, keys=first.keys[:done]))

    rest = plan(source, part, now=NOW)

    assert [key.public_id for key in rest.keys] == [key.public_id for key in first.keys[done:]]


def test_a_uuid_that_is_here_already_is_a_collision() -> None:
    here = ExistingKey(12, "another", parts.twin_of(parts.uuid_of(1)))

    assert "key 12" in sentence(planned(found(customer()), Existing(keys=(here,))).collisions)


def test_a_customer_reissued_in_the_panel_since_is_not_issued_twice() -> None:
    here = ExistingKey(12, public_id_of("3x-ui", "1"), parts.uuid_of(99))

    assert "with another UUID" in sentence(planned(found(customer()), Existing(keys=(here,))).collisions)


def test_two_panels_of_one_kind_are_told_apart_by_their_origin() -> None:
    here = ExistingKey(12, public_id_of("3x-ui", "1"), parts.uuid_of(99))

    made = planned(found(customer()), Existing(keys=(here,)), origin="3x-ui in Berlin")

    assert made.counts["new"] == 1


def test_three_twins_are_refused_together_and_named() -> None:
    first = parts.uuid_of(1)
    twins = [customer(1), customer(2, uuid=first), customer(3, uuid=parts.twin_of(first))]

    collisions = planned(found(*twins)).collisions

    assert [one.source_id for one in collisions] == ["1", "2", "3"]
    assert "customer 2, customer 3" in collisions[0].reasons[0].sentence


def test_a_twin_that_cannot_connect_stands_in_nobodys_way() -> None:
    made = planned(found(customer(1), customer(2, uuid=parts.uuid_of(1), links=())))

    assert (made.counts["new"], made.counts["not_carried"]) == (1, 1)


def test_a_port_that_another_program_holds_refuses_everybody_behind_it() -> None:
    made = planned(found(customer(1), customer(2)), Existing(ports={443: "nginx"}))

    assert [one.reasons[0].sentence for one in made.collisions] == ["port 443 of inbound main is taken by nginx"] * 2


def test_keysteads_own_inbound_with_another_pair_is_a_collision() -> None:
    shared = ExistingInbound("shared", "::", 443, parts.pair(1).public_key, ("a.example",), ("00",))

    assert "another key pair" in sentence(planned(found(customer()), Existing(inbounds=(shared,))).collisions)


def test_an_inbound_that_is_here_is_widened_by_what_it_lacks() -> None:
    shared = ExistingInbound("shared", "0.0.0.0", 443, parts.pair().public_key, ("a.example",), ("00",))

    [one] = planned(found(customer()), Existing(inbounds=(shared,))).inbounds

    assert (one.tag, one.standing) == ("shared", Standing.WIDENED)
    assert one.server_names == ("a.example", *parts.SERVER_NAMES)
    assert one.short_ids == ("00", *parts.SHORT_IDS)


def test_two_inbounds_on_one_port_refuse_both() -> None:
    rivals = (inbound("a"), inbound("b", pair=1))

    made = planned(found(customer(1, "a"), customer(2, "b"), inbounds=rivals))

    assert made.counts["collisions"] == 2


def test_an_inbound_that_is_switched_off_takes_no_port_from_another() -> None:
    rivals = (inbound("a"), inbound("b", pair=1, is_enabled=False))

    made = planned(found(customer(1, "a"), customer(2, "b"), inbounds=rivals))

    assert [key.source_id for key in made.keys] == ["1"]


def test_customers_of_several_inbounds_are_one_question_and_one_answer() -> None:
    two = (inbound("a"), inbound("b", 8443))
    source = found(*(customer(number, "a", "b") for number in range(1, 4)), inbounds=two)

    [question] = planned(source).questions
    answered = planned(source, prefer=["b"])

    assert (question.inbounds, len(question.customers)) == (("a", "b"), 3)
    assert "port 8443" in question.sentence
    assert {key.inbound for key in answered.keys} == {answered.inbounds[0].tag}
    assert answered.inbounds[0].found.tag == "b"
    assert "its links to a are not carried" in answered.keys[0].not_carried[0].sentence


def test_an_answer_that_names_no_inbound_is_refused() -> None:
    with pytest.raises(Invalid, match="no inbound 'mian' to prefer; there are: main"):
        planned(found(customer()), prefer=["mian"])


def test_two_inbounds_that_no_link_tells_apart_are_no_question() -> None:
    same = (inbound("a", listen="192.0.2.1"), inbound("b", listen="192.0.2.2"))

    assert planned(found(customer(1, "a", "b"), inbounds=same)).counts["new"] == 1


def test_a_customer_of_a_switched_off_inbound_comes_disabled() -> None:
    [key] = planned(found(customer(), inbounds=(inbound(is_enabled=False),))).keys

    assert not key.is_enabled
    assert "switched off" in key.not_carried[0].sentence


def test_the_period_goes_on_with_what_it_used() -> None:
    began = NOW - timedelta(days=10)
    terms = FoundTerms(
        100 * GIB, Bytes(1, 2), Bytes(50, 60), period=Period(Reset.ROLLING, days=30), period_began_at=began
    )

    key = held_of_only_key(planned(found(customer(terms=terms))))

    assert key.held is not None
    assert (key.lifetime, key.held.used(key.lifetime)) == (Bytes(50, 60), Bytes(1, 2))
    assert key.held.next_reset_at() == began + timedelta(days=30)


def test_a_period_that_is_over_since_the_file_was_made_begins_anew() -> None:
    began = NOW - timedelta(days=40)
    terms = FoundTerms(GIB, Bytes(0, 2 * GIB), period=Period(Reset.ROLLING, days=30), period_began_at=began)

    key = held_of_only_key(planned(found(customer(terms=terms))))

    assert key.held is not None
    assert (key.held.stop, key.held.used(key.lifetime)) == (None, Bytes())


def test_warnings_that_are_due_are_not_given_again() -> None:
    key = held_of_only_key(planned(found(customer(terms=FoundTerms(100, Bytes(0, 96))))))

    assert key.held is not None
    assert key.held.progress.warned == 95


def test_terms_that_cannot_be_are_named() -> None:
    assert "duration_s" in sentence(planned(found(customer(terms=FoundTerms(hold_s=10**12)))).not_carried)


@pytest.mark.parametrize("existing", [Existing(), Existing(tokens=frozenset({"taken"}))])
def test_a_token_that_stands_for_two_is_left_behind(existing: Existing) -> None:
    token = Secret("polled")

    made = planned(found(customer(1, subscription_token=token), customer(2, subscription_token=token)), existing)

    assert [key.subscription_token for key in made.keys] == [None, None]


def test_a_number_that_is_taken_is_told() -> None:
    here = ExistingKey(7, "other", parts.uuid_of(99))

    made = planned(found(customer(1, number=7), customer(2, number=8)), Existing(keys=(here,)))

    assert [key.number for key in made.keys] == [None, 8]
    assert "number 7 is taken" in made.keys[0].not_carried[0].sentence


def test_an_end_that_has_passed_is_noted_at_its_own_moment() -> None:
    ended = NOW - timedelta(days=400)

    key = held_of_only_key(planned(found(customer(terms=FoundTerms(expires_at=ended)))))

    assert key.held is not None
    assert key.held.progress.expired_at == ended


def test_a_digest_outlives_traffic_time_and_an_import_that_broke_off() -> None:
    ended = FoundTerms(100, Bytes(0, 100), expires_at=NOW - timedelta(days=1))
    before = found(customer(1, terms=ended), customer(2))
    after = found(customer(1, terms=replace(ended, used=Bytes(5, 100))), customer(2))
    first = planned(before)

    later = plan(after, applied(replace(first, keys=first.keys[:1])), now=NOW + timedelta(days=40))

    assert later.digest == first.digest
    assert later.counts != first.counts


@pytest.mark.parametrize(
    "other",
    [
        {"subscription_token": Secret("polled")},
        {"uuid": parts.uuid_of(9)},
        {"is_enabled": False},
        {"links": (link(flow=""),)},
        {"terms": FoundTerms(quota_bytes=1)},
        {"terms": FoundTerms(address_limit=1)},
        {"terms": FoundTerms(device_limit=1)},
        {"terms": FoundTerms(expires_at=NOW)},
        {"source_id": "another"},
    ],
)
def test_a_digest_names_who_and_what_is_taken_over(other: dict[str, object]) -> None:
    assert planned(found(customer(1, **other))).digest != planned(found(customer())).digest


def test_a_digest_names_the_answers() -> None:
    source = found(customer(1, "a", "b"), inbounds=(inbound("a"), inbound("b", 8443)))

    assert len({planned(source, prefer=prefer).digest for prefer in ([], ["a"], ["b"])}) == 3


@pytest.mark.parametrize(
    "terms",
    [
        FoundTerms(used=Bytes(2**62, 2**62)),
        FoundTerms(quota_bytes=GIB, used=Bytes(0, 2**62)),
        FoundTerms(used=Bytes(0, 1), lifetime=Bytes(2**62, 2**62)),
    ],
)
def test_a_broken_counter_is_named_before_anything_starts(terms: FoundTerms) -> None:
    made = planned(found(customer(1, terms=terms), customer(2, terms=FoundTerms(used=Bytes(0, 2**53)))))

    assert [key.source_id for key in made.keys] == ["2"]
    assert "broken counter" in sentence(made.not_carried)


def test_a_limit_alone_is_terms_and_is_told_to_hold_from_here() -> None:
    made = planned(found(customer(terms=FoundTerms(address_limit=2, device_limit=3))))

    key = held_of_only_key(made)
    assert key.held is not None
    assert (key.held.terms.address_limit, key.held.terms.device_limit) == (2, 3)
    assert [note.sentence.partition(" come along")[0] for note in made.notes] == [
        "limits of addresses",
        "limits of devices",
    ]
