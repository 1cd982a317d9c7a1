"""Cloudflare's API: tokens, accounts, zones and DNS records.

Sources: the official OpenAPI document (BSD-3-Clause, Copyright Cloudflare, Inc.; requests and answers of the tests are
held against a cut of it), and developers.cloudflare.com/fundamentals/api for limits and token forms (read 2026-11).
A token of an account is verified and managed below ``/accounts/{id}/tokens``, one of a user below ``/user/tokens``,
and neither is known on the other's path. What makes something is sent once and never again by itself.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson

from keystead.kit.secret import Secret
from keystead.providers import cloudflare_answers as answers
from keystead.providers.capability import Capability, Provider
from keystead.providers.cloudflare_answers import Json, NewToken, RemoteZone, SeenToken, Verified
from keystead.providers.cloudflare_permissions import Group
from keystead.providers.errors import ProviderRejected, SecretRefused
from keystead.providers.transport import Ask, Repeat, Transport

T = TypeVar("T")

CLOUDFLARE = Provider(
    id="cloudflare",
    title="Cloudflare",
    base_url="https://api.cloudflare.com/client/v4",
    secret_fields=("token",),
    public_fields=("cf_token_id", "cf_token_name", "cf_account_name"),
    capabilities=frozenset({Capability.TOKENS, Capability.ZONES, Capability.RECORDS}),
    errors={
        "HTTP 401 and 403; 1000, 6003, 9106, 9109, 10000": "the token is wrong, has ended, or is not for this",
        "1001 when a token is made": "the bootstrap token may not give one of the permissions",
        "HTTP 429": "the limit is reached; nothing was done, and Retry-After is kept to",
        "HTTP 5xx, or no envelope": "not available for now; what a create may have left is swept",
        "any other": "told by its code and its own sentence",
    },
    limits="1,200 requests in 5 minutes for each token; read from the headers Ratelimit and Retry-After",
    lacks={"cache, redirects, Workers": "not used here yet"},
)

ACCOUNT_OWNED, USER_OWNED = "account", "user"
TOKEN_NAME_LENGTH_MAX = 120
# What the OpenAPI document allows at most.
PAGE_SIZE = 50
RECORDS_PAGE_SIZE = 1000
_PAGES_MAX = 10_000
_USER_TOKEN_PREFIX = "cfut_"  # noqa: S105 - how Cloudflare marks tokens of users since 2026
_NOT_FOUND = 404


@dataclass(frozen=True)
class TokenWish:
    """A token to be made; both moments are whole seconds, as Cloudflare keeps them."""

    name: str
    policies: Sequence[Mapping[str, object]]
    not_before: datetime
    expires_on: datetime

    @property
    def body(self) -> Json:
        """Return the body of the request."""
        return {
            "name": self.name,
            "policies": list(self.policies),
            "not_before": written(self.not_before),
            "expires_on": written(self.expires_on),
        }


class Cloudflare:
    """Call Cloudflare with one token."""

    def __init__(self, transport: Transport, token: Secret[str]) -> None:
        self._transport = transport
        self._token = token
        self._key = hashlib.sha256(token.reveal().encode()).hexdigest()[:16]

    # --- tokens

    async def verify(self, account_id: str) -> Verified:
        """Tell what Cloudflare says of this token; raise SecretRefused when it knows it on neither path."""
        owners = [ACCOUNT_OWNED, USER_OWNED]
        if self._token.reveal().startswith(_USER_TOKEN_PREFIX):
            owners.reverse()
        try:
            return await self._verify(account_id, owners[0])
        except ProviderRejected as refusal:
            try:
                return await self._verify(account_id, owners[1])
            except ProviderRejected:
                raise refusal from None

    async def verify_as(self, account_id: str, owner: str) -> Verified:
        """Do the same for a token whose owner is known."""
        return await self._verify(account_id, owner)

    async def permission_groups(self, account_id: str, owner: str = ACCOUNT_OWNED) -> list[Group]:
        """Return the catalogue of permissions, and which of them this token may give."""
        path = f"{_tokens_path(account_id, owner)}/permission_groups"
        return [answers.group(one) for one in (await self._page(path, {})).items]

    async def create_token(self, account_id: str, wish: TokenWish, owner: str = ACCOUNT_OWNED) -> NewToken:
        """Make a token, once: whoever gets no answer has to look for it by its name and moments (``tokens``)."""
        return answers.new_token(await self._change("POST", _tokens_path(account_id, owner), wish.body))

    async def tokens(self, account_id: str, owner: str = ACCOUNT_OWNED) -> list[SeenToken]:
        """Return all tokens: every page."""
        return await self._all(_tokens_path(account_id, owner), {}, answers.seen_token)

    async def delete_token(self, account_id: str, token_id: str, owner: str = ACCOUNT_OWNED) -> bool:
        """Delete a token; return False when there is none with this id any more."""
        return await self._delete(f"{_tokens_path(account_id, owner)}/{token_id}")

    async def roll_token(self, account_id: str, token_id: str, owner: str = ACCOUNT_OWNED) -> Secret[str]:
        """Give a token a new value and return it; the old one dies at once."""
        value = await self._change("PUT", f"{_tokens_path(account_id, owner)}/{token_id}/value", {})
        return Secret(str(value))

    # --- accounts and zones

    async def account_name(self, account_id: str) -> str:
        """Return the name of an account."""
        found = await self._get(f"/accounts/{account_id}")
        return str(found.get("name", "")) if isinstance(found, dict) else ""

    async def zones(self, account_id: str) -> list[RemoteZone]:
        """Return all zones of an account: every page."""
        return await self._all("/zones", {"account.id": account_id}, answers.zone)

    async def zone(self, zone_id: str) -> RemoteZone:
        """Return one zone."""
        return answers.zone(await self._get(f"/zones/{zone_id}"))

    async def create_zone(self, account_id: str, name: str) -> RemoteZone:
        """Make a zone, once."""
        body = {"account": {"id": account_id}, "name": name, "type": "full"}
        return answers.zone(await self._change("POST", "/zones", body))

    async def delete_zone(self, zone_id: str) -> bool:
        """Delete a zone; return False when there is none with this id any more."""
        return await self._delete(f"/zones/{zone_id}")

    async def check_activation(self, zone_id: str) -> None:
        """Ask Cloudflare to look at a zone's name servers again."""
        await self._change("PUT", f"/zones/{zone_id}/activation_check", None)

    # --- DNS records

    async def records(self, zone_id: str) -> list[Json]:
        """Return all DNS records of a zone, as Cloudflare writes them: every page."""
        return await self._all(f"/zones/{zone_id}/dns_records", {}, dict, size=RECORDS_PAGE_SIZE)

    async def create_record(self, zone_id: str, record: Json) -> Json:
        """Make a DNS record, once."""
        return dict(await self._change("POST", f"/zones/{zone_id}/dns_records", record))

    async def change_record(self, zone_id: str, record_id: str, changes: Json) -> Json:
        """Change some fields of a DNS record."""
        return dict(await self._change("PATCH", f"/zones/{zone_id}/dns_records/{record_id}", changes))

    async def delete_record(self, zone_id: str, record_id: str) -> bool:
        """Delete a DNS record; return False when there is none with this id any more."""
        return await self._delete(f"/zones/{zone_id}/dns_records/{record_id}")

    # --- how

    async def _verify(self, account_id: str, owner: str) -> Verified:
        return answers.verified(await self._get(f"{_tokens_path(account_id, owner)}/verify"), owner)

    async def _get(self, path: str) -> Any:
        answer = await self._transport.send(self._ask("GET", path, Repeat.HARMLESS))
        return answers.result(answer, has_effect=False)

    async def _change(self, method: str, path: str, body: Json | None) -> Any:
        answer = await self._transport.send(self._ask(method, path, Repeat.NEVER, body=body))
        return answers.result(answer, has_effect=True)

    async def _delete(self, path: str) -> bool:
        answer = await self._transport.send(self._ask("DELETE", path, Repeat.HARMLESS))
        try:
            answers.result(answer, has_effect=True)
        except SecretRefused:
            raise
        except ProviderRejected as refusal:
            if refusal.status != _NOT_FOUND:
                raise
            return False
        return True

    async def _page(self, path: str, query: Mapping[str, str]) -> answers.Page:
        return answers.page(await self._transport.send(self._ask("GET", path, Repeat.HARMLESS, query=query)))

    async def _all(
        self, path: str, query: Mapping[str, str], read: Callable[[Any], T], *, size: int = PAGE_SIZE
    ) -> list[T]:
        """Return everything of a list; its last page is the one the answer names, else the first that is not full."""
        found: list[T] = []
        for number in range(1, _PAGES_MAX):
            page = await self._page(path, {**query, "page": str(number), "per_page": str(size)})
            found += [read(item) for item in page.items]
            is_last = page.size < size if page.pages is None else number >= page.pages
            if is_last or not page.items:
                break
        return found

    def _ask(
        self,
        method: str,
        path: str,
        repeat: Repeat,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
    ) -> Ask:
        headers = {"authorization": f"Bearer {self._token.reveal()}", "accept": "application/json"}
        if body is not None:
            headers["content-type"] = "application/json"
        raw = b"" if body is None else orjson.dumps(body)
        return Ask(method, path, key=self._key, repeat=repeat, query=query or {}, headers=headers, body=raw)


def written(moment: datetime) -> str:
    """Return a moment as the API takes it, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _tokens_path(account_id: str, owner: str) -> str:
    return "/user/tokens" if owner == USER_OWNED else f"/accounts/{account_id}/tokens"
