"""Which families connect with which core and settings: the table read by rules, without an engine or a database."""

import pytest

from keystead.vpn import compatibility, families
from keystead.vpn.clientrules import ClientVersions
from keystead.vpn.compatibility import Outcome, Server, judge, lost, server_of
from keystead.vpn.families import Family, Offer
from keystead.vpn.profiles.forms import Format

PINNED, POST_QUANTUM = (26, 7, 28), (26, 9, 8)
COMPATIBLE, STRICT = (1, 0, 0), (26, 3, 27)
UNSET = None
XRAY_MADE = {Family.XRAY, Family.HAPP, Family.V2RAYTUN, Family.STREISAND}
SING_BOX_MADE = {Family.SING_BOX, Family.HIDDIFY, Family.KARING, Family.NEKOBOX}


def outcomes(server: Server) -> dict[Family, Outcome]:
    return {row.family: judge(row, server).outcome for row in families.ROWS}


def test_everything_that_speaks_vless_connects_with_the_pinned_core_and_compatible_settings() -> None:
    found = outcomes(Server(PINNED, COMPATIBLE))

    assert found.pop(Family.CLASH) is Outcome.REFUSED
    assert set(found.values()) == {Outcome.CONNECTS}


@pytest.mark.parametrize("core", [(26, 5, 3), (26, 7, 28), (26, 9, 7)])
def test_strict_settings_refuse_what_calls_itself_older_whatever_the_core(core: tuple[int, int, int]) -> None:
    found = outcomes(Server(core, STRICT))

    refused = {family for family, outcome in found.items() if outcome is Outcome.REFUSED}
    assert refused == SING_BOX_MADE | {Family.MIHOMO, Family.SHADOWROCKET, Family.CLASH}
    assert {family for family, outcome in found.items() if outcome is Outcome.DEPENDS} == XRAY_MADE
    assert found[Family.STASH] is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("core", "is_refused"), [((26, 7, 10), False), ((26, 7, 11), True), ((26, 9, 7), True), ((26, 3, 27), False)]
)
def test_an_inbound_without_a_least_version_gets_one_from_cores_since_26_7_11(
    core: tuple[int, int, int], is_refused: bool
) -> None:
    fit = judge(families.BY_FAMILY[Family.MIHOMO], Server(core, UNSET))

    assert (fit.outcome is Outcome.REFUSED) is is_refused
    assert ("it says that it is 1.8.2, and the server asks for 26.3.27" in fit.reason) is is_refused


@pytest.mark.parametrize("least", [UNSET, COMPATIBLE, STRICT])
def test_cores_since_26_9_8_refuse_whoever_has_no_post_quantum_key_share_whatever_is_set(
    least: tuple[int, int, int] | None,
) -> None:
    before, after = outcomes(Server((26, 9, 7), COMPATIBLE)), outcomes(Server(POST_QUANTUM, least))

    for family in SING_BOX_MADE | {Family.MIHOMO, Family.SHADOWROCKET}:
        assert (before[family], after[family]) == (Outcome.CONNECTS, Outcome.REFUSED)
    assert {after[family] for family in XRAY_MADE} == {Outcome.DEPENDS}
    assert after[Family.STASH] is Outcome.UNKNOWN


def test_the_reason_of_the_post_quantum_requirement_names_it() -> None:
    reason = judge(families.BY_FAMILY[Family.SING_BOX], Server(POST_QUANTUM, COMPATIBLE)).reason

    assert reason == "Xray 26.9.8 and newer refuse clients without an X25519MLKEM768 key share"


def test_a_change_loses_whole_families_and_parts_of_others_and_nobody_twice() -> None:
    losses = lost(Server(PINNED, COMPATIBLE), Server(POST_QUANTUM, COMPATIBLE))

    whole = {one.row.family for one in losses if one.is_whole}
    assert whole == SING_BOX_MADE | {Family.MIHOMO, Family.SHADOWROCKET}
    assert {one.row.family for one in losses if not one.is_whole} == XRAY_MADE
    assert lost(Server(POST_QUANTUM, COMPATIBLE), Server(POST_QUANTUM, STRICT)) == []
    assert lost(Server(POST_QUANTUM, STRICT), Server(PINNED, COMPATIBLE)) == []


def test_an_upgrade_within_the_supported_cores_loses_nobody() -> None:
    for versions in ClientVersions:
        oldest, newest = server_of("26.5.3", versions), server_of("26.9.7", versions)
        assert oldest is not None
        assert newest is not None
        assert lost(oldest, newest) == []


def test_a_core_that_does_not_say_its_version_is_not_judged() -> None:
    assert server_of("unknown", ClientVersions.STRICT) is None
    assert compatibility.refused(None) == frozenset()


@pytest.mark.parametrize(
    ("agent", "family"),
    [
        ("v2rayN/6.40", Family.XRAY),
        ("v2rayNG/1.8.29", Family.XRAY),
        ("v2raytun/ios", Family.V2RAYTUN),
        ("Shadowrocket/2070 CFNetwork/1410 Darwin/22.6.0", Family.SHADOWROCKET),
        ("Streisand/1.6", Family.STREISAND),
        ("Happ/1.63.1/ios", Family.HAPP),
        ("NekoBox/Android/1.3.1 (Prefer ClashMeta Format)", Family.NEKOBOX),
        ("HiddifyNext/4.1.1 (android) like ClashMeta v2ray sing-box", Family.HIDDIFY),
        ("Karing/1.1 ClashMeta", Family.KARING),
        ("SFA/1.12.0 (466; sing-box 1.12.0; language en_US)", Family.SING_BOX),
        ("mihomo/1.19.0", Family.MIHOMO),
        ("clash-verge/v2.0.0", Family.MIHOMO),
        ("ClashMetaForAndroid/2.11", Family.MIHOMO),
        ("ClashX Meta/v1.3.6", Family.MIHOMO),
        ("FlClash/v0.8.70", Family.MIHOMO),
        ("ClashforWindows/0.20.39", Family.CLASH),
        ("ClashX/1.118.0 (com.west2online.ClashX; build:1.118.0)", Family.CLASH),
        ("Stash/3.0.0", Family.STASH),
        ("curl/8.0", None),
        ("", None),
    ],
)
def test_a_program_is_known_by_what_it_calls_itself(agent: str, family: Family | None) -> None:
    row = families.of_program(agent)

    assert (None if row is None else row.family) == family


def test_every_family_has_a_row_and_every_fact_a_source() -> None:
    assert {row.family for row in families.ROWS} == set(Family) - {Family.OTHER}
    for row in families.ROWS:
        assert row.sources or row.core.sources, row.family
        assert row.core.sources or (row.core.says is None and row.core.post_quantum is Offer.UNKNOWN), row.family
        assert row.given in row.reads or not row.core.has_vless, row.family
        assert Format.PAGE not in row.reads
