"""Access tokens of Google: made from a service account's key or from a refresh token, and kept until near their end.

Sources: developers.google.com/identity/protocols/oauth2, its pages on service accounts (the JWT grant, RFC 7523) and on
web server applications (refresh tokens; read 2026-11); failures are RFC 6749's ``error`` and ``error_description``.
Tokens come from one address, a setting. What an uploaded key names as ``token_uri`` is not read: a request that carries
a signed assertion goes nowhere that an upload says. Used by ``google_analytics`` only.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson

from keystead.kit.secret import Secret
from keystead.providers.errors import ProviderFailed, ProviderRejected, ProviderUnreadable, SecretRefused
from keystead.providers.transport import Ask, Repeat, Transport

Json = dict[str, Any]

# The name of the host that tokens come from, among the provider's.
TOKENS = "token"
BASE_URL = "https://oauth2.googleapis.com"
# Who an assertion is for; the same when requests go through a relay.
AUDIENCE = f"{BASE_URL}/token"
SCOPE = "https://www.googleapis.com/auth/analytics.readonly"
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ALGORITHM = "RS256"
# Google takes no assertion that lives longer.
_ASSERTION_S = 3600
_ABOUT_SECRET = frozenset({"invalid_grant", "invalid_client", "unauthorized_client", "invalid_token"})


@dataclass(frozen=True)
class ServiceAccount:
    """A service account's e-mail address and private key, in PEM."""

    email: str
    private_key: Secret[str]
    key_id: str | None = None

    @property
    def key(self) -> str:
        """Return a name for the pace and the cache that is no secret."""
        return _hashed(f"{self.email}\n{self.private_key.reveal()}")


@dataclass(frozen=True)
class RefreshToken:
    """What a person granted to an OAuth client."""

    client_id: str
    client_secret: Secret[str]
    refresh_token: Secret[str]

    @property
    def key(self) -> str:
        """Return a name for the pace and the cache that is no secret."""
        return _hashed(f"{self.client_id}\n{self.client_secret.reveal()}\n{self.refresh_token.reveal()}")


@dataclass(frozen=True)
class AccessToken:
    """An access token alone: it ends within the hour, and nothing renews it."""

    access_token: Secret[str]

    @property
    def key(self) -> str:
        """Return a name for the pace and the cache that is no secret."""
        return _hashed(self.access_token.reveal())


Grant = ServiceAccount | RefreshToken | AccessToken


@dataclass(frozen=True)
class Access:
    """Whose grant it is, where Google says so, and in how many seconds it ends by itself."""

    subject: str | None
    ends_in_s: int | None = None


