"""An instance among stand-ins for everything outside it, all of it with marked secrets, and everything that it said."""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword
from sqlalchemy import create_engine, text

from keystead.access.permissions import ALL_PERMISSIONS
from keystead.keeper.ports import free_loopback_port
from tests.support import tokens
from tests.support.canaries import Canaries
from tests.support.keystead import Keystead, keystead
from tests.support.receiver import Receiver, receiving
from tests.support.standins.cloudflare import Cloudflare
from tests.support.standins.dns import ADDRESS, NameServers, name_servers
from tests.support.standins.google_analytics import GoogleAnalytics
from tests.support.standins.hosttracker import HostTracker
from tests.support.standins.namecheap import OWN_DNS, Namecheap
from tests.support.standins.namesilo import NameSilo
from tests.support.standins.server import serving
from tests.support.standins.yandex_metrica import YandexMetrica

MAIL_PASSWORD = "canary password of the mail server"
# Settings that are secret stand in the file beside the process, where its environment does not show them.
SETTINGS_FILE = ".env"


@dataclass
class Outside:
    """Everything outside the instance that it speaks to."""

    remote: Cloudflare = field(default_factory=Cloudflare)
    registrar: Namecheap = field(default_factory=Namecheap)
    registry: NameSilo = field(default_factory=NameSilo)
    tracker: HostTracker = field(default_factory=HostTracker)
    analytics: GoogleAnalytics = field(default_factory=GoogleAnalytics)
    metrica: YandexMetrica = field(default_factory=YandexMetrica)

    def settings(self, servers: NameServers) -> dict[str, str]:
        """Return the settings that point an instance here."""
        others = (self.registry, self.tracker, self.analytics, self.metrica)
        urls = {name: url for one in others for name, url in one.settings().items()}
        return {
            "KEYSTEAD_PROVIDER_CLOUDFLARE_URL": self.remote.url,
            "KEYSTEAD_PROVIDER_NAMECHEAP_A_MINUTE": "1000",
            "KEYSTEAD_DNS_RESOLVERS": ADDRESS,
            "KEYSTEAD_DNS_PORT": str(servers.port),
            **{f"KEYSTEAD_{name.upper()}": url for name, url in urls.items()},
        }


@dataclass
class Inbox:
    """What a mail server took."""

    envelopes: list[Envelope] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        return "250 OK"

    def letters(self, to: str) -> list[str]:
        """Return what was sent to somebody."""
        return [(one.content or b"").decode() for one in self.envelopes if to in one.rcpt_tos]  # type: ignore[union-attr]

    async def until(self, to: str, count: int) -> str:
        """Wait until somebody has so many letters and return the last of them."""
        async with asyncio.timeout(30):
            while len(self.letters(to)) < count:
                await asyncio.sleep(0.02)
        return self.letters(to)[-1]


