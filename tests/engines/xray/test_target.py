"""The examination of a REALITY target, against real TLS servers on loopback."""

import asyncio
import ipaddress
import socket
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from keystead.engines.xray.pool import POOL, Candidate, choose
from keystead.engines.xray.target import Address, Examination, Outside, ProblemCode, examine

NOW = datetime.now(UTC)
PROJECT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Site:
    """How a test server behaves."""

    covers: tuple[str, ...] = ("site.example",)
    expires_at: datetime = NOW + timedelta(days=30)
    highest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    group: str | None = None
    alpn: tuple[str, ...] = ("h2",)
    listen: str = "127.0.0.1"


def server_context(site: Site, directory: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "common.example")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=60))
        .not_valid_after(site.expires_at)
    )
    if site.covers:
        alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in site.covers])
        certificate = certificate.add_extension(alternative, critical=False)
    signed = certificate.sign(key, hashes.SHA256())
    file = directory / "site.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    context.maximum_version = site.highest
    if site.group is not None:  # X25519 is the default, and no name that every Python's ssl knows
        context.set_ecdh_curve(site.group)
    context.set_alpn_protocols(list(site.alpn))
    return context


async def read_until_gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await reader.read()
    except OSError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def serving(site: Site, directory: Path) -> AsyncIterator[int]:
    server = await asyncio.start_server(read_until_gone, site.listen, 0, ssl=server_context(site, directory))
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def silent() -> AsyncIterator[int]:
    server = await asyncio.start_server(read_until_gone, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def resolving(**known: Sequence[str]) -> Outside:
    """Return an outside that resolves only these names (``_`` is a dot), on a machine at 192.0.2.1."""

    async def resolve(host: str, _port: int) -> Sequence[Address]:
        return [ipaddress.ip_address(text) for text in known.get(host.replace(".", "_"), ())]

    return Outside(resolve=resolve, is_own=lambda address: address.is_loopback or str(address) == "192.0.2.1")


def codes(examination: Examination) -> list[ProblemCode]:
    return [problem.code for problem in examination.problems]


async def examine_site(site: Site, directory: Path, *names: str) -> Examination:
    async with serving(site, directory) as port:
        host = f"[{site.listen}]" if ":" in site.listen else site.listen
        return await examine(f"{host}:{port}", names or ("site.example",), allow_loopback=True)


async def test_a_self_signed_site_with_tls13_and_x25519_is_valid(tmp_path: Path) -> None:
    examination = await examine_site(Site(), tmp_path)

    assert examination.is_valid, examination.problems
    assert examination.warnings == ()
    assert examination.has_h2


async def test_a_site_without_h2_is_valid_and_says_so(tmp_path: Path) -> None:
    examination = await examine_site(Site(alpn=("http/1.1",)), tmp_path)

    assert examination.is_valid
    assert not examination.has_h2


async def test_a_site_with_tls12_only_is_refused(tmp_path: Path) -> None:
    examination = await examine_site(Site(highest=ssl.TLSVersion.TLSv1_2), tmp_path)

    assert codes(examination) == [ProblemCode.NO_TLS13]


async def test_x25519_is_found_where_python_does_not_know_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(_context: ssl.SSLContext, name: str) -> None:
        raise ssl.SSLError(f"unknown group {name}")  # Debian 12's Python 3.11.2

    monkeypatch.setattr(ssl.SSLContext, "set_ecdh_curve", unknown)

    examination = await examine_site(Site(), tmp_path)

    assert examination.is_valid, examination.problems


async def test_a_site_with_p256_only_is_refused(tmp_path: Path) -> None:
    examination = await examine_site(Site(group="prime256v1"), tmp_path)

    assert codes(examination) == [ProblemCode.NO_X25519]


async def test_each_name_must_be_covered(tmp_path: Path) -> None:
    examination = await examine_site(Site(), tmp_path, "site.example", "other.example")

    assert codes(examination) == [ProblemCode.NAME_NOT_COVERED]
    assert "other.example" in examination.problems[0].sentence
    assert "site.example" in examination.problems[0].sentence


async def test_a_wildcard_covers_one_label(tmp_path: Path) -> None:
    site = Site(covers=("*.site.example",))

    examination = await examine_site(site, tmp_path, "www.site.example", "a.b.site.example", "site.example")

    assert codes(examination) == [ProblemCode.NAME_NOT_COVERED, ProblemCode.NAME_NOT_COVERED]
    assert "www.site.example" not in " ".join(problem.sentence.split(";")[0] for problem in examination.problems)


async def test_the_common_name_covers_nothing(tmp_path: Path) -> None:
    examination = await examine_site(Site(covers=()), tmp_path, "common.example")

    assert codes(examination) == [ProblemCode.NAME_NOT_COVERED]


async def test_an_expired_certificate_is_a_warning(tmp_path: Path) -> None:
    examination = await examine_site(Site(expires_at=NOW - timedelta(days=1)), tmp_path)

    assert examination.is_valid
    assert [warning.code for warning in examination.warnings] == [ProblemCode.CERTIFICATE_EXPIRED]


async def test_a_name_the_core_warns_of_is_a_warning(tmp_path: Path) -> None:
    examination = await examine_site(Site(covers=("www.site.ru",)), tmp_path, "www.site.ru")

    assert examination.is_valid
    assert [warning.code for warning in examination.warnings] == [ProblemCode.DISCOURAGED]


async def test_a_closed_port_is_unreachable() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))

        examination = await examine(f"127.0.0.1:{bound.getsockname()[1]}", ["site.example"], allow_loopback=True)

    assert codes(examination) == [ProblemCode.UNREACHABLE]


