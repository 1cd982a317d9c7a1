"""What an installation's settings decide about signing in, and from where somebody does."""

from dataclasses import dataclass
from enum import StrEnum

_ADDRESS_LENGTH_MAX = 64
_USER_AGENT_LENGTH_MAX = 255


class Registration(StrEnum):
    """Who may register."""

    INVITATION = "invitation"
    OPEN = "open"
    CLOSED = "closed"


class Binding(StrEnum):
    """What an access token is bound to: it opens nothing elsewhere."""

    IP_UA = "ip+ua"
    UA = "ua"
    OFF = "off"


@dataclass(frozen=True)
class Visit:
    """From where somebody asks: the client's address, and what its program calls itself."""

    address: str
    user_agent: str

    @property
    def kept_address(self) -> str:
        """Return the address as a session keeps it."""
        return self.address[:_ADDRESS_LENGTH_MAX]

    @property
    def kept_user_agent(self) -> str:
        """Return the name of the program as a session keeps it."""
        return self.user_agent[:_USER_AGENT_LENGTH_MAX].replace("\x00", "")

    def marks(self, binding: Binding) -> str | None:
        """Return what a token of this visit is bound to; None where tokens are bound to nothing."""
        match binding:
            case Binding.OFF:
                return None
            case Binding.UA:
                return self.user_agent
            case Binding.IP_UA:
                return f"{self.address}:{self.user_agent}"
