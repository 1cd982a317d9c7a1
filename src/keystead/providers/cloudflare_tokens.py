"""Cloudflare's tokens and accounts.

A token of an account is verified and managed below ``/accounts/{id}/tokens``, one of a user below ``/user/tokens``, and
neither is known on the other's path.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from keystead.kit.secret import Secret
from keystead.providers import cloudflare_answers as answers
from keystead.providers.cloudflare_answers import Json, NewToken, SeenToken, Verified
from keystead.providers.cloudflare_calls import Calls
from keystead.providers.cloudflare_permissions import Group, Policy
from keystead.providers.errors import ProviderRejected

ACCOUNT_OWNED, USER_OWNED = "account", "user"
TOKEN_NAME_LENGTH_MAX = 120
_USER_TOKEN_PREFIX = "cfut_"  # noqa: S105 - how Cloudflare marks tokens of users since 2026


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


class Tokens(Calls):
    """What is asked about tokens and accounts."""

    async def verify(self, account_id: str) -> Verified:
        """Tell what Cloudflare says of this token; raise SecretRefused when it knows it on neither path."""
        owners = [ACCOUNT_OWNED, USER_OWNED]
        if self._token.reveal().startswith(_USER_TOKEN_PREFIX):
            owners.reverse()
        try:
            return await self.verify_as(account_id, owners[0])
        except ProviderRejected as refusal:
            try:
                return await self.verify_as(account_id, owners[1])
            except ProviderRejected:
                raise refusal from None

    async def verify_as(self, account_id: str, owner: str) -> Verified:
        """Do the same for a token whose owner is known."""
        return answers.verified(await self._get(f"{_tokens_path(account_id, owner)}/verify"), owner)

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

    async def policies(self, account_id: str, token_id: str, owner: str = ACCOUNT_OWNED) -> list[Policy]:
        """Return what a token may do; raise SecretRefused where this one may not read that, be it of itself."""
        return answers.policies(await self._get(f"{_tokens_path(account_id, owner)}/{token_id}"))

    async def delete_token(self, account_id: str, token_id: str, owner: str = ACCOUNT_OWNED) -> bool:
        """Delete a token; return False when there is none with this id any more."""
        return await self._delete(f"{_tokens_path(account_id, owner)}/{token_id}")

    async def roll_token(self, account_id: str, token_id: str, owner: str = ACCOUNT_OWNED) -> Secret[str]:
        """Give a token a new value and return it; the old one dies at once."""
        value = await self._change("PUT", f"{_tokens_path(account_id, owner)}/{token_id}/value", {})
        return Secret(str(value))

    async def account_name(self, account_id: str) -> str:
        """Return the name of an account."""
        found = await self._get(f"/accounts/{account_id}")
        return str(found.get("name", "")) if isinstance(found, dict) else ""


def written(moment: datetime) -> str:
    """Return a moment as the API takes it, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _tokens_path(account_id: str, owner: str) -> str:
    return "/user/tokens" if owner == USER_OWNED else f"/accounts/{account_id}/tokens"
