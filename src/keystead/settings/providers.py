"""Settings of outside providers: where their APIs are, and how the wire of their keys refuses a token."""

from typing import Literal

from pydantic import BaseModel, Field

from keystead.settings.values import ProviderUrl


class ProviderSettings(BaseModel):
    """The fields; how they are read stands in the package."""

    provider_cloudflare_url: ProviderUrl = Field(
        "https://api.cloudflare.com/client/v4",
        description="Base URL of Cloudflare's API; https, or http on loopback.",
        examples=["http://127.0.0.1:9001/client/v4"],
    )
    provider_namecheap_url: ProviderUrl = Field(
        "https://api.namecheap.com",
        description="Base URL of Namecheap's API for direct requests; a relay has a URL of its own.",
        examples=["https://api.sandbox.namecheap.com"],
    )
    integrations_token_problem: Literal["owner_required", "unauthorized"] = Field(
        "owner_required",
        description="Answer on /integrations to a missing, ended or wrong token: owner_required, 403, as documented; "
        "unauthorized, 401, upon which pages refresh their token.",
        examples=["unauthorized"],
    )
