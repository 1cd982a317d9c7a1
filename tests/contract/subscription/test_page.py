"""The page a customer sees: complete, safe, and in the language of the browser."""

import base64
import hashlib
import html
import re
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from keystead.dialects.subscription import page, texts
from keystead.dialects.subscription.apps import Platform, platform
from keystead.dialects.subscription.page import PageModel
from keystead.dialects.subscription.texts import Language
from keystead.vpn.families import Family
from keystead.vpn.links import vless_link
from keystead.vpn.values import Usage
from tests.contract.subscription.samples import PHONE, URL, USAGE

MODEL = PageModel(
    title="Северный мост",
    profiles=(PHONE,),
    usage=USAGE,
    is_active=True,
    subscription_url=URL,
    language=Language.ENGLISH,
    platform=Platform.IOS,
    support_url="https://t.me/example",
)


def test_the_page_shows_name_traffic_links_and_ways_to_connect() -> None:
    shown = html.unescape(page.render(MODEL))

    for expected in (
        "<h1>Северный мост</h1>",
        "1.9\u00a0MB",
        "of 9.3\u00a0GB",
        "7\u00a0March\u00a02027",
        vless_link(PHONE),
        f"happ://add/{URL}",
        f"v2raytun://import/{URL}",
        f"streisand://import/{URL}#{quote(MODEL.title)}",
        f"hiddify://import/{URL}#{quote(MODEL.title)}",
        f"sing-box://import-remote-profile?url={quote(URL + '/sing-box', safe='')}#{quote(MODEL.title)}",
        f"clash://install-config?url={quote(URL + '/mihomo', safe='')}&name={quote(MODEL.title)}",
        f'href="{URL}/xray"',
        "https://t.me/example",
        "<svg",
    ):
        assert expected in shown


def test_the_device_at_hand_comes_first_and_open() -> None:
    shown = page.render(replace(MODEL, platform=Platform.MACOS))

    first = re.search(r"<details name=\"platform\"( open)?>\s*<summary>([^<]*)", shown)
    assert first
    assert first.groups() == (" open", "Mac")
    assert shown.count('name="platform"') == len(Platform)


@pytest.mark.parametrize("language", list(Language))
def test_a_page_in_each_language_has_no_text_of_the_other(language: Language) -> None:
    other = next(tongue for tongue in Language if tongue is not language)

    shown = html.unescape(page.render(replace(MODEL, language=language)))

    assert f'<html lang="{language}">' in shown
    assert texts.TEXTS[language]["connect"] in shown
    assert texts.TEXTS[other]["connect.note"] not in shown


def test_all_languages_say_the_same_things() -> None:
    english, russian = (texts.TEXTS[language] for language in Language)

    assert english.keys() == russian.keys()
    assert all(english.values())
    assert all(russian.values())


def test_what_comes_from_outside_is_escaped() -> None:
    evil = '"><script>alert(1)</script>'

    shown = page.render(replace(MODEL, title=evil, profiles=(replace(PHONE, name=evil),)))

    assert shown.count("<script>") == 1
    assert "alert(1)</script>" not in shown


def test_the_policy_lets_through_exactly_the_style_and_script_of_the_page() -> None:
    shown = page.render(MODEL)
    policy = page.content_security_policy()

    for tag in ("style", "script"):
        inline = re.findall(rf"<{tag}>(.*?)</{tag}>", shown, re.DOTALL)
        assert len(inline) == 1
        assert f"{tag}-src 'sha256-{base64.b64encode(hashlib.sha256(inline[0].encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'")
    assert " style=" not in shown
    assert not re.search(r"\son\w+=|<link|<img|\ssrc=", shown)


@pytest.mark.parametrize(
    ("asked", "accepted", "expected"),
    [
        (None, "", Language.ENGLISH),
        (None, "ru-RU,ru;q=0.9,en-US;q=0.8", Language.RUSSIAN),
        (None, "en-US,en;q=0.9,ru;q=0.8", Language.ENGLISH),
        (None, "de,en;q=0.3,ru;q=0.5", Language.RUSSIAN),
        (None, "uk", Language.RUSSIAN),
        (None, "ru;q=0, en", Language.ENGLISH),
        (None, "ru;q=x,,;;", Language.ENGLISH),
        ("ru", "en", Language.RUSSIAN),
        ("xx", "ru", Language.RUSSIAN),
    ],
)
def test_the_language_is_the_one_asked_for_or_preferred(asked: str | None, accepted: str, expected: Language) -> None:
    assert texts.language(asked, accepted) is expected


@pytest.mark.parametrize(
    ("size_bytes", "english", "russian"),
    [
        (0, "0 B", "0 Б"),
        (1023, "1023 B", "1023 Б"),
        (1024, "1 KB", "1 КБ"),
        (1536, "1.5 KB", "1,5 КБ"),
        (1024**3 - 1, "1 GB", "1 ГБ"),
        (150 * 1024**3, "150 GB", "150 ГБ"),
        (1024**6, "1024 PB", "1024 ПБ"),
    ],
)
def test_sizes_are_written_for_people(size_bytes: int, english: str, russian: str) -> None:
    assert texts.size(size_bytes, Language.ENGLISH) == english.replace(" ", "\u00a0")
    assert texts.size(size_bytes, Language.RUSSIAN) == russian.replace(" ", "\u00a0")


def test_a_used_up_quota_shows_nothing_left_and_a_full_bar() -> None:
    shown = page.render(
        replace(MODEL, usage=Usage(0, 300, total_quota=100, expires_at=datetime(2026, 1, 1, tzinfo=UTC)))
    )

    assert 'width="100" height="4" class="used"' in shown
    assert "<dd>0\u00a0B</dd>" in shown


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ("Mozilla/5.0 (Linux; Android 14; Pixel 8)", Platform.ANDROID),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X)", Platform.IOS),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)", Platform.MACOS),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64)", Platform.WINDOWS),
        ("Mozilla/5.0 (X11; Linux x86_64)", Platform.LINUX),
        ("", Platform.ANDROID),
    ],
)
def test_the_device_is_read_from_the_browser(agent: str, expected: Platform) -> None:
    assert platform(agent) is expected


def test_with_a_limit_of_devices_the_page_counts_them_and_shows_nothing_that_any_device_could_copy() -> None:
    shown = html.unescape(page.render(replace(MODEL, devices=(2, 3))))

    assert "<dd>2 / 3</dd>" in shown
    assert "vless://" not in shown
    assert f'href="{URL}/xray"' not in shown
    assert f"happ://add/{URL}" in shown
    assert "hiddify://import" not in shown


def test_programs_that_cannot_connect_now_are_not_recommended() -> None:
    shown = page.render(replace(MODEL, refused=frozenset({Family.MIHOMO, Family.HIDDIFY})))

    assert "clash://install-config" not in shown
    assert "hiddify://import" not in shown
    assert "happ://add" in shown
