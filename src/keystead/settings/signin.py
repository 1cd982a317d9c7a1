"""Settings of signing in: who may register, what sessions are bound to, which web pages may ask, how mail is sent."""

from typing import Literal

from pydantic import BaseModel, Field

from keystead.settings.values import MailAddress, MailServerUrl, Origins, PublicUrl


class SignInSettings(BaseModel):
    """The fields; how they are read stands in the package."""

    registration: Literal["invitation", "open", "closed"] = Field(
        "invitation",
        description="Who may register: invitation, whom a manager invited; open, anybody; closed, nobody.",
        examples=["open"],
    )
    fingerprint: Literal["ip+ua", "ua", "off"] = Field(
        "ip+ua",
        description="What access tokens of people are bound to: address and browser, the browser alone, or nothing.",
        examples=["ua"],
    )
    cors_origins: Origins = Field(
        (),
        description="Origins of web pages, comma-separated, that may use the API with a person's session.",
        examples=["https://app.example.com"],
    )
    sign_in_url: PublicUrl | None = Field(
        None,
        description="Page that links in mails lead to, with their secret behind #. Unset: mails hold the secret.",
        examples=["https://app.example.com/sign-in"],
    )
    smtp_url: MailServerUrl | None = Field(
        None,
        description="Mail server: smtps://user:password@host or smtp://… with STARTTLS. Unset: no mail, links by hand.",
        examples=["smtps://keystead:secret@mail.example.com:465"],
    )
    smtp_from: MailAddress | None = Field(
        None, description="Sender of mails; needed with KEYSTEAD_SMTP_URL.", examples=["keystead@example.com"]
    )
