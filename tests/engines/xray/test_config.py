"""What a rendered configuration opens and what it keeps closed, on the real core."""

import subprocess
from pathlib import Path

import grpc
import orjson

from keystead.engines.xray import config
from keystead.engines.xray.state import XraySettings
from keystead.kit.secret import Secret
from tests.support import xray

CLOSED = XraySettings()


def _probe(lab: xray.Lab) -> config.ProbePlan:
    user = config.probe_user("11111111-2222-4333-8444-555555555555")
    return config.ProbePlan(1080, 1081, Secret("password"), user, config.routes([lab.inbound]))


async def test_the_core_accepts_the_configuration(tmp_path: Path) -> None:
    settings = XraySettings(allow_private=("10.0.0.0/8", "fd00::/8"), is_mail_open=True)
    for chosen in (CLOSED, settings):
        async with xray.lab(tmp_path / chosen.__class__.__name__, is_started=False) as lab:
            lab.want("k1-1")
            rendered = config.render(
                lab.desired, api_listen=config.api_on_socket(tmp_path / "s"), probe=_probe(lab), settings=chosen
            )
        command = [xray.xray_path(), "run", "-test", "-config", "stdin:"]
        tested = subprocess.run(command, input=orjson.dumps(rendered), capture_output=True, check=False)

        assert tested.returncode == 0, tested.stdout


async def test_loopback_and_private_targets_are_closed(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, settings=CLOSED) as lab:
        user = await lab.add("k1-1")
        async with xray.client(lab.profile(user)) as port:
            by_address = await xray.get(port, lab.origin, within_s=2)
            by_name = await xray.get(port, ("localhost", lab.origin[1]), within_s=2)

    assert by_address is None
    assert by_name is None


async def test_an_allowed_range_is_open(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, settings=XraySettings(allow_private=("127.0.0.0/8",))) as lab:
        connected = await lab.dial(await lab.add("k1-1"))

    assert connected is not None


async def test_the_probe_itself_reaches_the_echo_alone(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        refused = await lab.dial(lab.driver._running().started.probe.user, within_s=2)

    assert refused is None


async def _is_blocked(lab: xray.Lab, port: int) -> bool:
    """Ask the core where it would send TCP to a port: a listener on port 25 would need root.

    TestRouteRequest{RoutingContext=1{Network=2: TCP=2, TargetIPs=4, TargetPort=6}}; the answer names the outbound
    (app/router/command/command.proto). When no rule matches the answer is an error, and the first outbound is taken.
    """
    context = bytes([0x10, 2, 0x22, 4, 192, 0, 2, 1, 0x30, port])
    async with grpc.aio.insecure_channel(f"unix:{lab.options.socket}") as channel:
        ask = channel.unary_unary("/xray.app.router.command.RoutingService/TestRoute")
        try:
            answer: bytes = await ask(bytes([0x0A, len(context)]) + context, timeout=5)
        except grpc.aio.AioRpcError as error:
            answer = (error.details() or "").encode()
    is_blocked = b"blocked" in answer
    assert is_blocked or b"not enough information" in answer
    return is_blocked


async def test_mail_is_closed_by_default(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        assert await _is_blocked(lab, 25)
        assert not await _is_blocked(lab, 80)


async def test_mail_can_be_opened(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, settings=XraySettings(is_mail_open=True)) as lab:
        assert not await _is_blocked(lab, 25)


async def test_the_digest_sees_static_changes_and_not_users(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, is_started=False) as lab:
        before = config.digest(lab.desired, CLOSED)
        lab.want("k1-1")
        with_user = config.digest(lab.desired, CLOSED)
        opened = config.digest(lab.desired, XraySettings(is_mail_open=True))
        lab.inbound = xray.replace(lab.inbound, min_client_version="26.3.27")
        stricter = config.digest(lab.desired, CLOSED)

    assert before == with_user
    assert len({before, opened, stricter}) == 3


async def test_every_pair_and_every_inbound_has_a_route(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, is_started=False) as lab:
        first = xray.replace(lab.inbound, server_names=("a.test", "b.test"))
        same_pairs = xray.replace(first, tag="second")
        new_pair = xray.replace(first, tag="third", server_names=("b.test", "c.test"))
        chosen = config.routes([first, same_pairs, new_pair])

    assert [(route.tag, route.server_name) for route in chosen] == [
        ("shared", "a.test"),
        ("shared", "b.test"),
        ("second", "a.test"),
        ("third", "c.test"),
    ]
