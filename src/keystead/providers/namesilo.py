"""NameSilo's API: balance, domains, name servers; connected by a key alone.

Sources: namesilo.com/api-reference (operations, parameters, reply codes; read 2026-11) and the recorded answers in
github.com/nrdcg/namesilo (samples/, fixtures/). Every operation is a GET whose query holds the key, so no URL is in any
message of ours; errors come with HTTP 200 and a reply code. XML is asked for: in JSON a list of one is no list. A test
account has another base URL: https://sandbox.namesilo.com/api or https://ote.namesilo.com/api.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from keystead.kit.errors import Invalid
from keystead.kit.secret import Secret
from keystead.providers import registrable
from keystead.providers.capability import Capability, Provider
from keystead.providers.connectable import Connectable, Field, RemoteAccount
from keystead.providers.errors import (
    AddressRefused,
    ProviderBusy,
    ProviderRejected,
    ProviderUnavailable,
    ProviderUnreadable,
    SecretRefused,
)
from keystead.providers.registrar import NameServers, RegisteredDomain
from keystead.providers.transport import Ask, Repeat, Transport
from keystead.providers.xmlanswer import root_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

GOOD_CODES = frozenset({"300", "301", "302"})
SECRET_CODES = frozenset({"110", "111"})
ADDRESS_CODES = frozenset({"113"})
LATER_CODES = frozenset({"115", "201"})
BUSY_CODES = frozenset({"400"})

NAMESILO = Provider(
    id="namesilo",
    title="NameSilo",
    base_url="https://www.namesilo.com/api",
    secret_fields=("api_key",),
    public_fields=(),
    capabilities=frozenset(
        {Capability.BALANCE, Capability.DOMAINS, Capability.READ_NAME_SERVERS, Capability.NAME_SERVERS}
    ),
    errors={
        "110, 111": "the key is wrong",
        "113": "the key is not for the address that requests come from",
        "115, 201": "not available for now: the registry, or NameSilo itself",
        "400": "an earlier request is still at work; tried again a little later",
        "254": "the name servers were left as they are; its sentence says why",
        "200": "the domain is not in this account, or not active",
        "any other": "told by its code and its own sentence",
    },
    limits="1 request a second for each key (NameSilo names no limit; it asks for requests one after the other)",
    lacks={
        "the account's name": "the API tells none; a keyed hash of the key stands for the account",
        "DNS records": "nothing here needs them yet",
    },
    pace=((1, 1.0),),
    parallel=1,
)

PAGE_SIZE = 100
# One changeNameServers takes two hundred domains; a URL holds fewer, and needs room for the rest of it.
_NAMES_LENGTH_MAX = 1000
_COMMA_LENGTH = len("%2C")
NAME_SERVERS_MIN, NAME_SERVERS_MAX = 2, 13
_PAGES_MAX = 1000
_LATER_S = 30
_BUSY_S = 10


class NameSilo:
    """Call NameSilo with one key."""

    def __init__(self, transport: Transport, api_key: Secret[str]) -> None:
        self._transport = transport
        self._api_key = api_key
        self._key = hashlib.sha256(api_key.reveal().encode()).hexdigest()[:16]

    async def verify(self) -> RemoteAccount:
        """Read the balance, the cheapest check of a key; raise SecretRefused or AddressRefused."""
        return RemoteAccount(told={"balance": await self.balance()})

    async def balance(self) -> str:
        """Return what the account has to spend, without the commas that NameSilo writes into thousands."""
        return _text(await self._call("getAccountBalance", {}), "balance").replace(",", "")

    async def domains(self) -> list[RegisteredDomain]:
        """Return every domain of the account: all pages, or all at once where the answer knows no pages."""
        found: dict[str, RegisteredDomain] = {}
        for page in range(1, _PAGES_MAX):
            reply = await self._call("listDomains", {"page": str(page), "pageSize": str(PAGE_SIZE)})
            known = len(found)
            listed = reply.find("domains")
            total = reply.findtext("pager/total")
            if listed is None and (total is None or _number(total)):  # not an account without domains
                raise ProviderUnreadable("NameSilo's answer has no list of domains")
            found |= {one.name: one for one in map(_domain, () if listed is None else listed.iterfind("domain"))}
            if total is None or len(found) >= _number(total):
                break
            if len(found) == known:
                raise ProviderUnreadable(f"NameSilo told {known} of {total} domains and then nothing new")
        return list(found.values())

    async def name_servers(self, domain: str) -> list[str]:
        """Return a registered domain's name servers in their order; raise Invalid for a name that is none."""
        reply = await self._call("getDomainInfo", {"domain": _registered(domain)})
        listed = sorted(reply.iterfind("nameservers/nameserver"), key=lambda one: _number(one.get("position", "0")))
        return [(one.text or "").strip().lower() for one in listed]

    async def pointed(self, domain: str) -> NameServers:
        """Do the same; NameSilo's own are name servers like any others."""
        return NameServers(tuple(await self.name_servers(domain)))

    async def point_back(self, domain: str, former: NameServers) -> None:
        """Point a registered domain at the name servers that it had before."""
        await self.set_name_servers(domain, former.names)

    async def set_name_servers(self, domain: str, servers: Sequence[str]) -> None:
        """Point a registered domain at its name servers; raise Invalid for a name that is not a registered one."""
        await self.set_name_servers_of([domain], servers)

    async def set_name_servers_of(self, domains: Sequence[str], servers: Sequence[str]) -> None:
        """Point many domains at the same name servers, many in a request; a refusal ends it where it stands."""
        names = [_registered(domain) for domain in domains]
        hosts = [registrable.host_name(server) for server in servers]
        if not NAME_SERVERS_MIN <= len(hosts) <= NAME_SERVERS_MAX:
            problem = f"NameSilo takes {NAME_SERVERS_MIN} to {NAME_SERVERS_MAX} name servers"
            raise Invalid(problem, fields={"nameservers": problem})
        numbered = {f"ns{number}": host for number, host in enumerate(hosts, start=1)}
        for part in _parts(names):
            await self._call("changeNameServers", {"domain": ",".join(part), **numbered}, has_effect=True)

    async def _call(self, operation: str, parameters: Mapping[str, str], *, has_effect: bool = False) -> "Element":
        known = {"version": "1", "type": "xml", "key": self._api_key.reveal()}
        ask = Ask(
            "GET",
            f"/{operation}",
            key=self._key,
            repeat=Repeat.HARMLESS,
            query={**known, **parameters},
            headers={"accept": "text/xml"},
        )
        answer = await self._transport.send(ask)
        return _checked(root_of(answer, NAMESILO.title, "namesilo", has_effect=has_effect))


