"""Every command once against a real instance: what programs read, what codes it ends with, and who may."""

import asyncio
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Run, runner
from tests.support.keystead import Keystead, keystead

NOBODY = "65534"


class Commands:
    """The command line beside a running instance, as its owner."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def json(self, *arguments: object, stdin: str = "") -> Any:
        ended = self.run(*arguments, "--json", stdin=stdin)
        assert ended.code == 0, ended.err
        return ended.json


def beside(instance: Keystead, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Return the command line with the instance's settings."""
    for name, value in instance.environment.items():
        monkeypatch.setenv(name, value)
    return Commands(runner(capsys, monkeypatch, instance.data_dir))


async def test_every_command_against_a_real_instance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with keystead(tmp_path) as instance:
        do = beside(instance, capsys, monkeypatch)

        # The REALITY target lives on this event loop, so that commands may not stop it.
        for subject in (keys, tokens, users, engines, pairs, system):
            await asyncio.to_thread(subject, do)

        bob = await asyncio.to_thread(do.json, "vpn", "key", "add", "bob")
        assert await instance.dial(bob["number"]) is not None
    assert do.run("vpn", "key", "list").code == 4


def keys(do: Commands) -> None:
    added = do.json("vpn", "key", "add", "anna")
    number, old_uuid = added["number"], added["uuid"]

    assert added["link"].startswith("vless://")
    assert [key["number"] for key in do.json("vpn", "key", "list")] == [number]
    assert do.json("vpn", "key", "show", added["id"])["name"] == "anna"
    assert do.json("vpn", "key", "link", number)["link"] == added["link"]
    assert "▀" in do.run("vpn", "key", "qr", number).out
    assert do.json("vpn", "key", "rename", number, "eva")["name"] == "eva"
    assert do.json("vpn", "key", "disable", number)["is_active"] is False
    assert do.json("vpn", "key", "enable", number)["is_active"] is True
    assert do.json("vpn", "key", "reissue", number, "--yes")["uuid"] != old_uuid
    assert do.json("vpn", "key", "traffic", number)["total"] == 0
    assert do.json("vpn", "key", "traffic", number, "--reset")["id"] == added["id"]
    url = do.json("vpn", "key", "subscription", number)["url"]
    assert do.json("vpn", "key", "subscription", number, "--replace", "--yes")["url"] != url
    assert do.json("vpn", "key", "subscription", number, "--revoke", "--yes") == {"revoked": str(number)}
    assert do.json("vpn", "key", "rm", number, "--yes") == {"deleted": str(number)}
    missing = do.run("vpn", "key", "show", number)
    assert (missing.code, missing.out) == (5, "")
    assert missing.err.startswith("keystead: ")


def tokens(do: Commands) -> None:
    made = do.json("token", "create", "bot", "--expires", "1d", "--address", "127.0.0.0/8")

    assert made["secret"].startswith("ks_")
    assert made["id"] in [token["id"] for token in do.json("token", "list")]
    assert made["secret"] not in do.run("token", "list").out
    assert do.json("token", "revoke", made["id"], "--yes") == {"revoked": made["id"]}
    assert do.run("token", "create", "bot", "--permission", "nothing.known").code == 1


def users(do: Commands) -> None:
    made = do.json("user", "create", "anna", stdin="a long password\n")

    assert made["login"] == "anna"
    assert [user["login"] for user in do.json("user", "list")] == ["anna"]
    assert do.json("user", "password", "anna", stdin="another password\n")["login"] == "anna"
    role = do.json("user", "roles")[0]["name"]
    assert do.json("user", "grant", "anna", role) == {"login": "anna", "role": role}
    assert do.json("user", "withdraw", "anna", role) == {"login": "anna", "role": role}
    assert do.json("user", "disable", "anna")["is_active"] is False
    assert do.json("user", "enable", "anna")["is_active"] is True
    assert do.run("user", "create", "anna", stdin="a long password\n").code == 1


def engines(do: Commands) -> None:
    assert [engine["scope"] for engine in do.json("engine", "list")] == ["xray/main"]
    assert do.json("engine", "install", "xray")["version"] == "26.7.28"
    plan = do.json("plan")
    assert (plan["scope"], plan["steps"]) == ("xray/main", [])
    assert do.run("plan", "xray/main", "--approve", "0" * 64).code == 1
    assert do.run("plan", "xray/nowhere").code == 5


def pairs(do: Commands) -> None:
    number = do.json("vpn", "key", "add", "paula")["number"]
    old = do.json("vpn", "pair", "show")["linked"]["public_key"]
    planned = do.run("vpn", "pair", "rotate", "--keep-old", "7d", "--dry-run")
    digest = planned.out.split()[-1]
    stale = do.run("vpn", "pair", "rotate", "--keep-old", "8d", "--approve", digest)
    rotated = do.run("vpn", "pair", "rotate", "--keep-old", "7d", "--approve", digest)
    shown = do.json("vpn", "pair", "show")

    assert "connect for 7 days more" in planned.out
    assert (stale.code, "has changed since it was reviewed" in stale.err) == (1, True)
    assert rotated.code == 0, rotated.err
    assert "proven in public" in rotated.err
    assert f"links with {old} connect until" in rotated.out
    assert shown["second"]["public_key"] == old
    assert f"pbk={shown['linked']['public_key']}&" in do.json("vpn", "key", "link", number)["link"]
    assert old in do.run("vpn", "pair", "show").out
    assert do.json("vpn", "pair", "revert", "--yes")["pairs"]["linked"]["public_key"] == old
    assert do.json("vpn", "pair", "retire", "--yes")["pairs"]["second"] is None
    assert do.run("vpn", "pair", "retire", "--yes").code == 1


def system(do: Commands) -> None:
    assert do.json("secrets", "rotate")["resealed"] >= 1
    assert do.json("audit", "verify")["is_intact"] is True
    verbs = {record["verb"] for record in do.json("audit", "list")}
    assert {"vpn.key.issue", "vpn.key.revoke", "access.token.create", "access.user.create"} <= verbs
    assert {record["outcome"] for record in do.json("audit", "list", "--verb", "vpn.key.issue")} == {"done"}
    report = do.run("doctor", "--json").json
    assert [check for check in report["checks"] if check["status"] == "fail"] == []
    assert report["is_running"] is True
    assert do.run("migrate").code == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
async def test_nobody_else_can_speak_to_the_socket(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance:
        socket = instance.data_dir / "run/control.sock"
        become_nobody = ("setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups")
        connect = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"

        ended = subprocess.run(
            [*become_nobody, "/usr/bin/python3", "-c", connect, str(socket)], capture_output=True, text=True
        )

        assert socket.stat().st_mode & 0o777 == 0o600
        assert socket.parent.stat().st_mode & 0o777 == 0o700
        assert "PermissionError" in ended.stderr
