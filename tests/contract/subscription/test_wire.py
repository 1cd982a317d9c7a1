"""The subscription wire: forms by path and by program, headers, errors, codes."""

import base64
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

import httpx2
import pytest

from keystead.dialects.subscription import texts
from keystead.dialects.subscription.app import DeviceRefused, SubscriptionView, create_app
from keystead.kit.errors import Broken, StorageBusy
from keystead.vpn.devices import Refusal
from keystead.vpn.families import Family
from keystead.vpn.links import parse_link, vless_link
from keystead.vpn.profiles import qr
from keystead.vpn.profiles.choose import choose
from keystead.vpn.profiles.forms import Format
from keystead.vpn.values import Usage
from tests.contract.subscription.samples import PHONE, TOKEN, URL, Backend, view

BROWSER = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1"
HTML = "text/html,application/xhtml+xml,*/*;q=0.8"


@asynccontextmanager
async def client(backend: Backend) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(create_app(backend), raise_app_exceptions=False, client=("192.0.2.7", 1234))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as found:
        yield found


async def get(path: str, *, known: SubscriptionView | None = None, **headers: str) -> httpx2.Response:
    async with client(Backend(known or view())) as http:
        return await http.get(path, headers={key.replace("_", "-"): value for key, value in headers.items()})


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ("v2rayN/6.40", Format.BASE64),
        ("v2rayNG/1.8.29", Format.BASE64),
        ("v2raytun/ios", Format.BASE64),
        ("Shadowrocket/2070 CFNetwork/1410 Darwin/22.6.0", Format.BASE64),
        ("Streisand/1.6", Format.BASE64),
        ("Happ/1.63.1/ios", Format.BASE64),
        ("NekoBox/Android/1.3.1 (Prefer ClashMeta Format)", Format.BASE64),
        ("HiddifyNext/4.1.1 (android) like ClashMeta v2ray sing-box", Format.SING_BOX),
        ("Karing/1.1 ClashMeta", Format.SING_BOX),
        ("SFA/1.12.0 (466; sing-box 1.12.0; language en_US)", Format.SING_BOX),
        ("SFI/1.12.0", Format.SING_BOX),
        ("SFM/1.12.0", Format.SING_BOX),
        ("sing-box 1.13.2", Format.SING_BOX),
        ("mihomo/1.19.0", Format.MIHOMO),
        ("clash-verge/v2.0.0", Format.MIHOMO),
        ("ClashMetaForAndroid/2.11", Format.MIHOMO),
        ("FlClash/v0.8.70", Format.MIHOMO),
        ("Stash/3.0.0", Format.MIHOMO),
        ("curl/8.0", Format.BASE64),
        ("", Format.BASE64),
    ],
)
def test_a_program_gets_the_form_it_reads(agent: str, expected: Format) -> None:
    assert choose(agent, "*/*") is expected


def test_a_browser_gets_the_page_and_an_app_that_accepts_html_does_not() -> None:
    assert choose(BROWSER, HTML) is Format.PAGE
    assert choose("Happ/1.63.1", HTML) is Format.BASE64


@pytest.mark.parametrize(
    ("form", "media_type"),
    [
        ("base64", "text/plain; charset=utf-8"),
        ("links", "text/plain; charset=utf-8"),
        ("xray", "application/json"),
        ("sing-box", "application/json"),
        ("mihomo", "text/yaml; charset=utf-8"),
        ("clash", "text/yaml; charset=utf-8"),
        ("qr.svg", "image/svg+xml"),
        ("qr.png", "image/png"),
        ("page", "text/html; charset=utf-8"),
    ],
)
async def test_a_path_gets_the_form_it_names_from_get_and_head_alike(form: str, media_type: str) -> None:
    async with client(Backend(view())) as http:
        full = await http.get(f"/sub/{TOKEN}/{form}")
        head = await http.head(f"/sub/{TOKEN}/{form}")

    assert (full.status_code, full.headers["content-type"]) == (200, media_type)
    assert full.content
    assert (head.status_code, head.headers, head.content) == (200, full.headers, b"")


