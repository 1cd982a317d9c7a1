"""The door of people: whose access token this is and what it may do, without asking the database every time.

A good look-up is remembered for a few seconds, like that of a token (``gate.TokenDoor``), and dropped at once when a
session ends, a password changes or a role is withdrawn in this process. Age and binding are checked on each call.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from keystead.access import users
from keystead.access.principal import Principal
from keystead.access.signin import accesstokens, signingkeys
from keystead.access.signin.accesstokens import Claims
from keystead.access.signin.errors import AccessTokenWrong, SessionOver
from keystead.access.signin.rules import Binding, Visit
from keystead.access.signin.signingkeys import SigningKey
from keystead.access.store import sessions as store
from keystead.kit.clock import Clock
from keystead.kit.crypto import KeyRing
from keystead.kit.crypto import fingerprint as digest
from keystead.kit.errors import Forbidden

# An ended session opens nothing in other processes on the same database after so long, and nothing here at once.
REMEMBER_S = 5.0
_TOKENS_MAX = 20_000


@dataclass(frozen=True)
class _Known:
    claims: Claims
    key: SigningKey
    principal: Principal
    looked_up_s: float


class SessionDoor:
    """Turn presented access tokens into principals, and remember."""

    def __init__(self, clock: Clock, ring: KeyRing, binding: Binding, *, tokens_max: int = _TOKENS_MAX) -> None:
        self._clock = clock
        self._ring = ring
        self._binding = binding
        self._tokens_max = tokens_max
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._epoch = 0

    def recall(self, presented: str, visit: Visit) -> Principal | None:
        """Return whose access token is remembered, without the database; None when ``admit`` has to be asked."""
        known = self._known.get(digest(presented))
        if known is None or self._clock.monotonic_s() - known.looked_up_s > REMEMBER_S:
            return None
        return self._checked(known, visit)

    def admit(self, connection: Connection, presented: str, visit: Visit) -> Principal:
        """Return whose access token this is; raise a kind of Unauthenticated that says what is wrong with it."""
        remembered = self.recall(presented, visit)
        if remembered is not None:
            return remembered
        epoch = self._epoch
        key = signingkeys.verifying(connection, self._ring, self._clock.now()).get(accesstokens.kid_of(presented))
        if key is None:
            raise AccessTokenWrong("this access token was not made here; sign in again")
        claims = accesstokens.read(presented, key, self._clock.now())
        principal = self._principal(connection, claims)
        known = _Known(claims, key, principal, self._clock.monotonic_s())
        checked = self._checked(known, visit)
        self._remember(digest(presented), known, epoch)
        return checked

    def forget_all(self) -> None:
        """Drop everything remembered; call it after the commit that ended a session or changed what people may do."""
        with self._lock:
            self._epoch += 1
            self._known.clear()

    def _principal(self, connection: Connection, claims: Claims) -> Principal:
        found = store.with_user(connection, claims.session_id)
        if found is None or found[0].user_id != claims.user_id or not found[0].is_live(self._clock.now()):
            raise SessionOver("this session has ended; sign in again")
        try:
            principal = users.principal_of(connection, found[1], claims.account_id)
        except Forbidden as error:
            raise SessionOver(error.message) from None
        return replace(principal, session_id=claims.session_id)

    def _checked(self, known: _Known, visit: Visit) -> Principal:
        accesstokens.check_age(known.claims, self._clock.now())
        accesstokens.check_binding(known.claims, known.key, visit, self._binding)
        return known.principal

    def _remember(self, mark: str, known: _Known, epoch: int) -> None:
        with self._lock:
            if epoch != self._epoch:  # something changed while this one was looked up, perhaps this one
                return
            self._known[mark] = known
            self._known.move_to_end(mark)
            if len(self._known) > self._tokens_max:
                self._known.popitem(last=False)
