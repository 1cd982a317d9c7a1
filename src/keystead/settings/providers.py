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
    templates_deletion_percent: int = Field(
        30,
        ge=0,
        le=100,
        description="How much of a zone's records, in percent, a template may delete without being forced.",
    )
    templates_deletions: int = Field(
        10,
        ge=0,
        le=1_000_000,
        description="How many records and redirects a template may delete in all its zones without being forced.",
    )
