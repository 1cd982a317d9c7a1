"""Namecheap's XML API: balance, domains, name servers; through a relay, or directly where this machine is known there.

Sources: namecheap.com/support/api (methods, global parameters, error numbers; read 2026-11). An answer's HTTP status is
200 also for errors; values come as ``true``, ``True`` and ``OK``, some answers have no namespace, and one with
``Status="ERROR"`` may hold a response all the same (recorded): it is read by local names and without regard to case.
Parameters travel in the query, the key among them, as the relay's contract has it; they are in no message of ours.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from keystead.kit.errors import Invalid
from keystead.kit.secret import Secret
from keystead.providers import registrable
from keystead.providers.capability import Capability, Provider
from keystead.providers.errors import (
    AddressRefused,
    ProviderBusy,
    ProviderRejected,
    ProviderUnreadable,
    SecretRefused,
)
from keystead.providers.registrar import NameServers, RegisteredDomain
from keystead.providers.transport import Ask, Repeat, Transport
from keystead.providers.xmlanswer import local_name, root_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

# Meanings confirmed by Namecheap's staff in go-namecheap-sdk#4: 1011150 is an address that is not on the list.
SECRET_NUMBERS = frozenset({"1010102", "1011102", "1030408"})
ADDRESS_NUMBERS = frozenset({"1011150", "1017150", "1011105", "1017105"})
BUSY_NUMBERS = frozenset({"500000"})

NAMECHEAP = Provider(
    id="namecheap",
    title="Namecheap",
    base_url="https://api.namecheap.com",
    secret_fields=("api_key",),
    public_fields=("username",),
    capabilities=frozenset(
        {
            Capability.BALANCE,
            Capability.DOMAINS,
            Capability.READ_NAME_SERVERS,
            Capability.NAME_SERVERS,
            Capability.HOSTS,
        }
    ),
    errors={
        "1010102, 1011102, 1030408": "the key is wrong, or API access is not enabled",
        "1011150, 1017150, 1011105, 1017105": "the address that requests come from is not on the account's list",
        "500000, HTTP 405 and 429": "too many requests; tried again later",
        "2019166, 2016166": "the domain is not in this account",
        "any other": "told by its number and its own sentence",
    },
    limits="20 requests a minute for each user (its answers do not tell the limit)",
    lacks={"changing one DNS host": "Namecheap replaces all of a domain's hosts at once, and so does Keystead"},
    pace=((20, 60.0),),
)

PAGE_SIZE = 100
# Of the parameter of domains.dns.setCustom (namecheap.com/support/api).
NAME_SERVERS_LENGTH_MAX = 1200
_PAGES_MAX = 1000
_COMMAND = "namecheap."
_SEEN_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")


@dataclass(frozen=True)
class Login:
    """A Namecheap user and key, and the way requests leave by: a relay's URL and password, or none; and its address."""

    username: str
    api_key: Secret[str]
    ip: str
    relay_url: str | None = None
    relay_auth: Secret[str] | None = None


@dataclass(frozen=True)
class Host:
    """A DNS host of a domain: a record, as Namecheap has it. ``preference`` is of MX alone."""

    name: str
    kind: str
    address: str
    ttl_s: int = 1800
    preference: int = 10

    @property
    def parameters(self) -> dict[str, str]:
        """Return it by the names of a request, which lack its number."""
        said = {"HostName": self.name, "RecordType": self.kind, "Address": self.address, "TTL": str(self.ttl_s)}
        return said | ({"MXPref": str(self.preference)} if self.kind in {"MX", "MXE"} else {})


@dataclass(frozen=True)
class Hosts:
    """All DNS hosts of a domain, and how its mail is handled (MX, MXE, FWD, …), which they are set together with."""

    items: tuple[Host, ...]
    email_type: str = ""

    @property
    def version(self) -> str:
        """Return what tells these hosts from others, in whatever order Namecheap lists them."""
        rows = sorted((one.name, one.kind, one.address, one.ttl_s, one.preference) for one in self.items)
        return hashlib.sha256(repr((self.email_type, rows)).encode()).hexdigest()[:16]


