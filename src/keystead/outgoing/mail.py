"""Mail by SMTP: over TLS that is verified, or not at all unless the server is this machine's own.

The standard library's client, which blocks, in a thread of its own.
"""

import asyncio
import smtplib
import ssl
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import unquote, urlsplit

from keystead.kit import names
from keystead.kit.errors import Rejected, Unavailable
from keystead.kit.secret import Secret

_TIMEOUT_S = 15.0
_PORTS = {"smtps": 465, "smtp": 587}


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed over; ``is_implicit_tls`` speaks TLS from the first byte, otherwise STARTTLS asks for it."""

    host: str
    port: int
    is_implicit_tls: bool
    user: str | None
    password: Secret[str] | None
    sender: str


def server_of(url: Secret[str], sender: str) -> MailServer:
    """Return the server that a URL names; settings have checked its form."""
    parts = urlsplit(url.reveal())
    return MailServer(
        host=parts.hostname or "",
        port=parts.port or _PORTS[parts.scheme],
        is_implicit_tls=parts.scheme == "smtps",
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else Secret(unquote(parts.password)),
        sender=sender,
    )


class SmtpMailer:
    """Send mails through one server, a connection for each."""

    def __init__(self, server: MailServer, context: Callable[[], ssl.SSLContext] = ssl.create_default_context) -> None:
        self._server = server
        self._context = context

    async def send(self, to: str, subject: str, text: Secret[str]) -> None:
        """Hand a mail over; raise Unavailable when the server is out of reach and Rejected when it refuses."""
        await asyncio.to_thread(self._send, to, subject, text)

    def _send(self, to: str, subject: str, text: Secret[str]) -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self._server.sender, to, subject
        message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=self._server.sender.partition("@")[2])
        message.set_content(text.reveal())
        try:
            with self._connected() as client:
                client.send_message(message)
        except smtplib.SMTPResponseException as error:
            if _is_for_now(error.smtp_code):
                told = f"the mail server {self._server.host} takes nothing for now ({error.smtp_code})"
                raise Unavailable(told) from error
            raise Rejected(f"the mail server refused ({error.smtp_code}); look at KEYSTEAD_SMTP_URL") from error
        except smtplib.SMTPRecipientsRefused as error:
            if all(_is_for_now(code) for code, _ in error.recipients.values()):
                raise Unavailable(f"the mail server {self._server.host} does not take the recipient yet") from error
            raise Rejected("the mail server refused the recipient") from error
        except (OSError, smtplib.SMTPException) as error:
            raise Unavailable(f"the mail server {self._server.host} is out of reach: {type(error).__name__}") from error

    def _connected(self) -> smtplib.SMTP:
        """Return a client that is encrypted and signed in."""
        server = self._server
        if server.is_implicit_tls:
            client: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=_TIMEOUT_S, context=self._context()
            )
        else:
            client = smtplib.SMTP(server.host, server.port, timeout=_TIMEOUT_S)
        with ExitStack() as undone:
            undone.callback(client.close)
            self._prepare(client)
            undone.pop_all()
        return client

    def _prepare(self, client: smtplib.SMTP) -> None:
        server = self._server
        client.ehlo()
        if not server.is_implicit_tls and (client.has_extn("starttls") or not names.is_loopback(server.host)):
            client.starttls(context=self._context())
            client.ehlo()
        if server.user is not None and server.password is not None:
            client.login(server.user, server.password.reveal())


def _is_for_now(code: int) -> bool:
    """Tell whether a reply says that the same may be taken later (RFC 5321, 4.2.1): greylisting, a full disk."""
    return 400 <= code < 500
