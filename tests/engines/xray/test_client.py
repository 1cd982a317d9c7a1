"""The API client against the real core: each text it matches, and each field of ``wire.proto`` it sets."""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keystead.engines.xray import wire_pb2 as wire
from keystead.engines.xray.client import XrayClient
from keystead.engines.xray.config import BLOCKED
from keystead.engines.xray.state import XrayUser
from keystead.keeper.ports import free_loopback_port
from keystead.kit.errors import AlreadyExists, EngineUnavailable, NotFound, Rejected, Unsupported
from tests.support import xray
from tests.support.downloads import downloading

ROOT = Path(__file__).parents[3]
USER = XrayUser("k1-1", "11111111-2222-4333-8444-555555555555")


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[xray.Lab]:
    async with xray.lab(tmp_path) as made:
        yield made


@pytest.fixture
async def client(lab: xray.Lab) -> AsyncIterator[XrayClient]:
    made = XrayClient.on_socket(lab.options.socket)
    yield made
    await made.close()


async def test_users_are_read_back_as_they_were_written(client: XrayClient) -> None:
    plain = XrayUser("k2-1", "11111111-2222-4333-8444-666666666666", flow="")

    await client.add_user("shared", USER)
    await client.add_user("shared", plain)
    found = await client.users("shared")

    assert found["k1-1"] == USER
    assert found["k2-1"] == plain
    assert await client.users_count("shared") == 3


async def test_an_answer_beyond_grpcs_own_limit_is_read_whole(client: XrayClient) -> None:
    """Long labels stand for many users: the answer is beyond 4 MiB either way, which 30,000 users would be."""
    labels = {f"k{number}-{'x' * (1 << 16)}" for number in range(80)}
    for number, label in enumerate(sorted(labels)):
        await client.add_user("shared", XrayUser(label, f"11111111-2222-4333-8444-{number:012}"))

    found = await client.users("shared")

    assert labels <= found.keys()


async def test_a_label_that_is_taken_already_exists_whatever_its_case(client: XrayClient) -> None:
    await client.add_user("shared", USER)

    with pytest.raises(AlreadyExists):
        await client.add_user("shared", XrayUser("K1-1", USER.uuid))


async def test_an_unknown_user_is_not_found(client: XrayClient) -> None:
    with pytest.raises(NotFound) as caught:
        await client.remove_user("shared", "nobody")

    assert caught.value.kind == "user"


@pytest.mark.parametrize("call", ["add_user", "remove_user", "users", "users_count", "remove_inbound"])
async def test_an_unknown_inbound_is_not_found(client: XrayClient, call: str) -> None:
    more = {"add_user": (USER,), "remove_user": ("k1-1",)}.get(call, ())

    with pytest.raises(NotFound) as caught:
        await getattr(client, call)("nothing", *more)

    assert caught.value.kind == "inbound"


async def test_an_inbound_added_by_message_serves_its_users(lab: xray.Lab, client: XrayClient) -> None:
    second = xray.replace(lab.inbound, tag="second", port=free_loopback_port())

    await client.add_inbound(second, [USER])
    took_s = await xray.dial(xray.replace(lab.profile(USER), port=second.port), lab.origin)

    assert took_s is not None
    assert "second" in await client.inbound_tags()
    with pytest.raises(AlreadyExists):
        await client.add_inbound(second)


async def test_an_inbound_on_a_busy_port_is_rejected_and_its_tag_given_back(lab: xray.Lab, client: XrayClient) -> None:
    second = xray.replace(lab.inbound, tag="second", port=lab.origin[1])

    with pytest.raises(Rejected, match="another program listens"):
        await client.add_inbound(second)

    assert "second" not in await client.inbound_tags()


async def test_the_age_of_the_core_is_small(client: XrayClient) -> None:
    assert 0 <= await client.uptime_s() < 60


async def test_no_core_is_unavailable(tmp_path: Path) -> None:
    client = XrayClient.on_socket(tmp_path / "nothing.sock")

    with pytest.raises(EngineUnavailable):
        await client.uptime_s()

    await client.close()


async def test_a_core_that_was_seen_off_is_unavailable_to_calls_under_way_and_to_later_ones(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(tmp_path / "mute.sock"))
        mute.listen()
        client = XrayClient.on_socket(tmp_path / "mute.sock", timeout_s=0.1)
        under_way = asyncio.create_task(client.counters())
        await asyncio.sleep(0.05)

        await client.close()

        with pytest.raises(EngineUnavailable):
            await under_way
        with pytest.raises(EngineUnavailable):
            await client.counters("k1-1")


def test_the_generated_messages_are_those_of_the_proto_file(tmp_path: Path) -> None:
    proto = "keystead/engines/xray/wire.proto"
    command = [sys.executable, "-W", "ignore", "-m", "grpc_tools.protoc", "-I", "src"]
    out = [f"--python_out={tmp_path}", f"--pyi_out={tmp_path}", f"src/{proto}"]

    subprocess.run([*command, *out], cwd=ROOT, check=True)

    for name in ("wire_pb2.py", "wire_pb2.pyi"):
        generated = (tmp_path / proto).with_name(name).read_text()
        assert generated == (ROOT / "src" / proto).with_name(name).read_text(), f"{name} is stale; see {proto}"


async def test_who_is_online_where_is_read_in_one_call_and_one_by_one_alike(
    lab: xray.Lab, client: XrayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await lab.add("k1-1")
    async with downloading(lab.profile(user), source="127.0.0.2"):
        begun_s = time.time()
        at_once = await client.online()
        monkeypatch.setattr(wire, "UsersStatsRequest", _missing)  # an older core has no such call
        one_by_one = await client.online()

    assert at_once == one_by_one
    assert list(at_once) == ["127.0.0.2"]
    assert list(at_once["127.0.0.2"]) == ["k1-1"]
    assert begun_s - 10 < at_once["127.0.0.2"]["k1-1"] <= begun_s


def _missing() -> None:
    raise Unsupported("this version of Xray has no GetUsersStats")


async def test_a_call_the_core_does_not_have_is_unsupported(client: XrayClient) -> None:
    with pytest.raises(Unsupported, match="no GetNothing"):
        await client._ask("/xray.app.stats.command.StatsService/GetNothing", wire.Empty(), wire.Empty)


async def test_block_rules_are_appended_named_as_their_labels_and_removed(client: XrayClient) -> None:
    before = await client.rules()
    await client.block(["k1-1", "k2-1"], BLOCKED)
    added = await client.rules()
    with pytest.raises(Rejected):
        await client.block(["k1-1"], BLOCKED)
    await client.unblock("k1-1")
    await client.unblock("k9-1")

    assert [*before, "k1-1", "k2-1"] == added
    assert await client.rules() == [*before, "k2-1"]