CONNECTABLE = Connectable(
    NAMESILO,
    ways=((Field("api_key", "API key of NameSilo"),),),
    client=lambda transport, secrets: NameSilo(transport, secrets["api_key"]),
)


def _checked(root: "Element") -> "Element":
    """Return the reply of an answer that is good; raise what its code means."""
    reply = root.find("reply")
    code = "" if reply is None else (reply.findtext("code") or "").strip()
    if reply is None or not code:
        raise ProviderUnreadable("NameSilo answered XML without a reply code")
    if code in GOOD_CODES:
        return reply
    detail = (reply.findtext("detail") or "").strip()
    if code in SECRET_CODES:
        raise SecretRefused(f"NameSilo refused: {code}", number=code, text=detail)
    if code in ADDRESS_CODES:
        seen = (root.findtext("request/ip") or "").strip()
        raise AddressRefused(f"NameSilo refused: {code}", number=code, text=detail, seen=seen)
    if code in BUSY_CODES:
        raise ProviderBusy("NameSilo is still at an earlier request", retry_after_s=_BUSY_S)
    if code in LATER_CODES:
        raise ProviderUnavailable(f"NameSilo cannot answer for now: {code}", retry_after_s=_LATER_S)
    raise ProviderRejected(f"NameSilo refused: {code}", number=code, text=detail)


def _domain(element: "Element") -> RegisteredDomain:
    return RegisteredDomain((element.text or "").strip().lower(), _date(element.get("expires", "")))


def _parts(names: Sequence[str]) -> Iterator[list[str]]:
    """Yield names in parts that fit into a request."""
    part: list[str] = []
    length = 0
    for name in names:
        longer = length + len(name) + _COMMA_LENGTH
        if part and longer > _NAMES_LENGTH_MAX:
            yield part
            part, longer = [], len(name) + _COMMA_LENGTH
        part.append(name)
        length = longer
    if part:
        yield part


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None


def _registered(domain: str) -> str:
    return ".".join(registrable.split(domain))


def _text(reply: "Element", name: str) -> str:
    found = (reply.findtext(name) or "").strip()
    if not found:
        raise ProviderUnreadable(f"NameSilo's answer has no {name}")
    return found


def _number(text: str) -> int:
    bare = text.strip().replace(",", "")
    if not bare.isdigit():
        raise ProviderUnreadable("NameSilo's answer has a count that is no number")
    return int(bare)
