"""Settings of the instance itself: what it keeps where, how it is reached, its keys, its log."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from keystead.kit.log import LogFormat
from keystead.settings.values import ApiSecret, DatabaseUrl, Doors, Host, ListenAddress, Networks, PublicUrl, RootKey


class ServingSettings(BaseModel):
    """The fields; how they are read stands in the package."""

    data_dir: Path = Field(
        Path("var"),
        description="Directory of everything this instance keeps: database, root key, sockets, logs. Mode 0700.",
        examples=["/var/lib/keystead"],
    )
    host: ListenAddress = Field("127.0.0.1", description="Address the API listens on.", examples=["0.0.0.0"])
    port: int = Field(8000, ge=1, le=65535, description="TCP port the API listens on.", examples=[8000])
    doors: Doors = Field(
        (),
        description="Where dialects answer, comma-separated: dialect=address:port, dialect=/prefix or both. A dialect "
        "that is named answers there alone; empty: all of them at KEYSTEAD_PORT.",
        examples=["vpnkeys=127.0.0.1:8001,veil=/veil"],
    )
    database_url: DatabaseUrl | None = Field(
        None,
        description="SQLAlchemy URL. Unset: SQLite in the data directory. PostgreSQL goes through psycopg 3.",
        examples=["postgresql+psycopg://keystead@/keystead?host=/run/postgresql"],
    )
    database_synchronous: Literal["FULL", "NORMAL"] = Field(
        "FULL",
        description="SQLite only: FULL survives a power cut with the last commit; NORMAL may lose it.",
        examples=["FULL"],
    )
    public_host: Host | None = Field(
        None,
        description="Host name or address that customers' links carry. Chosen once; unset: this machine's own address.",
        examples=["vpn.example.com"],
    )
    public_url: PublicUrl | None = Field(
        None,
        description="Base URL at which customers reach subscriptions. Unset: the API's own scheme, host and port.",
        examples=["https://sub.example.com"],
    )
    trusted_proxies: Networks = Field(
        (),
        description="Addresses or CIDR ranges, comma-separated, whose X-Forwarded-For and -Proto are believed.",
        examples=["127.0.0.1,10.0.0.0/8"],
    )
    tls: Literal["off", "self-signed", "files"] = Field(
        "off", description="How the API's own port speaks TLS.", examples=["self-signed"]
    )
    tls_certificate: Path | None = Field(
        None, description="Certificate chain in PEM, for KEYSTEAD_TLS=files.", examples=["/etc/keystead/fullchain.pem"]
    )
    tls_key: Path | None = Field(
        None, description="Private key in PEM, for KEYSTEAD_TLS=files.", examples=["/etc/keystead/privkey.pem"]
    )
    allow_plain_http: bool = Field(
        False,
        description="Serve plain HTTP on an address that others can reach, although tokens then travel in the clear.",
        examples=["true"],
    )
    cache_dir: Path | None = Field(
        None,
        description="Where built engines are kept. Unset: the user's cache directory.",
        examples=["/var/cache/keystead"],
    )
    root_key: RootKey | None = Field(
        None,
        description="Root key as base64 of 32 bytes. Unset: the file root.key in the data directory.",
        examples=["$(openssl rand -base64 32)"],
    )
    root_key_previous: RootKey | None = Field(
        None,
        description="During a rotation of a root key that is set: the one that is being replaced.",
        examples=["(the old one)"],
    )
    api_secret_key: ApiSecret | None = Field(
        None,
        validation_alias="API_SECRET_KEY",
        description="A token of the account default with VPN permissions, while it is set. At least 32 characters.",
        examples=["$(openssl rand -hex 32)"],
    )
    webhook_allow_private: Networks = Field(
        (),
        description="Private or loopback ranges, comma-separated CIDR, that webhooks may be sent to. Empty: none.",
        examples=["10.20.0.0/16"],
    )
    webhook_allow_http: bool = Field(
        False,
        description="Let webhooks be sent without TLS to public addresses too; allowed private ranges need none.",
        examples=["true"],
    )
    rate_limits: Literal["on", "off"] = Field(
        "on", description="Hold tokens to the limits a minute that a wire documents.", examples=["off"]
    )
    log_format: LogFormat = Field(
        "auto", description="auto: readable on a terminal, JSON elsewhere.", examples=["json"]
    )
