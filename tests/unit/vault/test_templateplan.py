"""What a template does to a zone: as a pure difference, and never more than what it says."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.kit.errors import Invalid
from keystead.providers import cloudflare_rules as rules
from keystead.providers.redirect import Redirect
from keystead.vault import templateplan, templatevalue
from keystead.vault.templateplan import Kind, Limits, Loss, PresentRecord, Verb, ZonePlan, mark, present_record
from keystead.vault.templatevalue import RecordWish, Template

ZONE = "example.com"
names = st.sampled_from(["@", "www", "mail", "*"])
addresses = st.sampled_from(["192.0.2.1", "192.0.2.2", "192.0.2.3"])
wishes = st.one_of(
    st.builds(RecordWish, st.just("A"), names, addresses, proxied=st.booleans()),
    st.builds(RecordWish, st.just("A"), names, addresses, ttl=st.sampled_from([1, 300])),
    st.builds(RecordWish, st.just("TXT"), names, st.sampled_from(["v=spf1 -all", "v=spf1 mx -all", "token=1", "b"])),
    st.builds(RecordWish, st.just("MX"), names, st.sampled_from(["mx1.example.net", "mx2.example.net"])),
)
sources = st.builds(
    Redirect,
    host=st.sampled_from(["{domain}", "www.{domain}"]),
    target=st.sampled_from(["https://example.net/a", "https://example.net/b"]),
    path=st.sampled_from(["/*", "/old"]),
)


def unique(records: list[RecordWish]) -> tuple[RecordWish, ...]:
    return tuple({(one.type, one.name, one.content): one for one in records}.values())


templates = st.builds(
    lambda records, redirects: Template("parking", unique(records), tuple({r.source: r for r in redirects}.values())),
    st.lists(wishes, max_size=6),
    st.lists(sources, max_size=3),
)
comments = st.sampled_from(["", "by hand", mark("parking"), mark("other")])


def record(number: int, wish: RecordWish, comment: str = "") -> PresentRecord:
    """Return a record as Cloudflare has it: no two are the same."""
    return PresentRecord(f"id-{number}", wish, comment)


def expanded(template: Template) -> Template:
    return templatevalue.expanded(template, ZONE, {})


@st.composite
def zones(draw: st.DrawFn) -> list[PresentRecord]:
    drawn = draw(st.lists(wishes, max_size=8))
    kept = expanded(Template("x", unique(drawn))).records
    return [record(number, one, draw(comments)) for number, one in enumerate(kept)]


def carried_out(plan: ZonePlan, records: list[PresentRecord], seen: list[rules.SeenRule]) -> tuple[Any, Any]:
    """Return records and rules as they are after all steps."""
    held, ruled = {one.id: one for one in records}, {one.ref: one for one in seen}
    for number, step in enumerate(plan.steps):
        if step.kind is Kind.RECORD:
            _carry_out_record(number, step, held)
        elif step.verb is Verb.DELETE:
            del ruled[step.remote_id or ""]
        else:
            body = rules.rule(Redirect(**(step.value or {})), "parking")
            [made] = rules.ruleset({"id": "r", "rules": [{"id": str(number), **body}]}).rules
            ruled[made.ref] = made
    return list(held.values()), list(ruled.values())


def _carry_out_record(number: int, step: templateplan.Step, held: dict[str, PresentRecord]) -> None:
    if step.verb is Verb.DELETE:
        del held[step.remote_id or ""]
        return
    ident = step.remote_id or f"new-{number}"
    before = held.get(ident)
    comment = before.comment if before is not None else ""
    held[ident] = present_record({"comment": comment, **(step.value or {}), "id": ident})


@given(templates, zones(), st.lists(sources, max_size=2))
def test_carried_out_nothing_is_left_to_do_and_others_are_as_they_were(
    template: Template, records: list[PresentRecord], present: list[Redirect]
) -> None:
    wanted = expanded(template)
    foreign = rules.SeenRule("9", "by-hand", None, None, is_enabled=True, expression="true")
    there = [rules.rule(expanded(Template("x", (), (one,))).redirects[0], "parking") for one in present]
    bodies = {body["ref"]: {"id": body["ref"], **body} for body in there}
    seen = [*rules.ruleset({"id": "r", "rules": list(bodies.values())}).rules, foreign]

    plan = templateplan.planned(wanted, records, seen)
    held, ruled = carried_out(plan, records, seen)
    again = templateplan.planned(wanted, held, ruled)

    assert again.steps == ()
    assert again.same == len({(one.name, one.type, one.content) for one in wanted.records}) + len(wanted.redirects)
    assert foreign in ruled
    said = {(one.name, one.type) for one in wanted.records}
    for one in records:
        if (one.record.name, one.record.type) not in said and one.comment != mark("parking"):
            assert one in held


@given(templates, zones())
def test_what_is_left_of_a_plan_that_was_cut_is_within_it(template: Template, records: list[PresentRecord]) -> None:
    wanted = expanded(template)
    plan = templateplan.planned(wanted, records, [])
    half = ZonePlan(plan.steps[: len(plan.steps) // 2], 0, 0, 0)

    held, ruled = carried_out(half, records, [])

    assert templateplan.is_within(templateplan.planned(wanted, held, ruled).steps, plan.steps)


def test_a_change_by_hand_is_not_within_what_was_reviewed() -> None:
    wanted = expanded(Template("parking", (RecordWish("A", "@", "192.0.2.1"),)))
    before = templateplan.planned(wanted, [record(1, RecordWish("A", ZONE, "192.0.2.2"))], [])
    after = templateplan.planned(wanted, [record(1, RecordWish("A", ZONE, "192.0.2.3"))], [])

    assert not templateplan.is_within(after.steps, before.steps)


def test_the_template_says_all_of_a_name_and_type_and_texts_stand_side_by_side() -> None:
    wanted = expanded(
        Template(
            "parking",
            (
                RecordWish("A", "@", "192.0.2.1"),
                RecordWish("TXT", "@", "v=spf1 -all"),
                RecordWish("CNAME", "www", ZONE),
            ),
        )
    )
    records = [
        record(1, RecordWish("A", ZONE, "192.0.2.9")),
        record(2, RecordWish("A", ZONE, "192.0.2.8")),
        record(3, RecordWish("TXT", ZONE, "v=spf1 mx -all")),
        record(4, RecordWish("TXT", ZONE, "site-verification=1")),
        record(5, RecordWish("A", f"www.{ZONE}", "192.0.2.7")),
        record(6, RecordWish("A", f"shop.{ZONE}", "192.0.2.6")),
        record(7, RecordWish("A", f"old.{ZONE}", "192.0.2.5"), mark("parking")),
    ]

    plan = templateplan.planned(wanted, records, [])

    assert [(step.verb.value, step.subject, step.before, step.after) for step in plan.steps] == [
        ("delete", "A example.com", "192.0.2.9", None),
        ("delete", "A old.example.com", "192.0.2.5", None),
        ("delete", "A www.example.com", "192.0.2.7", None),
        ("change", "A example.com", "192.0.2.8", "192.0.2.1"),
        ("change", "TXT example.com", "v=spf1 mx -all", "v=spf1 -all"),
        ("create", "CNAME www.example.com", None, "example.com"),
    ]
    assert (plan.present, plan.left, plan.same) == (7, 2, 0)


def test_too_much_is_deleted_of_a_zone_or_in_all_unless_the_zone_is_forced() -> None:
    losses = [Loss("a.com", 10, 3, 3), Loss("b.com", 10, 4, 4), Loss("c.com", 100, 5, 5)]

    assert templateplan.unsafe(losses, Limits(30, 20), frozenset()) == [
        "b.com: 4 of 10 records would be deleted, more than 30 %"
    ]
    assert templateplan.unsafe(losses, Limits(30, 10), frozenset({"b.com"})) == []
    assert len(templateplan.unsafe(losses, Limits(30, 10), frozenset())) == 2


@pytest.mark.parametrize(
    ("field", "template"),
    [
        ("name", Template("Parking", (RecordWish("A", "@", "192.0.2.1"),))),
        ("records", Template("parking")),
        ("records.type", Template("parking", (RecordWish("SRV", "@", "1 2 3 x"),))),
        ("records.content", Template("parking", (RecordWish("A", "@", "192.0.2.300"),))),
        ("records.content", Template("parking", (RecordWish("AAAA", "@", "192.0.2.3"),))),
        ("records.content", Template("parking", (RecordWish("TXT", "@", ""),))),
        ("records.name", Template("parking", (RecordWish("A", "a b", "192.0.2.1"),))),
        ("records.name", Template("parking", (RecordWish("NS", "@", "ns1.example.net"),))),
        ("records.ttl", Template("parking", (RecordWish("A", "@", "192.0.2.1", 5),))),
        ("records.proxied", Template("parking", (RecordWish("TXT", "@", "x", proxied=True),))),
        ("records.priority", Template("parking", (RecordWish("A", "@", "192.0.2.1", priority=1),))),
        ("records", Template("parking", (RecordWish("A", "@", "192.0.2.1"), RecordWish("CNAME", "@", "example.net")))),
        ("redirects.host", Template("parking", (), (Redirect("example.net", "https://example.org"),))),
        (
            "redirects",
            Template("parking", (), (Redirect("{domain}", "https://x.org"), Redirect("{domain}", "https://y.org"))),
        ),
    ],
)
def test_what_cannot_be_a_template_is_refused_by_its_field(field: str, template: Template) -> None:
    with pytest.raises(Invalid) as refusal:
        templatevalue.checked(template)

    assert list(refusal.value.fields) == [field]


def test_placeholders_are_filled_and_a_missing_value_is_told() -> None:
    template = templatevalue.checked(
        Template(
            "parking",
            (RecordWish("A", "{label}", "{ip}"), RecordWish("MX", "@", "mail.{domain}")),
            (Redirect("www.{domain}", "https://{domain}", keeps_path=True),),
        )
    )

    wanted = templatevalue.expanded(template, "shop.example.com", {"ip": "192.0.2.1"})

    assert wanted.records[0] == RecordWish("A", "shop.shop.example.com", "192.0.2.1")
    assert wanted.records[1].priority == 10
    assert wanted.redirects[0].target == "https://shop.example.com"
    with pytest.raises(Invalid, match="no value for ip"):
        templatevalue.expanded(template, "example.com", {})
    assert templatevalue.template_of("parking", template.as_data()) == template
