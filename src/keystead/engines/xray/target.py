"""Examine a REALITY target before it is used: is this a site a core can hide behind?

Called by the composition root at start, again while no valid target is known, and by ``keystead doctor``. It looks from
this machine and keeps nothing. It does not know which target is wanted (settings) nor which are offered by default
(``pool.py``), and it proves no warmth: that is the driver's probe dial.

What a target must do follows from the server (github.com/xtls/reality 9234c772ba8f, tls.go ``Server``): the target's
ServerHello has to be TLS 1.3 with an X25519 key share, or the core treats its own clients as strangers. A hello that
offers nothing else (``hello.py``) proves the group. It does not prove that a target prefers X25519 over P-256 for a
browser that offers both; the driver's probe dial does.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cryptography import x509

from keystead.engines.xray.hello import agrees_to_x25519
from keystead.kit import names
from keystead.kit.clock import Clock, SystemClock
from keystead.kit.errors import Invalid

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]

_ADDRESSES_TRIED = 4
_WILDCARDS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - recognised here, not listened on

# The core of the pin warns of these (xray-core 5ca6f4b7d4dc, infra/conf/transport_security.go).
_DISCOURAGED_SUFFIXES = (".ru", ".ir", ".cn")
_DISCOURAGED_WORDS = ("apple", "icloud", "microsoft")


class ProblemCode(StrEnum):
    """What can be wrong with a target; the last three are warnings."""

    TARGET_MALFORMED = "target_malformed"
    NAMES_MISSING = "names_missing"
    NAME_MALFORMED = "name_malformed"
    UNRESOLVABLE = "unresolvable"
    PRIVATE_ADDRESS = "private_address"
    OURSELVES = "ourselves"
    UNREACHABLE = "unreachable"
    SILENT = "silent"
    NO_TLS = "no_tls"
    NO_TLS13 = "no_tls13"
    NO_X25519 = "no_x25519"
    CERTIFICATE_UNREADABLE = "certificate_unreadable"
    NAME_NOT_COVERED = "name_not_covered"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_NOT_YET_VALID = "certificate_not_yet_valid"
    DISCOURAGED = "discouraged"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and a sentence that says what to do about it."""

    code: ProblemCode
    sentence: str


@dataclass(frozen=True)
class Examination:
    """What was found out about a target; it may be used when ``problems`` is empty.

    ``has_h2`` is information: every name negotiated HTTP/2, as browsers would.
    """

    target: str
    server_names: tuple[str, ...]
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    has_h2: bool = False

    @property
    def is_valid(self) -> bool:
        """Return whether the target may be used."""
        return not self.problems


async def resolve_by_system(host: str, port: int) -> Sequence[Address]:
    """Return the addresses the system's resolver knows for a name; none when it knows none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror:
        return ()
    return tuple(dict.fromkeys(_address(str(entry[4][0])) for entry in found))


def is_address_of_this_machine(address: Address) -> bool:
    """Tell whether an address is loopback or on one of this machine's interfaces."""
    if address.is_loopback:
        return True
    import psutil

    return any(
        entry.address.partition("%")[0] == str(address)
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family in {socket.AF_INET, socket.AF_INET6}
    )


@dataclass(frozen=True)
class Outside:
    """What an examination asks of the machine: names, its own addresses, the time."""

    resolve: Resolve = resolve_by_system
    is_own: Callable[[Address], bool] = is_address_of_this_machine
    clock: Clock = field(default_factory=SystemClock)


OUTSIDE = Outside()


async def examine(
    target: str,
    server_names: Sequence[str],
    *,
    allow_loopback: bool,
    own: Collection[tuple[str, int]] = (),
    timeout_s: float = 5.0,
    outside: Outside = OUTSIDE,
) -> Examination:
    """Find out whether a site (``host:port``) can serve as REALITY target for these server names.

    ``own`` are the (host, port) pairs Keystead listens on or is reached at; a wildcard host stands for every address
    of this machine. ``allow_loopback`` permits loopback and private addresses. Resolving, reaching and each name may
    take ``timeout_s``; names are examined side by side. Raises nothing: what is wrong is in the answer.
    """
    try:
        host, port = names.host_port(target)
    except Invalid:
        return Examination(target, tuple(server_names), (_malformed(target),))
    wanted, problems = _wanted(server_names)
    addresses = await _addresses(host, port, outside, timeout_s)
    problems += _misplaced(target, addresses, allow_loopback)
    if await _is_ourselves(addresses, port, own, outside, timeout_s):
        sentence = f"{target} is Keystead's own listener; name another site or another port"
        problems.append(Problem(ProblemCode.OURSELVES, sentence))
    if problems:
        return Examination(target, wanted, tuple(problems))
    address = await _reach(addresses, port, timeout_s)
    if address is None:
        sentence = f"{target} does not accept connections; check the port and the firewall, or choose another site"
        return Examination(target, wanted, (Problem(ProblemCode.UNREACHABLE, sentence),))
    findings = await asyncio.gather(*(_examine_name(address, port, name, timeout_s) for name in wanted))
    return _judged(target, wanted, findings, outside.clock.now())


