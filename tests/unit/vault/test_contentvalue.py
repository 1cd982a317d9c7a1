"""What a zone holds against what is right there."""

from hypothesis import given
from hypothesis import strategies as st

from keystead.providers.cloudflare_rules import SeenRule, ref_of
from keystead.providers.redirect import BulkRedirect, Redirect
from keystead.vault import contentvalue
from keystead.vault.contentvalue import LINES_MAX, Difference, Entry, Noted, difference

WWW, MAIL = Entry("1", "A www.one.com", "192.0.2.1"), Entry("2", "MX one.com", "mx.one.com, priority 10")
SOME = st.lists(
    st.builds(Entry, st.uuids().map(str), st.sampled_from(["A a", "A b", "TXT a"]), st.sampled_from("xyz")),
    max_size=8,
    unique_by=lambda one: one.id,
)


def record(**more: object) -> dict[str, object]:
    return {"id": "1", "type": "A", "name": "WWW.one.com", "content": "192.0.2.1", "ttl": 1, "proxied": False, **more}


def test_a_record_says_all_that_makes_a_difference_to_whoever_asks_for_it() -> None:
    assert contentvalue.record_entry(record()) == WWW
    assert contentvalue.record_entry(record(proxied=True, ttl=300)).says == "192.0.2.1, proxied, ttl 300"
    assert contentvalue.record_entry(record(comment="mine", modified_on="now", tags=["a"])) == WWW
    mail = record(id="2", type="MX", name="one.com", content="mx.one.com", priority=10)
    assert contentvalue.record_entry(mail) == MAIL
    assert contentvalue.record_entry(record(type="TXT", content='"v=spf1 -all"')).says == "v=spf1 -all"


def test_changed_removed_and_added_records_are_named() -> None:
    there = [Entry("1", "A www.one.com", "198.51.100.7"), Entry("3", "TXT one.com", "hello")]

    found = difference([WWW, MAIL], there)

    assert found == Difference(
        ("A www.one.com: 192.0.2.1", "MX one.com: mx.one.com, priority 10"),
        (
            "changed: A www.one.com: 198.51.100.7",
            "removed: MX one.com: mx.one.com, priority 10",
            "added: TXT one.com: hello",
        ),
    )


def test_what_was_made_anew_is_the_same_and_what_replaces_another_is_a_change() -> None:
    assert difference([WWW], [Entry("9", WWW.about, WWW.says)]) is None
    found = difference([WWW], [Entry("9", WWW.about, "198.51.100.7")])
    assert found is not None
    assert found.seen == ("changed: A www.one.com: 198.51.100.7",)


def test_a_difference_has_a_bounded_number_of_lines_of_bounded_length() -> None:
    found = difference([], [Entry(str(number), f"A n{number:03}.one.com", "x" * 500) for number in range(300)])

    assert found is not None
    assert found.expected == ("nothing added",)
    assert (len(found.seen), found.seen[-1]) == (LINES_MAX + 1, "and 280 more")
    assert max(map(len, found.seen)) < 200


@given(SOME, st.randoms())
def test_an_order_and_other_ids_are_no_difference(entries: list[Entry], random: object) -> None:
    shuffled = [Entry(f"new-{one.id}", one.about, one.says) for one in entries]
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert difference(entries, shuffled) is None
    readopted = contentvalue.readopted(entries, shuffled)
    assert sorted(one.id for one in readopted) == sorted(one.id for one in shuffled)
    assert difference(readopted, entries) is None


@given(SOME, SOME)
def test_no_difference_is_found_exactly_where_both_say_the_same(kept: list[Entry], seen: list[Entry]) -> None:
    is_same = sorted((one.about, one.says) for one in kept) == sorted((one.about, one.says) for one in seen)

    assert (difference(kept, seen) is None) == is_same
    assert contentvalue.entries(contentvalue.stored(kept)) == kept


@given(SOME, SOME)
def test_a_change_that_was_made_here_leaves_the_drift_of_all_else(kept: list[Entry], added: list[Entry]) -> None:
    strange = Entry("strange", "A strange", "x")
    gone = [one.id for one in kept[:2]]

    right = contentvalue.applied(kept, Noted(gone=gone, there=added))
    there = [*kept[2:], *added]

    assert difference(right, there) is None
    found = difference(right, [*there, strange])
    assert found is not None
    assert found.seen == ("added: A strange: x",)


def test_a_template_leaves_nothing_to_others_of_a_name_but_texts() -> None:
    all_about = contentvalue.says_all([("A", "WWW.one.com"), ("TXT", "one.com")])

    assert all_about == {"A www.one.com"}
    assert contentvalue.applied([WWW, MAIL], Noted(all_about=all_about)) == [MAIL]


def test_only_redirects_that_were_made_here_are_compared() -> None:
    ours = Redirect("www.one.com", "https://one.com")
    rules = [
        SeenRule("a", ref_of(ours.source), ours, None, is_enabled=False, expression=""),
        SeenRule("b", "theirs", None, None, is_enabled=True, expression="(true)"),
    ]

    found = contentvalue.contents([], rules)

    assert found.redirects is not None
    [entry] = found.redirects
    assert (entry.about, entry.says) == (ours.source, f"{ours.text} (disabled)")
    assert found.foreign == 1
    assert contentvalue.contents([], None).redirects is None


def test_the_table_follows_a_redirect_that_is_set_or_removed_here() -> None:
    one, two = (contentvalue.redirect_entry(Redirect(f"{name}.com", "https://x.com")) for name in ("one", "two"))
    other = contentvalue.redirect_entry(Redirect("one.com", "https://y.com"))
    lines = contentvalue.shown([one, two])

    assert contentvalue.shown_after(lines, Noted(there=[other])) == [lines[1], *contentvalue.shown([other])]
    assert contentvalue.shown_after(lines, Noted(gone=[two.id])) == [lines[0]]


def test_a_bulk_redirect_belongs_to_the_nearest_zone_and_one_of_no_zone_to_none() -> None:
    sources = ["https://www.a.one.com/x", "one.com/", "xone.com/", "a.one.com:443/", "b.two.org/"]
    entries = [contentvalue.bulk_entry(BulkRedirect(source, "https://x.org")) for source in sources]

    found = contentvalue.by_zone([contentvalue.look_entry(), *entries], {"one.com", "a.one.com", "com.au"})

    assert {zone: [one.about for one in some] for zone, some in found.items()} == {
        "a.one.com": [sources[0], sources[3]],
        "one.com": [sources[1]],
    }


def test_a_list_of_ten_thousand_that_was_replaced_as_a_whole_is_compared_step_by_step() -> None:
    class Counted(Entry):
        looks = 0

        def __getattribute__(self, name: str) -> object:
            if name in {"id", "about"}:
                Counted.looks += 1
            return super().__getattribute__(name)

    before = [Entry(f"b{number}", f"b{number}.com/", "https://x.org") for number in range(10_000)]
    after = [Counted(f"a{number}", f"a{number}.com/", "https://x.org") for number in range(10_000)]

    found = difference(before, after)

    assert found is not None
    assert Counted.looks < 20 * len(after)