class Namecheap:
    """Call Namecheap for one login."""

    def __init__(self, transport: Transport, login: Login) -> None:
        self._transport = transport
        self._login = login

    async def balance(self) -> str:
        """Return what the account has to spend, as Namecheap writes it; also the cheapest check of a key."""
        found = _first(await self._call("users.getBalances", {}), "UserGetBalancesResult")
        return found.get("AvailableBalance", "")

    async def domains(self) -> list[RegisteredDomain]:
        """Return every domain of the account: all pages."""
        found: list[RegisteredDomain] = []
        for page in range(1, _PAGES_MAX):
            seen, is_last = await self.domains_on(page)
            found += seen
            if is_last:
                break
        return found

    async def domains_on(self, page: int) -> tuple[list[RegisteredDomain], bool]:
        """Return a page of the account's domains, of which 1 is the first; and whether it is the last one."""
        parameters = {"Page": str(page), "PageSize": str(PAGE_SIZE), "SortBy": "NAME"}
        root = await self._call("domains.getList", parameters)
        # An answer without a list is not an account without domains.
        seen = [_domain(element) for element in _all(_first(root, "DomainGetListResult"), "Domain")]
        return seen, not seen or page * PAGE_SIZE >= int(_text(root, "TotalItems") or 0)

    async def name_servers(self, domain: str) -> list[str]:
        """Return a registered domain's name servers; raise Invalid for a name that is not a registered one."""
        return list((await self.pointed(domain)).names)

    async def pointed(self, domain: str) -> NameServers:
        """Do the same, and tell whether they are Namecheap's own."""
        label, suffix = registrable.split(domain)
        root = await self._call("domains.dns.getList", {"SLD": label, "TLD": suffix})
        named = [(element.text or "").strip().rstrip(".").lower() for element in _all(root, "Nameserver")]
        is_own = _is_true(_first(root, "DomainDNSGetListResult").get("IsUsingOurDNS", ""))
        return NameServers(tuple(name for name in named if name), is_own)

    async def point_back(self, domain: str, former: NameServers) -> None:
        """Point a registered domain at what it was pointed at before: Namecheap's own DNS is a choice of its own."""
        if former.is_own_dns:
            await self.set_own_dns(domain)
            return
        await self.set_name_servers(domain, former.names)

    async def set_own_dns(self, domain: str) -> None:
        """Point a registered domain at Namecheap's own DNS, as a new one is."""
        label, suffix = registrable.split(domain)
        root = await self._call("domains.dns.setDefault", {"SLD": label, "TLD": suffix}, has_effect=True)
        _check_updated(_outcome(root, "DomainDNSSetDefaultResult").get("Updated", ""), f"{label}.{suffix}")

    async def set_name_servers(self, domain: str, servers: Sequence[str]) -> None:
        """Point a registered domain at its name servers; raise Invalid for a name that is not a registered one."""
        label, suffix = registrable.split(domain)
        named = ",".join(registrable.host_name(server) for server in servers)
        if len(named) > NAME_SERVERS_LENGTH_MAX:
            problem = f"Namecheap takes name servers of {NAME_SERVERS_LENGTH_MAX} characters together"
            raise Invalid(problem, fields={"nameservers": problem})
        parameters = {"SLD": label, "TLD": suffix, "Nameservers": named}
        root = await self._call("domains.dns.setCustom", parameters, has_effect=True)
        _check_updated(_outcome(root, "DomainDNSSetCustomResult").get("Updated", ""), f"{label}.{suffix}")

    async def hosts(self, domain: str) -> Hosts:
        """Return the DNS hosts of a registered domain that uses Namecheap's own DNS."""
        label, suffix = registrable.split(domain)
        root = await self._call("domains.dns.getHosts", {"SLD": label, "TLD": suffix})
        result = _first(root, "DomainDNSGetHostsResult")
        # Some answers write the element small (recorded).
        listed = [element for element in result if local_name(element).lower() == "host"]
        return Hosts(tuple(_host(element) for element in listed), result.get("EmailType", ""))

    async def set_hosts(self, domain: str, hosts: Hosts) -> None:
        """Put these in the place of all DNS hosts of a registered domain; what is not among them is gone."""
        label, suffix = registrable.split(domain)
        body = {"SLD": label, "TLD": suffix, **({"EmailType": hosts.email_type} if hosts.email_type else {})}
        for number, host in enumerate(hosts.items, start=1):
            body |= {f"{name}{number}": value for name, value in host.parameters.items()}
        root = await self._call("domains.dns.setHosts", {}, body=body, has_effect=True)
        told = _outcome(root, "DomainDNSSetHostsResult").get("IsSuccess", "")
        if not _is_true(told):
            problem = f"Namecheap left the hosts of {label}.{suffix} as they were"
            raise ProviderRejected(problem, number="not_updated", text=told)

    async def _call(
        self,
        command: str,
        parameters: Mapping[str, str],
        *,
        body: Mapping[str, str] | None = None,
        has_effect: bool = False,
    ) -> "Element":
        """Send a command; with a body it goes as a POST, for what is too long for a query, and is not repeated."""
        login = self._login
        known = {
            "ApiUser": login.username,
            "ApiKey": login.api_key.reveal(),
            "UserName": login.username,
            "ClientIp": login.ip,
            "Command": f"{_COMMAND}{command}",
        }
        auth = {} if login.relay_auth is None else {"authorization": login.relay_auth.reveal()}
        form = {} if body is None else {"content-type": "application/x-www-form-urlencoded"}
        ask = Ask(
            "GET" if body is None else "POST",
            "/xml.response",
            key=login.username.lower(),
            repeat=Repeat.HARMLESS if body is None else Repeat.NEVER,
            query={**known, **parameters},
            headers={"accept": "text/xml", **auth, **form},
            body=b"" if body is None else urlencode(body).encode(),
            base_url=login.relay_url,
        )
        answer = await self._transport.send(ask)
        way = " or the relay before it"
        return _checked(
            root_of(answer, NAMECHEAP.title, "ApiResponse", way=way, has_effect=has_effect), has_effect=has_effect
        )


