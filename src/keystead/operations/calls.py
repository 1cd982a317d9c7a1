"""What every edge knows of a request before a verb runs: its id, where it came from, who is calling."""

from dataclasses import dataclass

from keystead.access.principal import Principal
from keystead.access.signin.rules import Visit


@dataclass(frozen=True)
class RequestFacts:
    """What the door found out about a request."""

    request_id: str
    address: str
    scheme: str
    is_local: bool = False
    user_agent: str = "unknown"

    @property
    def visit(self) -> Visit:
        """Return from where somebody asks, as people's sessions see it."""
        return Visit(self.address, self.user_agent)


@dataclass(frozen=True)
class Call:
    """An authenticated request on its way to a verb."""

    principal: Principal
    request_id: str
