"""Plans that come along from another instance, against those that are here; used by ``planning.py``."""

from collections.abc import Mapping, Sequence

from keystead.importing.found import NotCarried, What
from keystead.vpn.portable import PortablePlan


def against(
    found: Sequence[PortablePlan], here: Mapping[str, PortablePlan]
) -> tuple[tuple[PortablePlan, ...], list[NotCarried]]:
    """Return the plans to make, and what is to be known of those that are here and say something else."""
    wanted = tuple(plan for plan in found if plan.name not in here)
    differing = [plan.name for plan in found if plan.name in here and here[plan.name] != plan]
    told = [
        NotCarried(What.TERMS, f"plan {name} is here with other terms and stays as it is; keys keep theirs")
        for name in differing
    ]
    return wanted, told
