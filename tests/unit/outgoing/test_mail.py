"""Mail against a real SMTP server: encrypted and verified, or not sent."""

import ssl
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from keystead.keeper.ports import free_loopback_port
from keystead.kit.errors import Rejected, Unavailable
from keystead.kit.secret import Secret
from keystead.outgoing.mail import MailServer, SmtpMailer, server_of
from tests.support import xray

TEXT = Secret("Your code: ks_invite_x\n")


class Inbox:
    """What the server does with mail."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Envelope, to: str, _options: Any) -> str:  # noqa: N802
        if to.startswith("nobody"):
            return "550 no such mailbox"
        if to.startswith("later"):
            return "450 greylisted, try again later"
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        return "250 OK"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return xray.write_certificate(tmp_path_factory.mktemp("mail"), "localhost")


@pytest.fixture
def inbox(certificate: tuple[Path, Path]) -> Iterator[tuple[Inbox, MailServer]]:
    """Run a server that takes mail from one user after STARTTLS only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        is_right = isinstance(given, LoginPassword) and given.password == b"p@ss"
        return AuthResult(success=is_right, handled=False)

    made = Inbox()
    running = Controller(
        made,
        hostname="127.0.0.1",
        port=free_loopback_port(),
        tls_context=context,
        require_starttls=True,
        authenticator=authenticate,
        auth_required=True,
    )
    running.start()
    yield made, server_of(Secret(f"smtp://keystead:p%40ss@localhost:{running.port}"), "keystead@example.com")
    running.stop()


def trusting(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate[0]))


async def test_a_mail_is_handed_over_encrypted(inbox: tuple[Inbox, MailServer], certificate: tuple[Path, Path]) -> None:
    box, server = inbox

    await SmtpMailer(server, lambda: trusting(certificate)).send("anna@example.com", "Hello", TEXT)

    [envelope] = box.envelopes
    message = message_from_bytes(envelope.content or b"", policy=policy.default)  # type: ignore[arg-type]
    assert (envelope.mail_from, envelope.rcpt_tos) == ("keystead@example.com", ["anna@example.com"])
    assert (message["subject"], message["to"]) == ("Hello", "anna@example.com")
    assert message.get_content().replace("\r\n", "\n") == TEXT.reveal()


async def test_a_server_that_proves_nothing_gets_no_mail(inbox: tuple[Inbox, MailServer]) -> None:
    box, server = inbox

    with pytest.raises(Unavailable, match="SSLCertVerificationError"):
        await SmtpMailer(server).send("anna@example.com", "Hello", TEXT)

    assert box.envelopes == []


async def test_a_wrong_password_and_an_unknown_recipient_are_refusals(
    inbox: tuple[Inbox, MailServer], certificate: tuple[Path, Path]
) -> None:
    _, server = inbox
    wrong = server_of(Secret(f"smtp://keystead:x@localhost:{server.port}"), "keystead@example.com")

    for mailer, to in ((wrong, "anna@example.com"), (server, "nobody@example.com")):
        with pytest.raises(Rejected):
            await SmtpMailer(mailer, lambda: trusting(certificate)).send(to, "Hello", TEXT)


async def test_a_server_out_of_reach_is_unavailable() -> None:
    nobody = server_of(Secret(f"smtps://localhost:{free_loopback_port()}"), "keystead@example.com")

    with pytest.raises(Unavailable, match="out of reach"):
        await SmtpMailer(nobody).send("anna@example.com", "Hello", TEXT)


@pytest.mark.parametrize(("url", "port"), [("smtps://mail.example.com", 465), ("smtp://mail.example.com", 587)])
def test_ports_are_those_of_the_scheme(url: str, port: int) -> None:
    assert server_of(Secret(url), "k@example.com").port == port


async def test_a_recipient_that_is_not_taken_yet_is_worth_another_attempt(
    inbox: tuple[Inbox, MailServer], certificate: tuple[Path, Path]
) -> None:
    _, server = inbox

    with pytest.raises(Unavailable, match="does not take the recipient yet"):
        await SmtpMailer(server, lambda: trusting(certificate)).send("later@example.com", "Hello", TEXT)
