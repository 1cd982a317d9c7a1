"""What the handlers of the auth wire call; filled in by the composition root."""

from dataclasses import dataclass

from keystead.http.admission import Admission
from keystead.kit.clock import Clock
from keystead.operations.access.myself import SelfOperations
from keystead.operations.access.signin import SignInOperations

# Where the wire answers at its door.
PREFIX = "/auth"


@dataclass(frozen=True)
class Services:
    """One instance's operations; ``origins`` are those of web pages that may use a person's session."""

    admission: Admission
    signing_in: SignInOperations
    oneself: SelfOperations
    clock: Clock
    origins: frozenset[str]
