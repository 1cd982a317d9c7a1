"""3x-ui's database becomes customers with their links, terms and traffic."""

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from keystead.importing import xui
from keystead.importing.found import Found, FoundCustomer, What
from keystead.kit.errors import Invalid
from keystead.kit.secret import Secret
from keystead.vpn.accounting import Bytes
from keystead.vpn.periods import Period, Reset
from tests.support.panels import parts
from tests.support.panels.parts import CREATED, GIB, NOW, VISION
from tests.support.panels.xui import OLD_SCHEMA, Xui, shop

Read = Callable[[Xui], Found]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    return lambda panel: xui.read(panel.write(tmp_path / "x-ui.db"), now=NOW)


def one(found: Found, source_id: str) -> FoundCustomer:
    [customer] = [customer for customer in found.customers if customer.source_id == source_id]
    return customer


def single(read: Read, schema: str | None = None, **client: object) -> FoundCustomer:
    """Read a panel with one client."""
    panel = Xui() if schema is None else Xui(schema)
    panel.inbound("in-443", 443)
    panel.client("in-443", "anna", 1, **client)
    return one(read(panel), "anna")


def test_a_normal_client_keeps_everything_its_link_and_its_terms_are_made_of(read: Read) -> None:
    found = read(shop())
    customer = one(found, "normal")

    [inbound] = found.inbounds
    assert (inbound.listen, inbound.port, inbound.target) == ("0.0.0.0", 443, parts.TARGET)
    assert inbound.private_key == parts.pair().private_key
    assert (inbound.public_key, inbound.short_ids) == (parts.pair().public_key, parts.SHORT_IDS)
    assert inbound.server_names == parts.SERVER_NAMES
    assert customer.uuid == parts.uuid_of(1)
    assert [(link.inbound, link.flow) for link in customer.links] == [("in-443", VISION)]
    assert customer.created_at == CREATED
    assert customer.terms.quota_bytes == 50 * GIB
    assert customer.terms.used == Bytes(GIB, 2 * GIB)
    assert customer.terms.expires_at == NOW + timedelta(days=20)
    assert customer.subscription_token == Secret("sub-0000000000001")
    assert found.subscription_path == "/poll/"
    assert customer.not_carried == ()


def test_an_old_version_lacks_columns_and_is_read(read: Read) -> None:
    assert single(read, OLD_SCHEMA, totalGB=GIB).terms.quota_bytes == GIB


def test_the_lifetime_survives_resets_where_the_version_knows_it(read: Read) -> None:
    terms = single(read, stat={"up": 10, "down": 20, "all_time": 1000}).terms

    assert (terms.used, terms.lifetime) == (Bytes(10, 20), Bytes(10, 990))


def test_a_client_that_renews_itself_gets_a_period_that_begins_at_its_end(read: Read) -> None:
    ended = NOW - timedelta(days=40)
    customer = single(read, totalGB=GIB, reset=30, expiryTime=parts.milliseconds(ended))

    assert customer.terms.expires_at is None
    assert customer.terms.period == Period(Reset.ROLLING, days=30)
    assert customer.terms.period_began_at == ended + timedelta(days=30)


def test_renewals_that_are_paid_for_end_after_the_last_of_them(read: Read) -> None:
    ends = NOW + timedelta(days=5)
    stat = {"reset": 30, "reset_max": 3, "reset_count": 1}
    customer = single(read, reset=30, expiryTime=parts.milliseconds(ends), stat=stat)

    assert customer.terms.expires_at == ends + timedelta(days=60)


def test_renewals_beyond_the_calendar_are_renewals_without_an_end(read: Read) -> None:
    stat = {"reset": 30, "reset_max": 10**6}
    customer = single(read, reset=30, expiryTime=parts.milliseconds(NOW), stat=stat)

    assert customer.terms.expires_at is None
    assert customer.terms.period == Period(Reset.ROLLING, days=30)


def test_a_length_beyond_the_calendar_is_named_and_ends_nobody_elses_import(read: Read) -> None:
    panel = shop()
    stat = {"reset": 10**8, "reset_max": 12}
    panel.client("in-443", "odd", 20, reset=10**8, expiryTime=parts.milliseconds(NOW), stat=stat)
    found = read(panel)

    assert [note.what for note in one(found, "odd").not_carried] == [What.RECORD]
    assert one(found, "normal").not_carried == ()


def test_a_monthly_cycle_is_in_the_panels_time_zone(read: Read) -> None:
    panel = shop()
    panel.client("in-443", "monthly", 20, totalGB=GIB, trafficReset="monthly", trafficResetDay=5)

    assert one(read(panel), "monthly").terms.period == Period(Reset.MONTH, month_day=5, zone="Europe/Moscow")


