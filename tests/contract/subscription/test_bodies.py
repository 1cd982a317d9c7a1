"""Each form as a file, and each form read back into the profiles it was made of."""

import base64
import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from keystead.kit.errors import Broken
from keystead.vpn.links import parse_link
from keystead.vpn.profiles import links, mihomo, singbox, xray
from keystead.vpn.values import ClientProfile
from tests.contract.subscription.samples import LAPTOP, PHONE
from tests.support import binaries
from tests.support.decoders import from_mihomo, from_sing_box, from_xray

GOLDEN = Path(__file__).parent / "golden"
TITLE = "Северный мост"
BOTH = (PHONE, LAPTOP)
LAPTOP_NAMED = replace(LAPTOP, name=TITLE)

Render = Callable[[Sequence[ClientProfile], str], str]


@pytest.mark.parametrize(
    ("render", "profiles", "file"),
    [
        (links.render, BOTH, "base64.txt"),
        (links.render_plain, BOTH, "links.txt"),
        (xray.render, (PHONE,), "xray.json"),
        (xray.render, BOTH, "xray-two.json"),
        (singbox.render, (PHONE,), "sing-box.json"),
        (singbox.render, BOTH, "sing-box-two.json"),
        (mihomo.render, (PHONE,), "mihomo.yaml"),
        (mihomo.render, BOTH, "mihomo-two.yaml"),
    ],
)
def test_a_form_is_the_agreed_file(render: Render, profiles: Sequence[ClientProfile], file: str) -> None:
    assert render(profiles, TITLE) == (GOLDEN / file).read_text("utf-8")


@pytest.mark.parametrize("render", [links.render, links.render_plain, xray.render, singbox.render, mihomo.render])
def test_no_form_is_rendered_without_a_profile(render: Render) -> None:
    with pytest.raises(Broken):
        render((), TITLE)


def test_the_base64_list_decodes_into_the_same_profiles() -> None:
    lines = base64.b64decode(links.render(BOTH, TITLE), validate=True).decode().splitlines()

    assert [parse_link(line) for line in lines] == [PHONE, LAPTOP_NAMED]


def test_the_mihomo_form_decodes_into_the_same_profiles() -> None:
    content = yaml.safe_load(mihomo.render(BOTH, TITLE))

    assert [from_mihomo(proxy) for proxy in content["proxies"]] == [PHONE, LAPTOP_NAMED]
    assert content["proxy-groups"][1]["proxies"] == [PHONE.name, TITLE]


def test_the_xray_form_decodes_into_the_same_profiles() -> None:
    content = json.loads(xray.render(BOTH, TITLE))

    assert [from_xray(file) for file in content] == [PHONE, LAPTOP_NAMED]


def test_the_sing_box_form_decodes_into_the_same_profiles() -> None:
    content = json.loads(singbox.render(BOTH, TITLE))

    vless = [outbound for outbound in content["outbounds"] if outbound["type"] == "vless"]
    assert [from_sing_box(outbound) for outbound in vless] == [PHONE, LAPTOP_NAMED]


def test_a_short_id_that_looks_like_a_number_stays_text_in_yaml() -> None:
    assert 'short-id: "7e450505"' in mihomo.render((PHONE,), TITLE)


@pytest.mark.parametrize(
    "name", ["proxy", "auto", "direct", "PROXY", "AUTO", "DIRECT", "a\x00b", "\u202e", "", "{x}: - #"]
)
def test_awkward_names_leave_valid_and_unique_entries(name: str) -> None:
    twins = (replace(PHONE, name=name), replace(PHONE, name=name))

    boxes = json.loads(singbox.render(twins, TITLE))["outbounds"]
    clash = yaml.safe_load(mihomo.render(twins, TITLE))
    tags = [outbound["tag"] for outbound in boxes]
    entries = [entry["name"] for entry in clash["proxies"] + clash["proxy-groups"]]
    assert len(set(tags)) == len(tags)
    assert len({*entries, "DIRECT", "REJECT"}) == len(entries) + 2
    assert all(tags)
    assert all(entries)


def test_a_name_loses_its_controls_and_keeps_its_emoji() -> None:
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467 дом"

    (link,) = links.render_plain((replace(PHONE, name=f"\u202e{family}\r\n"),), TITLE).splitlines()

    assert parse_link(link).name == family


@pytest.mark.engine
@pytest.mark.parametrize("profiles", [(PHONE,), BOTH, (LAPTOP,)])
def test_sing_box_accepts_its_form(profiles: Sequence[ClientProfile], tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(singbox.render(profiles, TITLE), "utf-8")

    check([str(binaries.sing_box()), "check", "-c", str(file)])


@pytest.mark.engine
@pytest.mark.parametrize("profile", [PHONE, LAPTOP])
def test_xray_accepts_its_form(profile: ClientProfile, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(xray.render((profile,), TITLE), "utf-8")

    check([str(binaries.xray()), "run", "-test", "-config", str(file)])


def check(command: list[str]) -> None:
    """Run a program's own checker; it must accept the file and warn of nothing."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert "WARN" not in output.upper(), output
