"""The native API's shapes of connecting what takes more than a secret: Cloudflare's accounts and Namecheap's users."""

from typing import Any

from pydantic import Field

from keystead.dialects.v1.bases import Answer, Body
from keystead.dialects.v1.joined_shapes import Connected
from keystead.kit.secret import Secret
from keystead.operations.providers.cloudflare import Application, Result
from keystead.operations.providers.namecheap import USERNAME_LENGTH_MAX
from keystead.providers.cloudflare_permissions import Profile
from keystead.vault.credentialvalue import ALIAS_LENGTH_MAX

_SECRET_LENGTH_MAX = 512


def _secret(hint: str) -> Any:
    """Return a field for a secret that goes into a header or a query: visible ASCII."""
    return Field(min_length=1, max_length=_SECRET_LENGTH_MAX, pattern=r"^[!-~]+$", description=hint)


def _profile() -> Any:
    return Field(Profile.DOCUMENTED, strict=False, description="Which permissions the working token gets")


class CloudflareConnect(Body):
    """What connects an account of Cloudflare."""

    # It goes into a path at Cloudflare.
    account_id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="The account's id, as its dashboard shows it")
    bootstrap_token: str = _secret("A token that may make tokens; it is deleted once the working token is there")
    alias: str | None = Field(None, max_length=ALIAS_LENGTH_MAX, description="Name for people")
    profile: Profile = _profile()
    may_replace: bool = Field(
        False, description="Whether the account may take the place of another where the plan allows one alone"
    )


class CloudflareRotate(Body):
    """What gives a connected account of Cloudflare a new working token."""

    bootstrap_token: str = _secret("A token that may make tokens; it is deleted once the working token is there")
    profile: Profile = _profile()


class ZonesRead(Answer):
    """What was read of zones when the account was connected."""

    zones: int
    domains: int
    foreign: list[str] = Field(description="Zones that another account here has, which were left out")


class CloudflareConnected(Connected):
    """A credential for an account of Cloudflare, without its secret."""

    is_rotation: bool = Field(description="Whether a key that was there has got a new token")
    synced: ZonesRead | None = Field(description="null: they were read before, or could not be read yet")
    sync_problem: str | None = Field(description="Why zones could not be read; they are read later")
    warnings: list[str] = Field(description="What is still at Cloudflare", examples=[["bootstrap_not_deleted"]])


class NamecheapConnect(Body):
    """What connects a user of Namecheap."""

    username: str = Field(min_length=1, max_length=USERNAME_LENGTH_MAX, pattern=r"\S")
    api_key: str = _secret("The API key, from the page API Access")
    alias: str | None = Field(None, max_length=ALIAS_LENGTH_MAX, description="Name for people")


def application(wanted: CloudflareConnect) -> Application:
    """Return what a body says."""
    return Application(
        wanted.account_id, Secret(wanted.bootstrap_token), wanted.alias or None, may_replace=wanted.may_replace
    )


def cloudflare_connected(result: Result, head: dict[str, Any]) -> dict[str, Any]:
    """Present a connected account; ``head`` is the credential as every provider's is presented."""
    synced = result.synced
    return {
        **head,
        "is_rotation": result.is_rotation,
        "synced": None
        if synced is None
        else {"zones": synced.zones, "domains": synced.domains, "foreign": list(synced.foreign)},
        "sync_problem": result.sync_problem,
        "warnings": [left.value for left in result.left],
    }
