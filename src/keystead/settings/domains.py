"""Settings of the watch over domains: how often providers and DNS are asked, and when people are told."""

from typing import Annotated

from pydantic import BaseModel, Field

from keystead.settings.values import Days


class DomainSettings(BaseModel):
    """The fields; how they are read stands in the package."""

    domain_sync_s: Annotated[int, Field(ge=600)] = Field(
        86_400,
        description="Seconds after which providers and DNS are asked about domains and credentials again.",
        examples=[21_600],
    )
    zone_contents_s: Annotated[int, Field(ge=600)] = Field(
        86_400,
        description="Seconds after which a zone's records and redirects are compared again with what is right there.",
        examples=[21_600],
    )
    alert_days: Days = Field(
        (30, 14, 7, 1),
        description="Days before a domain or a credential ends at which its account's people are told; none: never.",
        examples=["60,30,7"],
    )
    alert_balance: Annotated[int, Field(ge=0)] = Field(
        10,
        description="Balance at a registrar, in the registrar's currency, below which people are told; 0: never.",
        examples=[50],
    )