@dataclass
class Stage:
    """The instance, what it speaks to, and everything that it said."""

    instance: Keystead
    outside: Outside
    owner: httpx2.AsyncClient
    canaries: Canaries
    inbox: Inbox
    receiver: Receiver
    said: dict[str, str] = field(default_factory=dict)

    async def ask(
        self, method: str, path: str, body: Any = None, *, status: int = 200, by: httpx2.AsyncClient | None = None
    ) -> Any:
        """Ask as the owner and keep the answer."""
        answer = await (by or self.owner).request(method, path, json=body)
        self.said[f"{len(self.said)} {method} {path}"] = f"{answer.headers} {answer.text}"
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def told(self, method: str, path: str, body: Any = None) -> Any:
        """Ask for an answer that is to have a secret, which is the one place where it may be."""
        answer = await self.owner.request(method, path, json=body)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()

    async def command(self, *arguments: object, stdin: str = "", is_refused: bool = False) -> None:
        """Run a command on the machine; look at its own command line while it runs, and keep what it says."""
        output, problems = await self._run(*arguments, stdin=stdin, is_refused=is_refused)
        self.said[f"{len(self.said)} {arguments}"] = output + problems

    async def printed(self, *arguments: object) -> str:
        """Run a command that prints a secret, which is the one place where it may be; return what it prints."""
        output, problems = await self._run(*arguments)
        self.said[f"{len(self.said)} {arguments}"] = problems
        return output.strip()

    async def _run(self, *arguments: object, stdin: str = "", is_refused: bool = False) -> tuple[str, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "keystead", *map(str, arguments)),
            env=self.instance.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.instance.data_dir.parent,
        )
        assert self.canaries.in_processes(process.pid) == []
        output, problems = await process.communicate(stdin.encode())
        assert (process.returncode != 0) is is_refused, (output, problems)
        return output.decode(), problems.decode()

    async def mailed(self, to: str, count: int) -> str:
        """Return the secret of somebody's letter, marked; they have so many with it."""
        found = re.search(r"ks_[a-z]+_[0-9A-Za-z]+_[0-9A-Za-z]+", await self.inbox.until(to, count))
        assert found is not None
        return self.canaries.mark("a secret that was mailed", found[0])

    @contextmanager
    def changed(self, change: str, back: str) -> Iterator[None]:
        """Change the database beside the instance for the duration."""
        engine = create_engine(self.instance.database_url, connect_args={"timeout": 30})
        try:
            with engine.begin() as connection:
                connection.execute(text(change))
            yield
            with engine.begin() as connection:
                connection.execute(text(back))
        finally:
            engine.dispose()

    def without(self, table: str) -> Any:
        """Take a table away for the duration: whatever needs it fails where nobody foresaw it."""
        return self.changed(f"ALTER TABLE {table} RENAME TO away", f"ALTER TABLE away RENAME TO {table}")


@asynccontextmanager
async def stage(directory: Path) -> AsyncIterator[Stage]:
    """Run an instance where anybody may register, and everything that it speaks to."""
    canaries, outside, inbox = Canaries(), Outside(), Inbox()
    outside.remote.add_zones(3)
    outside.registrar.add_domains(3)
    outside.registry.mine.domains["example.com"] = "2027-01-22"
    with ExitStack() as stack:
        for one in vars(outside).values():
            stack.enter_context(serving(one))
        servers, receiver = stack.enter_context(name_servers()), stack.enter_context(receiving())
        servers.delegated = outside.remote.delegated = _delegated(outside.registrar)
        stack.enter_context(_mail_server(inbox, canaries, directory / SETTINGS_FILE))
        settings = {
            **outside.settings(servers),
            "KEYSTEAD_REGISTRATION": "open",
            "KEYSTEAD_WEBHOOK_ALLOW_PRIVATE": "127.0.0.0/8",
            "KEYSTEAD_SMTP_FROM": "keystead@example.com",
        }
        async with keystead(directory, **settings) as instance:
            token = await tokens.issue(instance, "owner", permissions=ALL_PERMISSIONS)
            headers = {"authorization": f"Bearer {canaries.mark('a token', token)}"}
            async with httpx2.AsyncClient(base_url=instance.url, timeout=30.0, headers=headers) as owner:
                yield Stage(instance, outside, owner, canaries, inbox, receiver)


def _delegated(registrar: Namecheap) -> Any:
    return lambda name: registrar.name_servers.get(name, OWN_DNS if name in registrar.domains else None)


@contextmanager
def _mail_server(inbox: Inbox, canaries: Canaries, settings_file: Path) -> Iterator[None]:
    """Run a mail server that wants a password, and write the setting that has it."""

    def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        is_right = isinstance(given, LoginPassword) and given.password == MAIL_PASSWORD.encode()
        return AuthResult(success=is_right, handled=False)

    made = Controller(
        inbox,
        hostname="127.0.0.1",
        port=free_loopback_port(),
        authenticator=authenticate,
        auth_require_tls=False,
    )
    written = canaries.mark("the mail server's password", MAIL_PASSWORD).replace(" ", "%20")
    settings_file.write_text(f"KEYSTEAD_SMTP_URL=smtp://keystead:{written}@127.0.0.1:{made.port}\n")
    made.start()
    try:
        yield
    finally:
        made.stop()
