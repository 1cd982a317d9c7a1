"""A mail server for tests that have none: it keeps what it is given, or is out of reach."""

import asyncio
import re
from dataclasses import dataclass, field

from keystead.kit.errors import Unavailable
from keystead.kit.secret import Secret


@dataclass
class Postbox:
    """Mails as recipient, subject and text."""

    mails: list[tuple[str, str, str]] = field(default_factory=list)
    is_open: bool = True
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, to: str, subject: str, text: Secret[str]) -> None:
        """Keep a mail."""
        if not self.is_open:
            raise Unavailable("the mail server is out of reach")
        self.mails.append((to, subject, text.reveal()))
        self.arrived.set()

    async def secret(self) -> str:
        """Return the secret of the last mail, waiting for the first one."""
        await asyncio.wait_for(self.arrived.wait(), 10)
        found = re.search(r"ks_[a-z]+_[0-9A-Za-z]+_[0-9A-Za-z]+", self.mails[-1][2])
        assert found is not None, self.mails[-1]
        return found[0]
