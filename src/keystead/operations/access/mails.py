"""Mails that carry a one-time link: their words, and the port through which they are sent.

A mail that cannot be sent is not kept: its link is known as a hash only. Whoever asked for it is told, where that
reveals nothing, and asks again.
"""

from dataclasses import dataclass
from typing import Protocol

from keystead.access.signin.links import NewLink
from keystead.access.store.links import Purpose
from keystead.kit.errors import KeysteadError
from keystead.kit.log import get_logger
from keystead.kit.secret import Secret

log = get_logger()

_WORDS = {
    Purpose.INVITE: ("You are invited to Keystead", "You are invited to work in the account {account}."),
    Purpose.REGISTER: ("Confirm your registration", "Somebody, probably you, registered with this address."),
    Purpose.RESET: ("Set a new password", "Somebody, probably you, asked to set a new password for this address."),
}


class Mailer(Protocol):
    """Send mails."""

    async def send(self, to: str, subject: str, text: Secret[str]) -> None:
        """Hand a mail over to the server; raise Unavailable or Rejected when it is not taken."""
        ...


@dataclass(frozen=True)
class Mails:
    """Send one-time links by mail, where mail is set up; ``page`` is where a link leads."""

    mailer: Mailer | None
    page: str | None

    async def send(self, purpose: Purpose, link: NewLink, *, account: str = "") -> bool:
        """Send a link to whom it is for; return whether a server took it."""
        if self.mailer is None or "@" not in link.login:
            return False
        subject, first = _WORDS[purpose]
        text = Secret("\n\n".join([first.format(account=account), self._way(purpose, link), _end(link)]) + "\n")
        try:
            await self.mailer.send(link.login, subject, text)
        except KeysteadError as error:
            log.warning("mail not sent", purpose=purpose.value, reason=error.message)
            return False
        return True

    def address(self, purpose: Purpose, link: NewLink) -> Secret[str] | None:
        """Return where a link leads; its secret stands behind a #, which browsers send to no server."""
        return None if self.page is None else Secret(f"{self.page}#{purpose.value}={link.secret.reveal()}")

    def _way(self, purpose: Purpose, link: NewLink) -> str:
        """Return how to use a link."""
        address = self.address(purpose, link)
        return f"This is your code:\n\n{link.secret.reveal()}" if address is None else address.reveal()


def _end(link: NewLink) -> str:
    return f"It works once, until {link.expires_at:%Y-%m-%d %H:%M} UTC. If you did not ask for this, do nothing."
