"""What survives of a program's output: what went wrong, not to whom."""

from pathlib import Path

import pytest

from keystead.keeper.logfile import LogFile
from keystead.keeper.output import Output, scrub

UUID = "11111111-2222-4333-8444-555555555555"
KEY = "eKzFwVUPDmZOEBnOG8hYtLaKwQqPzlzYb6aX1Mxsz1c"


@pytest.mark.parametrize(
    "line",
    [
        "2026/07/28 10:00:00.123456 from 203.0.113.9:50000 accepted tcp:example.org:443 [shared >> direct] email: k1-1",
        "2026/07/28 10:00:00 from tcp:[2001:db8::9]:50000 accepted udp:192.0.2.1:53 [shared -> direct]",
        "2026/07/28 10:00:00 from 203.0.113.9:50000 rejected  proxy/vless/encoding: invalid request user id",
    ],
)
def test_access_lines_are_dropped(line: str) -> None:
    assert scrub(line) is None


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("[Warning] dial tcp 192.0.2.1:443: i/o timeout", "[Warning] dial tcp …: i/o timeout"),
        ("failed to open connection to tcp:secret.example.org:443 > x", "failed to open connection to … > x"),
        ("lookup secret on 127.0.0.53:53: no such host", "lookup … on …: no such host"),
        ("read tcp [2001:db8::1]:443->[fe80::1%eth0]:50000: reset", "read tcp …->…: reset"),
        ("peer 2001:db8::1 went away", "peer … went away"),
        ("target secret.example.org. does not answer", "target … does not answer"),
        ("target пример.рф:443 does not answer", "target … does not answer"),
        ("get https://secret.example.org/path?q=1 failed", "get https://… failed"),
        ("localhost:8080 is closed", "… is closed"),
        (f"User {UUID} is unknown", "User … is unknown"),
        ("mail of somebody@example.org", "mail of …"),
        (f'invalid "privateKey": {KEY}', 'invalid "privateKey": …'),
        ("email: k12-1", "email: …"),
    ],
)
def test_addresses_names_and_keys_are_blacked_out(line: str, kept: str) -> None:
    assert scrub(line) == kept


@pytest.mark.parametrize(
    "line",
    [
        "2026/07/28 10:00:00.123456 [Warning] core: Xray 26.7.28 started",
        "proxy/vless/encoding: failed to read request version > EOF",
        "panic: runtime error: invalid memory address or nil pointer dereference",
        "\t/build/proxy/vless/validator.go:42 +0x1d",
        "github.com/xtls/xray-core/proxy/vless.(*MemoryValidator).Add(0xc000)",
    ],
)
def test_what_went_wrong_stays_readable(line: str) -> None:
    assert scrub(line) == line


def test_lines_are_put_together_from_chunks_and_bounded(tmp_path: Path) -> None:
    output = Output(LogFile(tmp_path / "log"))

    output.feed(b"first ha")
    output.feed(b"lf\nsecond\nthird")
    output.finish()
    output.feed(b"y" * 5000 + b"\n")

    assert output.last_lines[:3] == ("first half", "second", "third")
    assert len(output.last_lines[3]) <= 2000


def test_a_log_keeps_one_predecessor_and_is_the_owners_alone(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log", size_max_bytes=100)

    for number in range(30):
        log.append(f"line {number}")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1"]
    assert all(path.stat().st_size <= 100 for path in tmp_path.iterdir())
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "log").read_text().endswith("line 29\n")