@dataclass(frozen=True)
class _Answer:
    """What a target said under one server name."""

    name: str
    version: str
    alpn: str
    certificate: bytes


def _malformed(target: str) -> Problem:
    sentence = f"{target!r} is not host:port; write it like www.example.com:443 or [2001:db8::1]:443"
    return Problem(ProblemCode.TARGET_MALFORMED, sentence)


def _wanted(server_names: Sequence[str]) -> tuple[tuple[str, ...], list[Problem]]:
    """Return the names in canonical form, each once, and what is wrong with the others."""
    wanted: dict[str, None] = {}
    problems = []
    for given in server_names:
        try:
            name = names.hostname(given)
        except Invalid:
            name = ""
        if not name or _is_address(name):
            sentence = f"server name {given!r} is not a DNS name; clients can only send DNS names"
            problems.append(Problem(ProblemCode.NAME_MALFORMED, sentence))
        else:
            wanted[name] = None
    if not server_names:
        sentence = "no server name is given; name at least one that the target's certificate covers"
        problems.append(Problem(ProblemCode.NAMES_MISSING, sentence))
    return tuple(wanted), problems


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _address(text: str) -> Address:
    """Return an address; an IPv4 address written in IPv6 is IPv4, as the kernel connects to it."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


async def _addresses(host: str, port: int, outside: Outside, timeout_s: float) -> Sequence[Address]:
    """Return the addresses of a host; none when they are not known in time."""
    if _is_address(host):
        return (_address(host),)
    try:
        async with asyncio.timeout(timeout_s):
            return await outside.resolve(host, port)
    except TimeoutError:
        return ()


def _misplaced(target: str, addresses: Sequence[Address], allow_loopback: bool) -> list[Problem]:
    """Return what is wrong with where a target lives. One bad address is enough: the core may dial any of them."""
    if not addresses:
        sentence = f"{target} does not resolve; check its spelling and this machine's DNS, or choose another site"
        return [Problem(ProblemCode.UNRESOLVABLE, sentence)]
    if any(address.is_unspecified or address.is_multicast for address in addresses):
        return [_malformed(target)]
    if not allow_loopback and any(not address.is_global for address in addresses):
        sentence = (
            f"{target} is a loopback or private address; choose a public site, or configure it as your own target"
        )
        return [Problem(ProblemCode.PRIVATE_ADDRESS, sentence)]
    return []


async def _is_ourselves(
    addresses: Sequence[Address], port: int, own: Collection[tuple[str, int]], outside: Outside, timeout_s: float
) -> bool:
    hosts = {host for host, own_port in own if own_port == port}
    if hosts & _WILDCARDS and any(outside.is_own(address) for address in addresses):
        return True
    named = [names.host(host) for host in hosts - _WILDCARDS]
    known = await asyncio.gather(*(_addresses(host, port, outside, timeout_s) for host in named))
    return any(address in addresses for found in known for address in found)


async def _reach(addresses: Sequence[Address], port: int, timeout_s: float) -> Address | None:
    """Return the first address that accepts a TCP connection, in the resolver's order; each has a share of the time."""
    tried = addresses[:_ADDRESSES_TRIED]
    for address in tried:
        with suppress(OSError):
            async with asyncio.timeout(timeout_s / len(tried)):
                _, writer = await asyncio.open_connection(str(address), port)
                await _drop(writer)
                return address
    return None


