"""Records for a new zone."""

from typing import Any

import pytest

from keystead.kit.errors import Invalid
from keystead.vault import moverecords

SRV_DATA = {
    "name": "source.com",
    "service": "_sip",
    "proto": "_tcp",
    "priority": 1,
    "weight": 5,
    "port": 5060,
    "target": "sip.source.com",
}
SOURCE = [
    {"type": "A", "name": "Source.com", "content": "192.0.2.1", "ttl": 1, "proxied": True, "id": "1", "tags": []},
    {"type": "CNAME", "name": "www.source.com", "content": "source.com.", "ttl": 300},
    {"type": "MX", "name": "source.com", "content": "mx.elsewhere.net", "priority": 10, "proxiable": False},
    {"type": "TXT", "name": "source.com", "content": '"v=spf1 include:source.com -all"'},
    {"type": "NS", "name": "source.com", "content": "ns1.elsewhere.net"},
    {"type": "NS", "name": "sub.source.com", "content": "ns.source.com"},
    {"type": "SRV", "name": "_sip.source.com", "content": "5 5060 sip.source.com", "data": SRV_DATA},
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


def test_data_that_names_a_host_of_the_source_moves_with_it() -> None:
    [made] = [one for one in moverecords.copied(SOURCE, "source.com", "new.org") if one["type"] == "SRV"]
    elsewhere = {"type": "HTTPS", "name": "source.com", "data": {"priority": 1, "target": ".", "value": "alpn=h3"}}

    assert made["data"] == {"priority": 1, "weight": 5, "port": 5060, "target": "sip.new.org"}
    assert moverecords.copied([elsewhere], "source.com", "new.org")[0]["data"] == elsewhere["data"]


SRV = {"type": "SRV", "name": "_sip._tcp.new.org"}
CAA = {"type": "CAA", "name": "new.org"}
TXT = {"type": "TXT", "name": "new.org"}


@pytest.mark.parametrize(
    ("wanted", "present"),
    [
        (
            {**SRV, "data": {"priority": 1, "weight": 5, "port": 5060, "target": "sip.new.org"}},
            {**SRV, "content": "5 5060 sip.new.org", "priority": 1, "data": {**SRV_DATA, "target": "sip.new.org."}},
        ),
        ({**SRV, "content": "5 5060 sip.new.org"}, {**SRV, "content": "5 5060 sip.new.org", "data": SRV_DATA}),
        (
            {**CAA, "data": {"flags": 0, "tag": "issue", "value": "ca.example"}},
            {**CAA, "content": '0 issue "ca.example"', "data": {"flags": 0, "tag": "issue", "value": "ca.example"}},
        ),
        ({**TXT, "content": "first second"}, {**TXT, "content": '"first " "second"'}),
    ],
)
def test_a_record_is_known_by_its_data_its_content_and_the_parts_of_its_text(
    wanted: dict[str, Any], present: dict[str, Any]
) -> None:
    assert moverecords.missing([wanted], [present]) == []
    assert moverecords.missing([present], [wanted]) == []


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