def seen_address(text: str) -> str | None:
    """Return the address that Namecheap says it saw, from the sentence of an AddressRefused."""
    found = _SEEN_ADDRESS.search(text)
    return found[0] if found else None


def _checked(root: "Element", *, has_effect: bool) -> "Element":
    """Return an answer without errors; raise the first one by what its number means."""
    if root.get("Status", "").upper() == "OK":
        return root
    errors = [(element.get("Number", ""), (element.text or "").strip()) for element in _all(root, "Error")]
    if not errors:
        raise ProviderUnreadable("Namecheap answered an error without saying which", may_have_landed=has_effect)
    for kind, numbers in ((SecretRefused, SECRET_NUMBERS), (AddressRefused, ADDRESS_NUMBERS)):
        for number, text in errors:
            if number in numbers:
                raise kind(f"Namecheap refused: {number}", number=number, text=text)
    number, text = errors[0]
    if number in BUSY_NUMBERS:
        raise ProviderBusy("Namecheap takes no more requests for now", retry_after_s=60)
    raise ProviderRejected(f"Namecheap refused: {number}", number=number, text=text)


def _check_updated(told: str, domain: str) -> None:
    if not _is_true(told):
        problem = f"Namecheap left the name servers of {domain} as they were"
        raise ProviderRejected(problem, number="not_updated", text=told)


def _domain(element: "Element") -> RegisteredDomain:
    return RegisteredDomain(
        name=element.get("Name", "").lower(),
        expires_on=_date(element.get("Expires", "")),
        is_expired=_is_true(element.get("IsExpired", "")),
        is_locked=_is_true(element.get("IsLocked", "")),
        renews_itself=_is_true(element.get("AutoRenew", "")),
        has_own_dns=_is_true(element.get("IsOurDNS", "")),
    )


def _host(element: "Element") -> Host:
    ttl_s, preference = element.get("TTL", ""), element.get("MXPref", "")
    return Host(
        name=element.get("Name", ""),
        kind=element.get("Type", "").upper(),
        address=element.get("Address", ""),
        ttl_s=int(ttl_s) if ttl_s.isdigit() else 1800,
        preference=int(preference) if preference.isdigit() else 10,
    )


def _date(text: str) -> date | None:
    """Return a date that Namecheap writes as month, day and year."""
    try:
        return datetime.strptime(text, "%m/%d/%Y").date()
    except ValueError:
        return None


def _all(root: "Element", name: str) -> "list[Element]":
    return [element for element in root.iter() if local_name(element) == name]


def _first(root: "Element", name: str) -> "Element":
    found = _all(root, name)
    if not found:
        raise ProviderUnreadable(f"Namecheap's answer has no {name}")
    return found[0]


def _outcome(root: "Element", name: str) -> "Element":
    """Return what an answer says of a change; one that says nothing of it was an answer all the same."""
    found = _all(root, name)
    if not found:
        raise ProviderUnreadable(f"Namecheap's answer has no {name}", may_have_landed=True)
    return found[0]


def _text(root: "Element", name: str) -> str:
    return (_first(root, name).text or "").strip()


def _is_true(text: str) -> bool:
    return text.lower() in {"true", "ok", "yes"}
