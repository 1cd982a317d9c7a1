"""A DNS of tests: it says of domains what a test has it say, and is away when it is told so."""

from dataclasses import dataclass, field

from keystead.outgoing.dns import Delegation, NoServers, ResolverAway


@dataclass
class FakeLookup:
    """Answers by name; what is not named does not exist."""

    servers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    is_away: bool = False
    asked: list[str] = field(default_factory=list)

    async def delegation(self, name: str) -> Delegation:
        self.asked.append(name)
        if self.is_away:
            raise ResolverAway("no resolver answered")
        found = self.servers.get(name)
        return Delegation(problem=NoServers.UNKNOWN) if found is None else Delegation(found)
