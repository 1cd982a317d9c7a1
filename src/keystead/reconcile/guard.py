"""The guard: a plan that would remove much without a recorded reason waits for a named person.

A removal is explained when a verb recorded it (the subject is a tombstone). Unexplained ones are what a restored
backup, an empty query or a bug would produce, so they pass only in small numbers.
"""

from collections.abc import Collection
from dataclasses import dataclass

from keystead.reconcile.plan import Plan, Risk, Step, Verb

UNEXPLAINED_MAX = 10
UNEXPLAINED_SHARE_MAX = 0.3


@dataclass(frozen=True)
class Verdict:
    """The steps that may run now and the removals that wait for a person."""

    allowed: tuple[Step, ...]
    held: tuple[Step, ...]


def judge(plan: Plan, *, explained: Collection[str], held_objects: int) -> Verdict:
    """Split a plan; ``held_objects`` is how many objects the engine holds in this scope."""
    unexplained = [step for step in plan.steps if _is_removal(step) and step.subject not in explained]
    share_max = max(UNEXPLAINED_SHARE_MAX * held_objects, 1)
    is_mass = len(unexplained) > UNEXPLAINED_MAX or (held_objects > UNEXPLAINED_MAX and len(unexplained) > share_max)
    if not is_mass:
        return Verdict(plan.steps, ())
    held = set(unexplained)
    return Verdict(tuple(step for step in plan.steps if step not in held), tuple(unexplained))


def told(scope: str, plan: Plan, held: int) -> str | None:
    """Return what an operator reads of removals that are held back; None when there are none."""
    if not held:
        return None
    return (
        f"{held} removals that nothing explains are held back; "
        f"review them with: keystead plan {scope}, then: keystead plan {scope} --approve {plan.digest}"
    )


def _is_removal(step: Step) -> bool:
    return step.verb is Verb.REMOVE or step.risk is Risk.DESTRUCTIVE
