"""Namecheap's XML API on loopback, behind a relay that wants a password: balance, domains, name servers.

Shapes are those of namecheap.com/support/api (methods users.getBalances, domains.getList, domains.dns.getList,
domains.dns.setCustom, domains.dns.setDefault, domains.dns.getHosts, domains.dns.setHosts, domains.getInfo, and the page
of error numbers), and of recorded answers where they
differ: getBalances has no namespace there, ``Updated`` is written in several ways, and an error's answer may hold a
response all the same (lexicon's cassettes for Namecheap).
"""

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape, quoteattr

from tests.support.standins.server import Came, StandIn, Told, serving

USERNAME, API_KEY, IP = "MyUser", "CANARY-namecheap-key", "51.68.21.133"
# Namecheap's own DNS (namecheap.com/support/knowledgebase, "BasicDNS").
OWN_DNS = ["dns1.registrar-servers.com", "dns2.registrar-servers.com"]
_XMLNS = ' xmlns="http://api.namecheap.com/xml.response"'


class Refused(Exception):
    """An answer with ``Status="ERROR"``."""

    def __init__(self, number: str, text: str) -> None:
        self.number, self.text = number, text


class Namecheap(StandIn):
    """The stand-in, and the relay before it."""

    def __init__(self) -> None:
        super().__init__()
        self.password = "Basic " + base64.b64encode(b"relay:CANARY-relay").decode()
        self.users = {USERNAME.lower(): API_KEY}
        self.known_ips = {IP}
        self.balance = "8.32"
        self.domains: dict[str, str] = {}
        self.name_servers: dict[str, list[str]] = {}
        self.hosts: dict[str, list[dict[str, str]]] = {}
        self.email_types: dict[str, str] = {}
        self.is_direct = False
        self.next_refusal: Refused | None = None
        # What is said of a domain's name servers, as long as it stands here.
        self.refused: dict[str, Refused] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def relay(self) -> dict[str, str]:
        """Return the four fields of the relay."""
        return {"relay_url": self.url, "relay_host": "127.0.0.1", "relay_auth": self.password, "ip": IP}

    def add_domains(self, count: int) -> None:
        for number in range(count):
            self.domains[f"domain-{number:03d}.pro"] = f"{number % 12 + 1:02d}/22/2027"

    def answer(self, came: Came) -> Told:
        if came.path != "/xml.response":
            return Told(404, b"404 page not found", "text/plain")
        if not self.is_direct and came.headers.get("authorization") != self.password:
            return Told(401, b"401 Unauthorized", "text/plain")
        command = came.query.get("Command", "")
        try:
            # PyNamecheap, and with it lexicon, writes ClientIP, and asks by POST; Namecheap takes both.
            query = {("ClientIp" if name == "ClientIP" else name): value for name, value in came.query.items()}
            body = self._response({**query, **dict(parse_qsl(came.body.decode()))}, command)
            errors, status = "", "OK"
        except Refused as refused:
            # A recorded answer of this kind holds a CommandResponse beside its error.
            body = f'<CommandResponse Type="{escape(command)}" />'
            errors, status = f'<Error Number="{refused.number}">{escape(refused.text)}</Error>', "ERROR"
        xmlns = "" if command.endswith("getBalances") and status == "OK" else _XMLNS
        text = (
            f'<?xml version="1.0" encoding="utf-8"?>\n<ApiResponse Status="{status}"{xmlns}>'
            f"<Errors>{errors}</Errors><Warnings /><RequestedCommand>{escape(command.lower())}</RequestedCommand>"
            f"{body}<Server>PHX01</Server><GMTTimeDifference>--5:00</GMTTimeDifference>"
            "<ExecutionTime>0.021</ExecutionTime></ApiResponse>"
        )
        return Told(200, text.encode(), "text/xml; charset=utf-8")

    def _response(self, query: dict[str, str], command: str) -> str:
        self._check_login(query)
        if self.next_refusal is not None:
            refusal, self.next_refusal = self.next_refusal, None
            raise refusal
        inner = {
            "namecheap.users.getBalances": self._balances,
            "namecheap.domains.getList": self._list,
            "namecheap.domains.dns.getList": self._get_name_servers,
            "namecheap.domains.dns.setCustom": self._set_custom,
            "namecheap.domains.dns.setDefault": self._set_default,
            "namecheap.domains.dns.getHosts": self._get_hosts,
            "namecheap.domains.dns.setHosts": self._set_hosts,
            "namecheap.domains.getInfo": self._get_info,
        }[command](query)
        return f"<CommandResponse Type={quoteattr(command)}>{inner}</CommandResponse>"

    def _check_login(self, query: dict[str, str]) -> None:
        if not query.get("ApiKey") or self.users.get(query.get("ApiUser", "").lower()) != query["ApiKey"]:
            raise Refused("1011102", "API Key is invalid or API access has not been enabled")
        if query.get("ClientIp") not in self.known_ips:
            raise Refused("1011150", f"Invalid request IP: {query.get('ClientIp')}")

    def _balances(self, _: dict[str, str]) -> str:
        return (
            f'<UserGetBalancesResult Currency="USD" AvailableBalance="{self.balance}" AccountBalance="{self.balance}" '
            'EarnedAmount="0.00" WithdrawableAmount="0.00" FundsRequiredForAutoRenew="0.00" />'
        )

    def _list(self, query: dict[str, str]) -> str:
        page, size = int(query.get("Page", "1")), int(query.get("PageSize", "20"))
        assert 10 <= size <= 100
        names = sorted(self.domains)
        shown = "".join(
            f'<Domain IsOurDNS="false" ID="{number}" Expires="{self.domains[name]}" Name={quoteattr(name)} '
            'User="myuser" Created="11/04/2023" IsExpired="False" IsLocked="false" AutoRenew="True" '
            'WhoisGuard="ENABLED" IsPremium="false" />'
            for number, name in enumerate(names[(page - 1) * size : page * size], start=page * 1000)
        )
        paging = f"<TotalItems>{len(names)}</TotalItems><CurrentPage>{page}</CurrentPage><PageSize>{size}</PageSize>"
        return f"<DomainGetListResult>{shown}</DomainGetListResult><Paging>{paging}</Paging>"

    def _get_name_servers(self, query: dict[str, str]) -> str:
        name = self._registered(query)
        listed = "".join(f"<Nameserver>{escape(one)}</Nameserver>" for one in self.name_servers.get(name, OWN_DNS))
        is_own = "false" if name in self.name_servers else "true"
        return (
            f'<DomainDNSGetListResult Domain={quoteattr(name)} IsUsingOurDNS="{is_own}" IsPremiumDNS="false" '
            f'IsUsingFreeDNS="false">{listed}</DomainDNSGetListResult>'
        )

    def _get_info(self, query: dict[str, str]) -> str:
        name = query["DomainName"]
        if name not in self.domains:
            raise Refused("2019166", f"Domain name not found {name}")
        return (
            f'<DomainGetInfoResult Status="Ok" ID="57582" DomainName={quoteattr(name)} OwnerName="myuser" '
            'IsOwner="true" IsPremium="false"><Modificationrights All="true" /></DomainGetInfoResult>'
        )

    def _get_hosts(self, query: dict[str, str]) -> str:
        name = self._registered(query)
        listed = "".join(
            f'<host HostId="{number}" Name={quoteattr(one["HostName"])} Type="{one["RecordType"]}" '
            f'Address={quoteattr(one["Address"])} MXPref="{one.get("MXPref", "10")}" TTL="{one.get("TTL", "1800")}" '
            'AssociatedAppTitle="" FriendlyName="" IsActive="true" IsDDNSEnabled="false" />'
            for number, one in enumerate(self.hosts.get(name, []), start=1)
        )
        return (
            f'<DomainDNSGetHostsResult Domain={quoteattr(name)} EmailType="{self.email_types.get(name, "FWD")}" '
            f'IsUsingOurDNS="true">{listed}</DomainDNSGetHostsResult>'
        )

    def _set_hosts(self, query: dict[str, str]) -> str:
        name = self._registered(query)
        rows: dict[str, dict[str, str]] = {}
        for key, value in query.items():
            if found := re.fullmatch(r"(HostName|RecordType|Address|MXPref|TTL)(\d+)", key, re.IGNORECASE):
                known = {"mxpref": "MXPref", "ttl": "TTL"}.get(found[1].lower(), found[1])
                rows.setdefault(found[2], {})[known] = value
        self.hosts[name] = [rows[number] for number in sorted(rows, key=int)]
        self.email_types[name] = query.get("EmailType", "FWD")
        return f'<DomainDNSSetHostsResult Domain={quoteattr(name)} IsSuccess="true" />'

    def _set_default(self, query: dict[str, str]) -> str:
        name = self._registered(query)
        self.name_servers.pop(name, None)
        return f'<DomainDNSSetDefaultResult Domain={quoteattr(name)} Updated="true" />'

    def _registered(self, query: dict[str, str]) -> str:
        name = f"{query['SLD']}.{query['TLD']}"
        if name not in self.domains:
            raise Refused("2019166", f"Domain name not found {name}")
        if name in self.refused:
            raise self.refused[name]
        return name

    def _set_custom(self, query: dict[str, str]) -> str:
        name = self._registered(query)
        self.name_servers[name] = query["Nameservers"].split(",")
        return f'<DomainDNSSetCustomResult Domain={quoteattr(name)} Updated="True" />'


@contextmanager
def namecheap() -> Iterator[Namecheap]:
    """Serve a Namecheap behind its relay for the duration."""
    standin = Namecheap()
    with serving(standin):
        yield standin
