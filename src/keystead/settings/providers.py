"""Settings of outside providers: where their APIs are, how they are asked, and how the wire of their keys refuses."""

from collections.abc import Mapping
from typing import Literal

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
    provider_namesilo_url: ProviderUrl = Field(
        "https://www.namesilo.com/api",
        description="Base URL of NameSilo's API; https, or http on loopback.",
        examples=["https://sandbox.namesilo.com/api"],
    )
    provider_yandex_metrica_url: ProviderUrl = Field(
        "https://api-metrika.yandex.net",
        description="Base URL of Yandex Metrica's API; https, or http on loopback.",
        examples=["https://api-metrica.yandex.net"],
    )
    provider_yandex_metrica_login_url: ProviderUrl = Field(
        "https://login.yandex.ru",
        description="Base URL at which Yandex tells whose token it is; https, or http on loopback.",
        examples=["http://127.0.0.1:9001"],
    )
    integrations_token_problem: Literal["owner_required", "unauthorized"] = Field(
        "owner_required",
        description="Answer on /integrations to a missing, ended or wrong token: owner_required, 403, as documented; "
        "unauthorized, 401, upon which pages refresh their token.",
        examples=["unauthorized"],
    )

    provider_hosttracker_url: ProviderUrl = Field(
        "https://api2.host-tracker.com",
        description="Base URL of HostTracker's API; https, or http on loopback.",
        examples=["http://127.0.0.1:9001"],
    )
    provider_google_analytics_url: ProviderUrl = Field(
        "https://analyticsdata.googleapis.com",
        description="Base URL of Google Analytics' reports; https, or http on loopback.",
        examples=["http://127.0.0.1:9001"],
    )
    provider_google_analytics_admin_url: ProviderUrl = Field(
        "https://analyticsadmin.googleapis.com",
        description="Base URL of Google Analytics' properties; https, or http on loopback.",
        examples=["http://127.0.0.1:9001"],
    )
    provider_google_analytics_token_url: ProviderUrl = Field(
        "https://oauth2.googleapis.com",
        description="Base URL of where Google's access tokens come from; https, or http on loopback.",
        examples=["http://127.0.0.1:9001"],
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

    @property
    def provider_urls(self) -> Mapping[str, str]:
        """Return every base URL by the provider it is of."""
        urls = {name: getattr(self, name) for name in ProviderSettings.model_fields if name.endswith("_url")}
        return {name.removeprefix("provider_").removesuffix("_url"): url for name, url in urls.items()}