def test_an_hourly_cycle_is_refused_rather_than_guessed(read: Read) -> None:
    customer = single(read, trafficReset="hourly")

    assert customer.links == ()
    assert "hourly" in customer.not_carried[0].sentence


def test_a_client_of_two_inbounds_is_one_customer_with_two_links(read: Read) -> None:
    panel = shop()
    panel.inbound("in-2053", 2053)
    panel.client("in-2053", "normal", 1, flow="")

    customer = one(read(panel), "normal")

    assert [(link.inbound, link.flow) for link in customer.links] == [("in-443", VISION), ("in-2053", "")]


def test_one_email_with_two_ids_is_two_customers(read: Read) -> None:
    panel = shop()
    panel.inbound("in-2053", 2053)
    panel.client("in-2053", "normal", 77)

    found = read(panel)

    assert one(found, "normal").uuid == parts.uuid_of(1)
    assert one(found, "normal at in-2053").uuid == parts.uuid_of(77)


def test_a_text_for_an_id_becomes_the_uuid_that_xray_makes_of_it(read: Read) -> None:
    customer = single(read, id="Example")

    # What `xray uuid -i Example` prints; test_fields.py asks the real core.
    assert customer.uuid == "ed22e1e9-a75e-5049-b099-b393db55d463"
    assert customer.not_carried[0].what is What.NAME


def test_a_subscription_of_several_clients_is_not_carried_for_any(read: Read) -> None:
    panel = shop()
    panel.client("in-443", "shares", 30, subId="sub-0000000000001")

    found = read(panel)

    assert one(found, "shares").subscription_token is one(found, "normal").subscription_token is None
    assert one(found, "shares").not_carried[0].what is What.SUBSCRIPTION


@pytest.mark.parametrize("client", ["text", None, {"email": 5}, {"email": "x", "id": []}])
def test_a_broken_record_is_listed(read: Read, client: object) -> None:
    panel = shop()
    panel.inbounds[0]["settings"]["clients"].append(client)

    customer = one(read(panel), "in-443 client 9")

    assert customer.not_carried[0].what is What.RECORD


def test_clients_of_an_inbound_that_cannot_be_read_are_listed_by_their_traffic(read: Read, tmp_path: Path) -> None:
    path = shop().write(tmp_path / "broken.db")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE inbounds SET settings = '{' WHERE tag = 'in-443'")
    connection.close()

    found = xui.read(path, now=NOW)

    assert one(found, "normal").not_carried[0].sentence == "stands in no inbound that can be read"
    assert {"limited", parts.UNICODE_NAME} <= {customer.source_id for customer in found.customers}


def test_an_inbound_of_another_machine_is_named(read: Read) -> None:
    panel = shop()
    panel.inbounds[0]["node_id"] = 3

    assert one(read(panel), "normal").not_carried[0].what is What.MACHINE


def test_a_public_key_that_does_not_belong_to_the_private_one_is_refused(read: Read) -> None:
    panel = shop()
    panel.inbounds[0]["stream_settings"]["realitySettings"]["settings"]["publicKey"] = parts.pair(1).public_key

    assert "does not belong" in one(read(panel), "normal").not_carried[0].sentence


def test_another_programs_database_says_what_was_expected(tmp_path: Path) -> None:
    path = parts.write_sqlite(tmp_path / "other.db", "CREATE TABLE users (id INTEGER)", {})

    with pytest.raises(Invalid, match=r"lacks the table inbounds.*x-ui\.db"):
        xui.read(path, now=NOW)


@pytest.mark.parametrize(("written", "carried"), [(2, 2), (0, None), (-1, None), (None, None), (1001, None)])
def test_a_limit_of_addresses_comes_along(read: Read, written: int | None, carried: int | None) -> None:
    customer = single(read, limitIp=written, limitHwid=3)

    assert (customer.terms.address_limit, customer.terms.device_limit) == (carried, 3)
    assert [note.sentence for note in customer.not_carried] == (
        ["its limit of 1,001 addresses is beyond 1,000, the largest here; it comes without one"]
        if written == 1001
        else []
    )


def test_a_client_whose_creation_is_unclear_comes_along_without_it(read: Read) -> None:
    customer = single(read, created_at="last spring")

    assert (customer.uuid, customer.created_at) == (parts.uuid_of(1), None)
    assert "made at the moment of the import" in customer.not_carried[0].sentence
