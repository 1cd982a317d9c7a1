"""NameSilo's API on loopback: balance, domains, name servers; any number of keys.

Shapes are those of recorded answers in github.com/nrdcg/namesilo: samples/account/getAccountBalance.xml,
fixtures/domains/listDomains.xml (with its pager), samples/changeNameServers.xml, samples/getDomainInfo.xml. Codes and
sentences are those of namesilo.com/api-reference (response codes); a code other than 300 comes without content.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from tests.support.standins.server import Came, StandIn, Told, serving

API_KEY = "CANARY-namesilo-key"
SEEN_IP = "203.0.113.9"
SENTENCES = {
    "110": "Invalid API Key",
    "113": "This API account cannot be accessed from your IP",
    "200": "Domain is not active, or does not belong to this user",
    "254": "NameServer update cannot be made",
}


class Refused(Exception):
    """A reply with a code that is not good."""

    def __init__(self, code: str, detail: str = "") -> None:
        self.code, self.detail = code, detail or SENTENCES.get(code, "refused")


@dataclass
class Account:
    """What a key opens."""

    balance: str = "1,355.75"
    domains: dict[str, str] = field(default_factory=dict)
    name_servers: dict[str, list[str]] = field(default_factory=dict)


class NameSilo(StandIn):
    """The stand-in; ``has_pager`` False answers as before there were pages, ``page_size_max`` gives less than asked."""

    def __init__(self) -> None:
        super().__init__()
        self.accounts = {API_KEY: Account()}
        self.has_pager = True
        self.page_size_max = 1000
        self.next_refusals: list[Refused] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def settings(self) -> dict[str, str]:
        """Return the settings that point an instance here."""
        return {"provider_namesilo_url": self.url}

    @property
    def mine(self) -> Account:
        return self.accounts[API_KEY]

    def add_domains(self, count: int) -> None:
        for number in range(count):
            self.mine.domains[f"domain-{number:03d}.pro"] = f"2027-{number % 12 + 1:02d}-22"

    def answer(self, came: Came) -> Told:
        if not came.path.startswith("/api/"):
            return Told(404, b"not found", "text/plain")
        operation = came.path.removeprefix("/api/")
        try:
            content, code, detail = self._reply(operation, came.query), "300", "success"
        except Refused as refused:
            content, code, detail = "", refused.code, refused.detail
        text = (
            f"<namesilo><request><operation>{escape(operation)}</operation><ip>{SEEN_IP}</ip></request>"
            f"<reply><code>{code}</code><detail>{escape(detail)}</detail>{content}</reply></namesilo>"
        )
        return Told(200, text.encode(), "text/xml")

    def _reply(self, operation: str, query: dict[str, str]) -> str:
        assert (query.get("version"), query.get("type")) == ("1", "xml")
        account = self.accounts.get(query.get("key", ""))
        if account is None:
            raise Refused("110")
        if self.next_refusals:
            raise self.next_refusals.pop(0)
        return {
            "getAccountBalance": self._balance,
            "listDomains": self._list,
            "getDomainInfo": self._info,
            "changeNameServers": self._change,
        }[operation](account, query)

    def _balance(self, account: Account, _: dict[str, str]) -> str:
        return f"<balance>{account.balance}</balance>"

    def _list(self, account: Account, query: dict[str, str]) -> str:
        page, size = int(query.get("page", "1")), min(int(query.get("pageSize", "10")), self.page_size_max)
        names = sorted(account.domains)
        shown = names[(page - 1) * size : page * size] if self.has_pager else names
        listed = "".join(
            f'<domain created="2020-02-03" expires="{account.domains[name]}">{escape(name)}</domain>' for name in shown
        )
        pager = f"<pager><total>{len(names)}</total><pageSize>{size}</pageSize><page>{page}</page></pager>"
        return f"<domains>{listed}</domains>{pager if self.has_pager else ''}"

    def _info(self, account: Account, query: dict[str, str]) -> str:
        name = self._owned(account, query["domain"])
        servers = account.name_servers.get(name, ["NS1.DNSOWL.COM", "NS2.DNSOWL.COM"])
        listed = "".join(
            f'<nameserver position="{position}">{escape(server)}</nameserver>'
            for position, server in reversed(list(enumerate(servers, start=1)))
        )
        return (
            f"<created>2020-02-03</created><expires>{account.domains[name]}</expires><status>Active</status>"
            "<locked>Yes</locked><private>Yes</private><auto_renew>Yes</auto_renew><traffic_type>Custom</traffic_type>"
            "<email_verification_required>No</email_verification_required><portfolio></portfolio><forward_url>N/A"
            f"</forward_url><forward_type>N/A</forward_type><nameservers>{listed}</nameservers><contact_ids>"
            "<registrant>444444</registrant><administrative>555555</administrative><technical>666666</technical>"
            "<billing>7777777</billing></contact_ids>"
        )

    def _change(self, account: Account, query: dict[str, str]) -> str:
        names = [self._owned(account, name) for name in query["domain"].split(",")]
        assert len(names) <= 200
        servers = [query[f"ns{number}"] for number in range(1, 14) if f"ns{number}" in query]
        if len(servers) < 2:
            raise Refused("109", "Required parameter missing")
        account.name_servers |= {name: list(servers) for name in names}
        return ""

    def _owned(self, account: Account, name: str) -> str:
        if name not in account.domains:
            raise Refused("200")
        return name


@contextmanager
def namesilo() -> Iterator[NameSilo]:
    """Serve a NameSilo for the duration."""
    standin = NameSilo()
    with serving(standin):
        yield standin
