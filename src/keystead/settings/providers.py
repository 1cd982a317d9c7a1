"""Settings of outside providers: where their APIs are."""

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
