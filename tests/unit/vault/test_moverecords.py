"""Records for a new zone."""

import pytest

from keystead.kit.errors import Invalid
from keystead.vault import moverecords

SOURCE = [
    {"type": "A", "name": "Source.com", "content": "192.0.2.1", "ttl": 1, "proxied": True, "id": "1", "tags": []},
    {"type": "CNAME", "name": "www.source.com", "content": "source.com.", "ttl": 300},
    {"type": "MX", "name": "source.com", "content": "mx.elsewhere.net", "priority": 10, "proxiable": False},
    {"type": "TXT", "name": "source.com", "content": '"v=spf1 include:source.com -all"'},
    {"type": "NS", "name": "source.com", "content": "ns1.elsewhere.net"},
    {"type": "NS", "name": "sub.source.com", "content": "ns.source.com"},
    {"type": "SRV", "name": "_sip.source.com", "content": "5 5060 sip.source.com", "data": {"port": 5060}},
    {"type": "A", "name": "notsource.com", "content": "192.0.2.2"},
]


def test_names_below_the_source_move_and_others_stay() -> None:
    made = moverecords.copied(SOURCE, "source.com", "new.org")

    assert [(one["type"], one["name"], one.get("content")) for one in made] == [
        ("A", "new.org", "192.0.2.1"),
        ("CNAME", "www.new.org", "new.org"),
        ("MX", "new.org", "mx.elsewhere.net"),
        ("TXT", "new.org", '"v=spf1 include:source.com -all"'),
        ("NS", "sub.new.org", "ns.new.org"),
        ("SRV", "_sip.new.org", None),
        ("A", "notsource.com", "192.0.2.2"),
    ]
    assert made[0] == {"type": "A", "name": "new.org", "content": "192.0.2.1", "ttl": 1, "proxied": True}


def test_what_is_there_is_not_added_again_in_whatever_words() -> None:
    wanted = [
        {"type": "TXT", "name": "new.org", "content": "text"},
        {"type": "CNAME", "name": "www.new.org", "content": "new.org"},
        {"type": "A", "name": "new.org", "content": "192.0.2.1"},
        {"type": "A", "name": "new.org", "content": "192.0.2.1"},
    ]
    present = [
        {"type": "TXT", "name": "new.org", "content": '"text"'},
        {"type": "CNAME", "name": "WWW.new.org", "content": "New.org."},
    ]

    assert moverecords.missing(wanted, present) == [wanted[2]]


def test_given_records_stand_below_the_domain() -> None:
    wanted = [{"type": "A", "name": "@", "content": "192.0.2.1"}, {"type": "TXT", "name": "x", "content": "{domain}"}]

    made = moverecords.given(moverecords.checked(wanted), "new.org")

    assert [(one["name"], one["content"]) for one in made] == [("new.org", "192.0.2.1"), ("x.new.org", "new.org")]


@pytest.mark.parametrize(
    "record", [{"type": "SOA", "name": "@", "content": "x"}, {"type": "A", "content": "x"}, {"type": "A", "name": "@"}]
)
def test_what_is_no_record_is_refused_by_its_place(record: dict[str, str]) -> None:
    with pytest.raises(Invalid) as refusal:
        moverecords.checked([{"type": "A", "name": "@", "content": "192.0.2.1"}, record])

    assert list(refusal.value.fields) == ["records.1"]