async def test_a_server_that_speaks_no_tls_is_refused() -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]

        examination = await examine(f"127.0.0.1:{port}", ["site.example"], allow_loopback=True)

    assert codes(examination) == [ProblemCode.NO_TLS]


async def test_a_silent_server_costs_no_more_than_the_timeout() -> None:
    async with silent() as port:
        started = time.monotonic()

        examination = await examine(f"127.0.0.1:{port}", ["a.example", "b.example"], allow_loopback=True, timeout_s=0.3)

    assert codes(examination) == [ProblemCode.SILENT, ProblemCode.SILENT]
    assert time.monotonic() - started < 2


async def test_a_name_nobody_knows_does_not_resolve() -> None:
    examination = await examine("site.example:443", ["site.example"], allow_loopback=False, outside=resolving())

    assert codes(examination) == [ProblemCode.UNRESOLVABLE]


async def test_a_resolver_that_hangs_costs_no_more_than_the_timeout() -> None:
    async def hang(_host: str, _port: int) -> Sequence[Address]:
        await asyncio.Event().wait()
        return ()

    examination = await examine(
        "site.example:443", ["site.example"], allow_loopback=False, timeout_s=0.1, outside=Outside(resolve=hang)
    )

    assert codes(examination) == [ProblemCode.UNRESOLVABLE]


async def test_the_systems_resolver_knows_localhost(tmp_path: Path) -> None:
    async with serving(Site(), tmp_path) as port:
        examination = await examine(f"localhost:{port}", ["site.example"], allow_loopback=True)

    assert examination.is_valid, examination.problems


async def test_the_second_address_is_tried_when_the_first_is_closed(tmp_path: Path) -> None:
    async with serving(Site(), tmp_path) as port:
        examination = await examine(
            f"site.example:{port}",
            ["site.example"],
            allow_loopback=True,
            outside=resolving(site_example=["127.0.0.9", "127.0.0.1"]),
        )

    assert examination.is_valid, examination.problems