async def _examine_name(address: Address, port: int, name: str, timeout_s: float) -> _Answer | Problem:
    """Shake hands under a name, then ask for what a client of the core must have."""
    try:
        async with asyncio.timeout(timeout_s):
            answer = await _shake_hands(address, port, name)
            if answer.version == "TLSv1.3" and await agrees_to_x25519(str(address), port, name):
                return answer
            return _refusal(answer)
    except TimeoutError:
        sentence = f"the target did not finish a TLS handshake for {name} in {timeout_s:g} s; choose another site"
        return Problem(ProblemCode.SILENT, sentence)
    except OSError:
        sentence = f"the target speaks no TLS for {name} or refuses the name; choose another site"
        return Problem(ProblemCode.NO_TLS, sentence)


def _refusal(answer: _Answer) -> Problem:
    if answer.version == "TLSv1.3":
        sentence = f"the target refuses X25519 for {answer.name}; allow that group there or choose another site"
        return Problem(ProblemCode.NO_X25519, sentence)
    sentence = f"the target speaks {answer.version} but not TLS 1.3 for {answer.name}; choose another site"
    return Problem(ProblemCode.NO_TLS13, sentence)


async def _shake_hands(address: Address, port: int, name: str) -> _Answer:
    """Complete a handshake and leave. Raises OSError (ssl.SSLError among them) when the target does not."""
    _, writer = await asyncio.open_connection(str(address), port, ssl=_client(), server_hostname=name)
    try:
        tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return _Answer(
            name, tls.version() or "", tls.selected_alpn_protocol() or "", tls.getpeercert(binary_form=True) or b""
        )
    finally:
        await _drop(writer)


async def _drop(writer: asyncio.StreamWriter) -> None:
    """Close without the courtesies of TLS, which a target may leave unanswered."""
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


def _client() -> ssl.SSLContext:
    """Return a client that trusts any certificate: it is compared with the name, and its chain need not be trusted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


def _judged(target: str, wanted: tuple[str, ...], findings: Sequence[_Answer | Problem], now: datetime) -> Examination:
    problems = [finding for finding in findings if isinstance(finding, Problem)]
    warnings = [_discouragement(name) for name in wanted if _is_discouraged(name)]
    answers = [finding for finding in findings if isinstance(finding, _Answer)]
    for answer in answers:
        try:
            certificate = x509.load_der_x509_certificate(answer.certificate)
            covered = _covered_names(certificate)
        except (ValueError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
            sentence = f"the certificate shown for {answer.name} cannot be read; choose another site"
            problems.append(Problem(ProblemCode.CERTIFICATE_UNREADABLE, sentence))
            continue
        if not _covers(covered, answer.name):
            sentence = f"the certificate does not cover {answer.name}; {_advice(covered)}"
            problems.append(Problem(ProblemCode.NAME_NOT_COVERED, sentence))
        warnings += _untimely(certificate, answer.name, now)
    has_h2 = bool(answers) and all(answer.alpn == "h2" for answer in answers)
    return Examination(target, wanted, tuple(problems), tuple(warnings), has_h2)


def _covered_names(certificate: x509.Certificate) -> Sequence[str]:
    """Return the DNS names of the subject alternative name; clients have stopped reading the common name."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return [name.lower() for name in extension.value.get_values_for_type(x509.DNSName)]


def _covers(covered: Sequence[str], name: str) -> bool:
    """Tell whether a name is listed, or its parent with a wildcard: it stands for one whole label (RFC 9525, 6.3)."""
    parent = name.partition(".")[2]
    return name in covered or (bool(parent) and f"*.{parent}" in covered)


def _advice(covered: Sequence[str]) -> str:
    if not covered:
        return "it names no host at all; choose another site"
    return f"use a name it covers, such as {covered[0]}, or choose another site"


def _untimely(certificate: x509.Certificate, name: str, now: datetime) -> list[Problem]:
    if now > certificate.not_valid_after_utc:
        sentence = f"the certificate shown for {name} has expired, which looks odd to an observer; renew it or move on"
        return [Problem(ProblemCode.CERTIFICATE_EXPIRED, sentence)]
    if now < certificate.not_valid_before_utc:
        sentence = f"the certificate shown for {name} is not valid yet; check this machine's clock"
        return [Problem(ProblemCode.CERTIFICATE_NOT_YET_VALID, sentence)]
    return []


def _is_discouraged(name: str) -> bool:
    return name.endswith(_DISCOURAGED_SUFFIXES) or any(word in name for word in _DISCOURAGED_WORDS)


def _discouragement(name: str) -> Problem:
    sentence = f"the core warns that servers hiding behind {name} get blocked; prefer a site near your server"
    return Problem(ProblemCode.DISCOURAGED, sentence)
