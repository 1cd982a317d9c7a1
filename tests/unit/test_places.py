"""Which dialects answer where: what ``KEYSTEAD_DOORS`` says, and what is left for the API's own port."""

import pytest

from keystead import settings
from keystead.kit.errors import Misconfigured
from keystead.settings import places
from keystead.settings.places import Address, Place

MAIN = Address("127.0.0.1", 8000)
OTHER = Address("127.0.0.1", 8001)


def layout(doors: str) -> dict[Address, set[tuple[str, str]]]:
    chosen = settings.load(doors=doors)
    return {address: {tuple(place) for place in there} for address, there in chosen.layout.items()}


def test_without_a_word_every_dialect_answers_at_the_one_port() -> None:
    assert layout("") == {MAIN: {(dialect, "") for dialect in places.DIALECTS}}


def test_a_dialect_with_an_address_answers_there_and_no_longer_at_the_port() -> None:
    found = layout("vpnkeys=127.0.0.1:8001")

    assert found[OTHER] == {("vpnkeys", "")}
    assert found[MAIN] == {(dialect, "") for dialect in places.DIALECTS} - {("vpnkeys", "")}


def test_a_prefix_alone_is_one_at_the_port() -> None:
    found = layout("veil=/veil/")

    assert set(found) == {MAIN}
    assert ("veil", "/veil") in found[MAIN]
    assert ("veil", "") not in found[MAIN]


def test_a_dialect_may_answer_in_several_places() -> None:
    found = layout("vpnkeys=/, vpnkeys=127.0.0.1:8001/bots, veil=localhost:8001")

    assert ("vpnkeys", "") in found[MAIN]
    assert found[OTHER] == {("vpnkeys", "/bots"), ("veil", "")}


def test_where_nothing_is_left_for_the_port_it_is_not_opened() -> None:
    found = layout(",".join(f"{dialect}=127.0.0.1:8001" for dialect in places.DIALECTS))

    assert set(found) == {OTHER}


def test_the_first_place_of_a_dialect_is_found() -> None:
    chosen = settings.load(doors="veil=[::1]:8001/a,veil=/b")

    assert places.first_of(chosen.layout, "veil") == (MAIN, "/b")
    assert places.first_of(chosen.layout, "v1") == (MAIN, "")


@pytest.mark.parametrize("written", ["veil=[::1]:8001/a", "vpnkeys=/", "metrics=127.0.0.1:9100"])
def test_an_entry_is_kept_as_it_was_written(written: str) -> None:
    assert str(places.wish(written)) == written
    assert places.layout([places.wish(written)], MAIN)


@pytest.mark.parametrize(
    ("doors", "told"),
    [
        ("hestia=/x", "is no dialect; there are veil, vpnkeys, v1, auth, integrations, subscription, metrics"),
        ("auth=/x", "auth takes an address, and no prefix"),
        ("veil", "it must be a dialect with an address, a prefix or both"),
        ("veil=", "it must be"),
        ("veil=8001", "it must be"),
        ("veil=127.0.0.1:0", "it must be"),
        ("veil=127.0.0.1:65536", "it must be"),
        ("veil=example.com:80", "it must be"),
        ("veil=/a?b", "it must be"),
        ("veil=//a", "it must be"),
        ("veil=/a//b", "it must be"),
    ],
)
def test_another_form_is_refused_with_what_it_must_be(doors: str, told: str) -> None:
    with pytest.raises(Misconfigured, match=f"KEYSTEAD_DOORS: .*{told}.*for example KEYSTEAD_DOORS=") as refused:
        settings.load(doors=doors)

    assert "vpnkeys=127.0.0.1:8001" in refused.value.message


def test_a_door_that_others_can_reach_counts_as_exposed() -> None:
    assert settings.load(doors="vpnkeys=0.0.0.0:8001").is_reachable_by_others
    assert not settings.load(doors="vpnkeys=[::1]:8001").is_reachable_by_others


def test_a_place_is_a_dialect_with_what_stands_before_its_paths() -> None:
    assert places.wish("veil=/veil").place == Place("veil", "/veil")
