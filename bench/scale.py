"""How much is measured: the whole bench, or just enough to see that it still works."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Numbers of keys, rounds per figure, connections of the load, and seconds per turn of it.

    ``crowds`` are numbers of VPN connections held open while ``arrivals_per_s`` come and as many go; ``cuts`` and
    ``quotas`` say how many keys are deleted or used up while they download; ``ports`` how many keys have one of their
    own, ``bulk`` how many are created in one call, and ``bulks`` how often. ``secrets`` are sealed again while somebody
    reads, after ``calm_s`` of reading only; ``zones`` are at a provider, ``domains`` in the database.
    """

    keys: tuple[int, ...] = (0, 1_000, 10_000)
    rounds: int = 60
    rounds_of_load: int = 5
    connections: tuple[int, ...] = (1, 8, 32)
    load_s: float = 1.0
    starts: int = 3
    crowds: tuple[int, ...] = (1_000, 10_000)
    arrivals_per_s: int = 350
    crowd_s: float = 15.0
    cuts: int = 60
    quotas: int = 5
    ports: int = 5_000
    bulk: int = 10_000
    bulks: int = 3
    secrets: int = 100_000
    calm_s: float = 10.0
    zones: int = 1_000
    domains: int = 10_000

    @property
    def most_keys(self) -> int:
        """Return the largest number of keys."""
        return max(self.keys)


WHOLE = Scale()
QUICK = Scale(
    rounds=15, rounds_of_load=3, load_s=0.5, starts=1, crowd_s=6.0, quotas=2, ports=1_000, bulk=3_000, secrets=20_000
)
SMOKE = Scale(
    keys=(0, 20),
    rounds=2,
    rounds_of_load=1,
    connections=(1, 2),
    load_s=0.1,
    starts=1,
    crowds=(20,),
    arrivals_per_s=20,
    crowd_s=1.5,
    cuts=2,
    quotas=1,
    ports=5,
    bulk=60,
    bulks=1,
    secrets=300,
    calm_s=0.4,
    zones=60,
    domains=30,
)