async def test_an_app_gets_its_links_with_the_headers_it_reads() -> None:
    answer = await get(f"/sub/{TOKEN}", user_agent="Happ/1.63.1")

    assert parse_link(base64.b64decode(answer.text).decode().strip()) == PHONE
    assert {key: answer.headers.get(key) for key in (*HEADERS, "announce")} == HEADERS | {"announce": None}


HEADERS = {
    "subscription-userinfo": "upload=1000; download=2000000; total=10000000000; expire=1804420800",
    "profile-title": "base64:0KHQtdCy0LXRgNC90YvQuSDQvNC+0YHRgg==",
    "profile-update-interval": "12",
    "content-disposition": f"attachment; filename=\"vpn.txt\"; filename*=UTF-8''{quote('Северный мост.txt')}",
    "support-url": "https://t.me/example",
    "profile-web-page-url": URL,
    "cache-control": "no-store",
}


async def test_no_quota_and_no_end_are_zero_and_a_plain_title_stays_plain() -> None:
    known = view(title="North Bridge", usage=Usage(0, 0), support_url=None)

    answer = await get(f"/sub/{TOKEN}/xray", known=known)

    assert answer.headers["subscription-userinfo"] == "upload=0; download=0; total=0; expire=0"
    assert answer.headers["profile-title"] == "North Bridge"
    assert 'filename="North Bridge.json"' in answer.headers["content-disposition"]
    assert "support-url" not in answer.headers


@pytest.mark.parametrize(
    "title", ["x" * 40, "Очень длинное название подписки у продавца", 'a"\r\nset-cookie: x', "base64:x", "\ud800"]
)
async def test_any_title_leaves_headers_valid_and_short(title: str) -> None:
    answer = await get(f"/sub/{TOKEN}/base64", known=view(title=title))

    shown = answer.headers["profile-title"]
    text = base64.b64decode(shown[7:]).decode() if shown.startswith("base64:") else shown
    assert answer.status_code == 200
    assert len(text) <= 25
    assert "set-cookie" not in answer.headers


async def test_a_key_that_is_off_keeps_its_profile_and_says_so() -> None:
    off = view(is_active=False)

    body = await get(f"/sub/{TOKEN}", known=off, user_agent="Happ/1.63.1")
    shown = await get(f"/sub/{TOKEN}/page", known=off)

    assert parse_link(base64.b64decode(body.text).decode().strip()) == PHONE
    assert base64.b64decode(body.headers["announce"].removeprefix("base64:")).decode().startswith("Доступ отключён")
    assert "Switched off" in shown.text


async def test_everything_that_leads_nowhere_is_told_the_same() -> None:
    paths = ("/sub/unknown", "/sub/unknown/xray", "/sub/unknown/nothing", f"/sub/{TOKEN}/nothing", "/sub/", "/other")

    answers = [await get(path, user_agent=BROWSER, accept=HTML) for path in paths]

    assert {answer.status_code for answer in answers} == {404}
    assert {answer.text for answer in answers} == {"Not found\n"}
    assert len({json.dumps(dict(answer.headers)) for answer in answers}) == 1


async def test_trouble_of_the_moment_is_503_and_trouble_of_ours_500() -> None:
    async with client(Backend(view(), StorageBusy("locked", retry_after_s=3))) as http:
        busy = await http.get(f"/sub/{TOKEN}")
    async with client(Backend(view(), Broken("secret detail"))) as http:
        broken = await http.get(f"/sub/{TOKEN}")

    assert (busy.status_code, busy.headers["retry-after"]) == (503, "3")
    assert (broken.status_code, broken.text) == (500, "Internal error\n")