@pytest.mark.parametrize(
    ("target", "own"),
    [
        ("127.0.0.1:8443", ("127.0.0.1", 8443)),
        ("127.0.0.1:8443", ("0.0.0.0", 8443)),
        ("[::1]:8443", ("::", 8443)),
        ("site.example:8443", ("site.example", 8443)),
        ("site.example:8443", ("127.0.0.1", 8443)),
        ("machine.example:8443", ("0.0.0.0", 8443)),
        ("[::ffff:127.0.0.1]:8443", ("127.0.0.1", 8443)),
    ],
)
async def test_our_own_listener_is_refused(target: str, own: tuple[str, int]) -> None:
    outside = resolving(site_example=["127.0.0.1"], machine_example=["192.0.2.1"])

    examination = await examine(target, ["site.example"], allow_loopback=True, own=[own], outside=outside)

    assert codes(examination) == [ProblemCode.OURSELVES]


async def test_another_port_of_this_machine_is_not_ourselves(tmp_path: Path) -> None:
    async with serving(Site(), tmp_path) as port:
        own = [("0.0.0.0", port + 1 if port < 65535 else port - 1)]

        examination = await examine(f"127.0.0.1:{port}", ["site.example"], allow_loopback=True, own=own)

    assert examination.is_valid, examination.problems


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.1.1", "100.64.0.1", "[::1]", "[fd00::1]"]
)
async def test_a_private_target_must_be_allowed(address: str) -> None:
    examination = await examine(f"{address}:443", ["site.example"], allow_loopback=False)

    assert codes(examination) == [ProblemCode.PRIVATE_ADDRESS]


async def test_one_private_address_of_a_name_is_enough_to_refuse_it() -> None:
    outside = resolving(site_example=["1.1.1.1", "127.0.0.1"])

    examination = await examine("site.example:443", ["site.example"], allow_loopback=False, outside=outside)

    assert codes(examination) == [ProblemCode.PRIVATE_ADDRESS]


async def test_an_ipv6_literal_is_examined(tmp_path: Path) -> None:
    examination = await examine_site(Site(listen="::1"), tmp_path)

    assert examination.is_valid, examination.problems


@pytest.mark.parametrize("target", ["", "site.example", "site.example:0", "::1", "site example:443", "0.0.0.0:443"])
async def test_a_malformed_target_is_named(target: str) -> None:
    examination = await examine(target, ["site.example"], allow_loopback=True)

    assert codes(examination) == [ProblemCode.TARGET_MALFORMED]


@pytest.mark.parametrize(
    ("names", "code"),
    [((), ProblemCode.NAMES_MISSING), (("",), ProblemCode.NAME_MALFORMED), (("1.2.3.4",), ProblemCode.NAME_MALFORMED)],
)
async def test_server_names_must_be_dns_names(names: tuple[str, ...], code: ProblemCode) -> None:
    examination = await examine("127.0.0.1:443", names, allow_loopback=True)

    assert codes(examination) == [code]


async def test_choose_takes_the_first_valid_in_order(tmp_path: Path) -> None:
    async with silent() as slow, serving(Site(covers=("a.example", "b.example")), tmp_path) as port:
        pool = [
            Candidate(f"127.0.0.1:{slow}", ("a.example",), "never answers"),
            Candidate(f"127.0.0.1:{port}", ("a.example",), "good"),
            Candidate(f"127.0.0.1:{port}", ("b.example",), "good as well"),
        ]

        chosen = await choose(pool, allow_loopback=True, timeout_s=0.3)

    assert chosen is not None
    assert chosen.server_names == ("a.example",)
    assert chosen.is_valid


async def test_choose_returns_none_when_no_candidate_is_valid() -> None:
    assert await choose(outside=resolving()) is None


def test_the_pool_has_no_name_the_core_warns_of() -> None:
    for candidate in POOL:
        for name in (*candidate.server_names, candidate.target.rpartition(":")[0]):
            assert not name.endswith((".ru", ".ir", ".cn"))
            assert not any(word in name for word in ("apple", "icloud", "microsoft"))


def test_the_documented_pool_is_the_pool() -> None:
    rows = [
        f"| `{candidate.target}` | {', '.join(f'`{name}`' for name in candidate.server_names)} | {candidate.reason} |"
        for candidate in POOL
    ]

    lines = (PROJECT / "docs/engines/reality-targets.md").read_text().splitlines()

    assert [line for line in lines if line.startswith("| `")] == rows
