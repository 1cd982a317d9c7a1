"""Settings of outside providers: where their APIs are, how fast they are asked, and whom to ask about domains."""

from pydantic import BaseModel, Field

from keystead.settings.values import Addresses, ProviderUrl


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
    provider_namecheap_a_minute: int = Field(
        20,
        ge=1,
        description="Requests to Namecheap in a minute for each of its users; Namecheap allows about twenty.",
        examples=[50],
    )
    dns_resolvers: Addresses = Field(
        (),
        description="Addresses of resolvers that are asked about domains; none named are the machine's own.",
        examples=["9.9.9.9,149.112.112.112"],
    )
    dns_port: int = Field(
        53,
        ge=1,
        le=65535,
        description="Port at which resolvers and name servers are asked; another one is for tests.",
        examples=[5353],
    )
