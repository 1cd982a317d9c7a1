"""Where customers go whose inbound has our port: its pair is served beside ours, or the plan says why it is not."""

from dataclasses import replace

import pytest

from keystead.importing import printing
from keystead.importing.found import Found, FoundInbound
from keystead.importing.planvalue import Existing, ExistingInbound, ExistingPair, ImportPlan, Standing
from keystead.vpn.placement import Placement
from tests.support.panels import parts
from tests.unit.importing.test_planning import customer, found, inbound, planned, sentence

SHARED = ExistingInbound(
    "shared", "0.0.0.0", 443, parts.pair(1).public_key, ("ours.example", "x.example"), ("7b", "00")
)
HERE = Existing(inbounds=(SHARED,), main=SHARED)
SERVED = ExistingPair(parts.pair().public_key, ("before.example",), ("aa",))


def refusal(source: Found, existing: Existing) -> str:
    return sentence(planned(source, existing).collisions)


def shown(made: ImportPlan) -> list[str]:
    return printing.as_text(made).splitlines()


def test_another_pair_at_the_port_that_keys_share_is_served_beside_ours() -> None:
    made = planned(found(customer(1), customer(2)), HERE)

    [placed] = made.inbounds
    assert made.counts["new"] == 2
    assert (placed.tag, placed.standing, placed.links_carry) == ("shared", Standing.BESIDE, SHARED.public_key)
    assert (placed.server_names, placed.short_ids) == (parts.SERVER_NAMES, parts.SHORT_IDS)
    assert {(key.inbound, key.server_name, key.short_id) for key in made.keys} == {("shared", "ours.example", "7b")}


def test_the_plan_says_whose_links_carry_which_pair_and_the_way_back() -> None:
    lines = shown(planned(found(customer()), HERE))

    assert "  main: 0.0.0.0 port 443, hides behind www.example.com:443, beside ours, 1 keys" in lines
    start = lines.index("Two key pairs at port 443")
    assert parts.pair().public_key in lines[start + 1]
    assert parts.pair(1).public_key in lines[start + 2]
    assert "keystead vpn pair retire" in lines[start + 4]


def test_what_is_approved_is_that_a_pair_is_served_beside_ours() -> None:
    source = found(customer(1), customer(2))

    free, beside = planned(source), planned(source, HERE)
    again = planned(source, replace(HERE, second=SERVED))

    assert free.digest != beside.digest
    assert again.digest == beside.digest


def test_a_pair_that_is_served_already_takes_more_customers_names_and_short_ids() -> None:
    [placed] = planned(found(customer()), replace(HERE, second=SERVED)).inbounds

    assert placed.standing is Standing.BESIDE
    assert placed.server_names == ("before.example", *parts.SERVER_NAMES)
    assert placed.short_ids == ("aa", *parts.SHORT_IDS)


def test_a_third_pair_is_refused_with_what_to_do() -> None:
    former = replace(SERVED, public_key=parts.pair(2).public_key)

    said = refusal(found(customer()), replace(HERE, second=former))

    assert "serves two key pairs already" in said
    assert "keystead vpn pair retire" in said


def test_of_two_inbounds_of_a_panel_one_is_served_beside_ours_and_the_other_is_refused() -> None:
    addresses = ("192.0.2.1", "192.0.2.2")
    off, on = (
        inbound(f"in-{number}", listen=host, pair=number) for number, host in zip((2, 3), addresses, strict=True)
    )
    source = found(customer(1, "in-2"), customer(2, "in-3"), inbounds=(replace(off, is_enabled=False), on))

    made = planned(source, HERE)

    assert [key.source_id for key in made.keys] == ["2"]
    assert "that of inbound in-3" in sentence(made.collisions)


@pytest.mark.parametrize(
    ("existing", "wanted", "reason"),
    [
        (replace(HERE, is_external=True), inbound(), "KEYSTEAD_XRAY_API"),
        (HERE, inbound(placement=Placement.OWN_PORT), "give its customer another port"),
        (replace(HERE, main=replace(SHARED, port=8443)), inbound(), "give that one another port first"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(existing: Existing, wanted: FoundInbound, reason: str) -> None:
    assert reason in refusal(found(customer(), inbounds=(wanted,)), existing)


def test_our_own_pair_at_our_port_is_there_and_not_beside() -> None:
    [placed] = planned(found(customer(), inbounds=(inbound(pair=1),)), HERE).inbounds

    assert placed.standing is Standing.WIDENED
    assert placed.links_carry is None