class GrantTokens:
    """Get the access tokens of one grant; they are kept with the transport, for all clients of a process."""

    def __init__(self, transport: Transport, grant: Grant) -> None:
        self._transport = transport
        self._grant = grant
        self.key = grant.key

    async def token(self) -> Secret[str]:
        """Return an access token that goes on for a while."""
        if isinstance(self._grant, AccessToken):
            return self._grant.access_token
        kept = self._transport.kept.find(self.key)
        if kept is not None:
            return kept
        found = await self._post("/token", await self._asked(self._grant))
        token, ends_in_s = found.get("access_token"), found.get("expires_in")
        if not isinstance(token, str) or not token or not isinstance(ends_in_s, int):
            raise ProviderUnreadable("Google answered no access token")
        self._transport.kept.keep(self.key, Secret(token), ends_in_s)
        return Secret(token)

    def forget(self) -> bool:
        """Forget the token; tell whether another one can be had."""
        self._transport.kept.forget(self.key)
        return not isinstance(self._grant, AccessToken)

    async def access(self) -> Access:
        """Return whose grant it is: a service account's address, or the subject that Google tells of a token.

        A token is asked for anew: one that is kept goes on for a while after its grant has ended.
        """
        self.forget()
        token = await self.token()
        if isinstance(self._grant, ServiceAccount):
            return Access(self._grant.email.lower())
        found = await self._post("/tokeninfo", {"access_token": token.reveal()})
        ends_in = str(found.get("expires_in") or "")
        is_alone = isinstance(self._grant, AccessToken) and ends_in.isascii() and ends_in.isdigit()
        return Access(str(found.get("sub") or "") or None, int(ends_in) if is_alone else None)

    async def _asked(self, grant: ServiceAccount | RefreshToken) -> dict[str, str]:
        if isinstance(grant, ServiceAccount):
            now_s = int(self._transport.clock.now().timestamp())
            # Reading a private key checks its primes, for a tenth of a second.
            return {"grant_type": _JWT_GRANT, "assertion": await asyncio.to_thread(_assertion, grant, now_s)}
        return {
            "grant_type": "refresh_token",
            "client_id": grant.client_id,
            "client_secret": grant.client_secret.reveal(),
            "refresh_token": grant.refresh_token.reveal(),
        }

    async def _post(self, path: str, form: Mapping[str, str]) -> Json:
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        body = urlencode(form).encode()
        # A second token for one grant does no harm.
        ask = Ask("POST", path, key=self.key, repeat=Repeat.HARMLESS, headers=headers, body=body, host=TOKENS)
        answer = await self._transport.send(ask)
        found, status = json_of(answer.body), answer.status
        if 200 <= status < 300 and found is not None:
            return found
        if 200 <= status < 300:
            raise ProviderUnreadable("Google answered no JSON object where tokens come from")
        word = found.get("error") if found is not None else None
        if status >= 500 or not isinstance(word, str):
            raise ProviderFailed(f"Google answered HTTP {status} where tokens come from", status=status)
        text = str((found or {}).get("error_description") or "")
        kind = SecretRefused if word in _ABOUT_SECRET else ProviderRejected
        raise kind(f"Google refused: {word}", number=word, text=text, status=status)


def service_account(text: str) -> ServiceAccount:
    """Read a service account's key as Google's console gives it; raise SecretRefused for what is none.

    Only the address, the key and its id are taken, and nothing that says where to send them. Whether the key can sign
    is seen when it has to.
    """
    uploaded = json_of(text.encode()) or {}
    email, key_id = uploaded.get("client_email"), uploaded.get("private_key_id")
    private_key = uploaded.get("private_key")
    if uploaded.get("type") != "service_account" or not isinstance(private_key, str) or not _is_address(email):
        raise _no_key("it lacks type service_account, client_email or private_key")
    return ServiceAccount(str(email), Secret(private_key), key_id if isinstance(key_id, str) else None)


def json_of(body: bytes) -> Json | None:
    """Return a JSON object; None for anything else."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _assertion(account: ServiceAccount, now_s: int) -> str:
    from joserfc import jwt

    claims = {"iss": account.email, "scope": SCOPE, "aud": AUDIENCE, "iat": now_s, "exp": now_s + _ASSERTION_S}
    head = {"alg": _ALGORITHM} | ({} if account.key_id is None else {"kid": account.key_id})
    return jwt.encode(head, claims, _imported(account.private_key.reveal()), algorithms=[_ALGORITHM])


def _imported(private_key: str) -> Any:
    """Return a key that can sign; raise SecretRefused without a word of it."""
    from joserfc.errors import JoseError
    from joserfc.jwk import RSAKey

    try:
        key = RSAKey.import_key(private_key)
    except (JoseError, ValueError, TypeError):
        raise _no_key("its private_key is no RSA key in PEM") from None
    if not key.is_private:
        raise _no_key("its private_key is a public one")
    return key


def _no_key(problem: str) -> SecretRefused:
    told = f"this is no key of a service account: {problem}"
    return SecretRefused(told, number=0, text=told)


def _is_address(value: object) -> bool:
    return isinstance(value, str) and "@" in value and value.isascii() and value.isprintable() and len(value) <= 255


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