async def test_the_backend_learns_the_token_and_no_log_does(caplog: pytest.LogCaptureFixture) -> None:
    backend = Backend(view())
    caplog.set_level(logging.DEBUG, logger="keystead")

    async with client(backend) as http:
        await http.get(f"/sub/{TOKEN}")
        await http.get("/sub/ks_sub_wrong")

    assert [poll.token for poll in backend.asked] == [TOKEN, "ks_sub_wrong"]
    assert TOKEN not in repr(backend.asked)
    assert not [record for record in caplog.records if record.name.startswith(("keystead", "starlette"))]


async def test_codes_draw_the_address_or_the_key() -> None:
    address = await get(f"/sub/{TOKEN}/qr.svg")
    key = await get(f"/sub/{TOKEN}/qr.png?of=key")

    assert address.text == qr.svg(URL)
    assert key.content == qr.png(vless_link(PHONE))
    assert key.content.startswith(b"\x89PNG")


HWID = "4139def9-6877-4771-b313-49e3119ba158"


async def test_a_program_s_family_and_device_are_asked_for_and_a_browser_s_are_not() -> None:
    backend = Backend(view())
    device = {
        "x-hwid": f" {HWID} ",
        "x-device-os": "Android",
        "x-ver-os": "14",
        "x-device-model": "Телефон\t7".encode(),
    }

    async with client(backend) as http:
        await http.get(f"/sub/{TOKEN}", headers={"user-agent": "Happ/3.1", **device})
        await http.get(f"/sub/{TOKEN}/mihomo", headers={"user-agent": "curl/8", "x-hwid": "x" * 129})
        for path in ("", "/page", "/qr.svg"):
            await http.get(f"/sub/{TOKEN}{path}", headers={"user-agent": BROWSER, "accept": HTML, "x-hwid": HWID})

    named, unnamed, *people = backend.asked
    assert named.family is Family.HAPP
    assert named.device is not None
    told = (named.device.hwid.reveal(), named.device.system, named.device.model)
    assert told == (HWID, "Android 14", "Телефон 7")
    assert (unnamed.family, unnamed.device) == (Family.OTHER, None)
    assert {(poll.family, poll.device) for poll in people} == {(None, None)}


@pytest.mark.parametrize(
    ("why", "reason"), [(Refusal.FULL, "x-hwid-max-devices-reached"), (Refusal.UNNAMED, "x-hwid-not-supported")]
)
async def test_a_refused_device_is_told_why_in_the_headers_programs_read_and_given_nothing(
    why: Refusal, reason: str
) -> None:
    refused = DeviceRefused(why, "North Bridge", "https://t.me/example")

    async with client(Backend(refused)) as http:
        answer = await http.get(f"/sub/{TOKEN}", headers={"user-agent": "Happ/3.1"})

    hwid = {name: value for name, value in answer.headers.items() if name.startswith("x-hwid-")}
    assert answer.status_code == 404
    assert hwid == {"x-hwid-active": "true", "x-hwid-limit": "true", reason: "true"}
    announced = base64.b64decode(answer.headers["announce"].removeprefix("base64:")).decode()
    assert announced == texts.DEVICE_ANNOUNCEMENTS[why]
    assert (answer.headers["support-url"], answer.headers["cache-control"]) == ("https://t.me/example", "no-store")
    assert "vless" not in answer.text


async def test_with_a_limit_a_device_learns_that_it_counts_and_without_one_nothing() -> None:
    limited = await get(f"/sub/{TOKEN}/links", known=view(devices=(1, 3)))
    free = await get(f"/sub/{TOKEN}/links")

    assert {name: value for name, value in limited.headers.items() if "hwid" in name} == {"x-hwid-active": "true"}
    assert [name for name in free.headers if "hwid" in name] == []
    assert limited.text == free.text


async def test_with_a_limit_the_code_of_the_key_itself_is_refused() -> None:
    known = view(devices=(1, 3))

    code, key = [await get(f"/sub/{TOKEN}/qr.svg{of}", known=known) for of in ("", "?of=key")]

    assert (code.status_code, key.status_code) == (200, 404)
    assert key.headers["x-hwid-not-supported"] == "true"
