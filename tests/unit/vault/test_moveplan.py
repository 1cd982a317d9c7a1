"""What a plan says, out of what was seen."""

from dataclasses import replace
from datetime import date

import pytest

from keystead.kit.errors import Invalid
from keystead.providers.cloudflare_answers import RemoteZone
from keystead.providers.registrar import RegisteredDomain
from keystead.vault import moveplan
from keystead.vault.moveplan import DOMAINS_MAX, Fate, MoveOrder, Sight, Wanted

SERVERS = ("bob.ns.test", "lola.ns.test")


def zone(name: str, status: str = "active") -> RemoteZone:
    return RemoteZone(f"id-{name}", name, status, "free", SERVERS, is_phishing=False)


def domain(name: str, **more: bool) -> RegisteredDomain:
    values = {"is_expired": False, "is_locked": False, "renews_itself": True, "has_own_dns": True, **more}
    return RegisteredDomain(name, date(2030, 1, 1), **values)


def sight(**more: object) -> Sight:
    registered = {7: {"a.com": domain("a.com"), "b.com": domain("b.com", is_expired=True)}}
    values = {"zones": {3: {"a.com": zone("a.com")}}, "registered": registered, **more}
    return Sight(**values)  # type: ignore[arg-type]


def told(wanted: Wanted, seen: Sight) -> tuple[Fate, str | None]:
    [one] = moveplan.plan(MoveOrder((wanted,)), seen).foreseen
    return one.fate, one.note


def test_a_domain_is_as_wanted_when_its_zone_is_active_and_the_parent_delegates_to_it() -> None:
    seen = sight(delegated={"a.com": ("lola.ns.test", "bob.ns.test")})

    assert told(Wanted("a.com"), seen) == (Fate.SAME, None)
    assert told(Wanted("a.com", source="a.com"), seen)[0] is Fate.CHANGE
    assert told(Wanted("a.com"), replace(seen, delegated={}))[0] is Fate.CHANGE


@pytest.mark.parametrize(
    ("wanted", "more", "note"),
    [
        (Wanted("b.com"), {}, "its registration has expired; renew it first"),
        (Wanted("c.com"), {}, "it is not registered with credential 7"),
        (Wanted("a.com", registrar_credential_id=9), {}, "credential 9 is none of this account's at a registrar"),
        (Wanted("a.com", source="s.com"), {}, "its source s.com is no zone of the same credential"),
        (Wanted("a.com"), {"zones": {}}, "no credential of Cloudflare is connected"),
        (Wanted("a.com"), {"zones": {}, "unusable": {3: "credential 3 is gone"}}, "credential 3 is gone"),
        (
            Wanted("a.com"),
            {"zones": {3: {}, 4: {}}},
            "several credentials of Cloudflare could do it; name one of 3, 4",
        ),
        (
            Wanted("c.com"),
            {"registered": {7: {}, 8: {}}},
            "it is not registered with any credential here",
        ),
        (
            Wanted("c.com"),
            {"registrars": {7: "namecheap", 9: "namesilo"}, "unusable": {9: "credential 9 is gone"}},
            "it is not registered with credential 7; credential 9 is gone",
        ),
        (Wanted("c.com"), {"registered": {}}, "no credential of a registrar is connected"),
        (
            Wanted("a.com"),
            {
                "registered": {8: {"a.com": domain("a.com")}, 7: {"a.com": domain("a.com")}},
                "registrars": {7: "namecheap", 8: "namesilo"},
            },
            "credentials 7 (namecheap) and 8 (namesilo) both have it; name the one whose registrar it is at",
        ),
        (Wanted("c.com", registrar_credential_id=7, is_by_hand=True), {}, "it is not registered with credential 7"),
    ],
)
def test_what_cannot_be_moved_says_why(wanted: Wanted, more: dict[str, object], note: str) -> None:
    assert told(wanted, sight(**more)) == (Fate.REFUSED, note)


def test_of_several_credentials_the_one_that_has_the_zone_is_taken() -> None:
    seen = sight(zones={3: {}, 4: {"a.com": zone("a.com", "pending")}})

    [one] = moveplan.plan(MoveOrder((Wanted("a.com"),)), seen).foreseen

    assert (one.zone_credential_id, one.makes_zone, one.note) == (4, False, "its zone is pending")


def test_each_domain_is_served_by_the_registrar_that_has_it_and_what_none_has_is_left_to_a_person() -> None:
    seen = sight(
        registered={7: {"a.com": domain("a.com")}, 8: {"d.com": domain("d.com"), "a.com": domain("a.com")}},
        registrars={7: "namecheap", 8: "namesilo"},
    )
    listed = (Wanted("a.com", registrar_credential_id=8), Wanted("d.com"), Wanted("e.com", is_by_hand=True))

    made = moveplan.plan(MoveOrder(listed), seen)

    told = [(one.registrar_credential_id, one.registrar, one.is_by_hand) for one in made.foreseen]
    assert told == [(8, "namesilo", False), (8, "namesilo", False), (None, None, True)]
    assert made.by_hand == 1


def test_an_end_is_known_by_its_day_where_the_registrars_list_does_not_say() -> None:
    ended = sight(registered={7: {"a.com": RegisteredDomain("a.com", date(2026, 1, 1))}}, today=date(2026, 1, 2))

    assert told(Wanted("a.com"), ended) == (Fate.REFUSED, "its registration has expired; renew it first")
    assert told(Wanted("a.com"), replace(ended, today=date(2026, 1, 1)))[0] is Fate.CHANGE


def test_the_digest_is_of_what_is_done_and_not_of_what_dns_says_at_the_moment() -> None:
    order = MoveOrder((Wanted("a.com"),))
    digest = moveplan.plan(order, sight()).digest

    assert moveplan.plan(order, sight(delegated={"a.com": ("x.test",)})).digest == digest
    assert moveplan.plan(order, sight(zones={3: {}})).digest != digest
    record = {"type": "A", "name": "@", "content": "192.0.2.1"}
    assert moveplan.plan(replace(order, records=(record,)), sight()).digest != digest


@pytest.mark.parametrize("count", [0, DOMAINS_MAX + 1])
def test_a_list_has_one_to_so_many_domains(count: int) -> None:
    with pytest.raises(Invalid):
        MoveOrder(tuple(Wanted(f"d{number}.com") for number in range(count))).check()
