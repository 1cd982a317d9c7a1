"""Settings of the VPN: its ports, what REALITY hides behind, the engine, what is counted and kept."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, FilePath

from keystead.settings.values import (
    FileToWrite,
    Hostnames,
    HostPort,
    ListenAddress,
    Networks,
    PortRange,
    ShortId,
    Tricks,
    XrayAddress,
)

DEFAULT_SHORT_ID = "7bb45050"


class VpnSettings(BaseModel):
    """The fields; how they are read stands in the package."""

    vpn_host: ListenAddress = Field("0.0.0.0", description="Address the VPN listens on.", examples=["::"])
    vpn_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Port of the shared VPN inbound. Chosen once; unset: 443 where permitted, else 8443.",
        examples=[443],
    )
    vpn_ports: PortRange = Field(
        "10001-10100",
        description="TCP ports, first and last, that keys with a port of their own get; open them in the firewall.",
        examples=["10001-12000"],
    )
    vpn_port_grace_s: int = Field(
        7 * 86400,
        ge=0,
        le=366 * 86400,
        description="Seconds for which a port goes on listening after its key got another one.",
        examples=[86400],
    )
    vpn_short_id_bytes: Literal[4, 8] = Field(
        8,
        description="Length of the short ids that keys with a port of their own get; 8 bytes are 16 characters.",
        examples=[4],
    )
    vpn_allow_private: Networks = Field(
        (),
        description="Private or loopback ranges, comma-separated CIDR, that VPN users may reach. Empty: none.",
        examples=["10.20.0.0/16"],
    )
    vpn_allow_smtp: bool = Field(
        False,
        description="Let VPN users reach TCP port 25. Closed by default: it is how servers get listed for spam.",
        examples=["true"],
    )
    vpn_client_versions: Literal["compatible", "strict"] = Field(
        "compatible",
        description="compatible: sing-box and mihomo may connect; strict: only current Xray clients, once an upgrade "
        "is approved.",
        examples=["strict"],
    )
    reality_target: HostPort | None = Field(
        None,
        description="host:port of the TLS 1.3 site REALITY hides behind. Chosen once; unset: one of a pool.",
        examples=["www.example.com:443"],
    )
    reality_server_names: Hostnames = Field(
        (),
        description="Names in links, comma-separated, all valid for the target's certificate. Unset: the target.",
        examples=["www.example.com"],
    )
    reality_common_short_id: ShortId = Field(
        DEFAULT_SHORT_ID,
        validation_alias="REALITY_COMMON_SHORT_ID",
        description="The short id all keys of the shared inbound have: 8 hexadecimal characters. Chosen once.",
        examples=["7bb45050"],
    )
    xray_path: Path | None = Field(
        None, description="An xray binary to use instead of the pinned one.", examples=["/usr/local/bin/xray"]
    )
    xray_api: XrayAddress | None = Field(
        None,
        description="gRPC address of an Xray that somebody else runs (external mode). Unset: Keystead runs its own.",
        examples=["unix:/run/xray/api.sock"],
    )
    xray_config: FileToWrite | None = Field(
        None,
        description="External mode: the configuration file to render, check and swap for that Xray.",
        examples=["/usr/local/etc/xray/config.json"],
    )
    xray_trusted_certificates: FilePath | None = Field(
        None,
        description="PEM file of the authorities the core believes instead of the system's, for a target of your own.",
        examples=["/etc/keystead/authorities.pem"],
    )
    traffic_sync_s: int = Field(
        300, ge=5, le=86400, description="Seconds between background readings of traffic.", examples=[300]
    )
    traffic_hourly_days: int = Field(
        90, ge=2, le=3660, description="Days for which a key's traffic is kept by the hour.", examples=[90]
    )
    traffic_daily_days: int = Field(
        1095, ge=2, le=36600, description="Days for which a key's traffic is kept by the day.", examples=[1095]
    )
    vpn_addresses_kept_s: int = Field(
        0,
        ge=0,
        le=2_592_000,
        description="Seconds a customer's address is kept, in memory only, after it was last seen. 0: while connected.",
        examples=[3600],
    )
    vpn_device_days: int = Field(
        30,
        ge=1,
        le=3660,
        description="Days after which a device that did not fetch its subscription no longer counts towards a limit.",
        examples=[90],
    )
    keeper_without: Tricks = Field(
        (),
        description="Tricks a new keeper does without: lines, dump, borrow, pace, reset, destroy. Empty: none.",
        examples=["destroy"],
    )
    support_url: str | None = Field(
        None,
        description="Where customers find help; shown in apps and on the subscription page.",
        examples=["https://t.me/example"],
    )
    subscription_title: str = Field(
        "VPN", description="Name of the profile in customers' apps.", examples=["Example VPN"]
    )
