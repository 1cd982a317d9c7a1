"""Profiles and views the subscription tests share."""

from datetime import UTC, datetime

from keystead.dialects.subscription.app import DeviceRefused, SubscriptionView
from keystead.kit.errors import KeysteadError, NotFound
from keystead.operations.vpn.polling import Poll
from keystead.vpn.families import Family
from keystead.vpn.values import ClientProfile, Usage

TOKEN = "ks_sub_4Jq0cXv1wZr7Nn2Kp9Lm3Yt6Hd8Fs5Gb1Qe4Wu7Ti0X_3k9Zx2"
URL = f"https://keys.example.com/sub/{TOKEN}"
PHONE = ClientProfile(
    host="vpn.example.com",
    port=8443,
    uuid="123e4567-e89b-12d3-a456-426614174000",
    flow="xtls-rprx-vision",
    public_key="Z84J2IelR9ch3k8VtlVhhs5ycBUlXA7wHBWcBrjqnAw",
    short_id="7e450505",
    server_name="www.example.com",
    name="Аня 📱 / home #1",
)
LAPTOP = ClientProfile(
    host="2001:db8::1",
    port=443,
    uuid="9d3a6c1e-5b7f-4f3e-8a55-1c2d3e4f5a6b",
    flow="",
    public_key="Z84J2IelR9ch3k8VtlVhhs5ycBUlXA7wHBWcBrjqnAw",
    short_id="",
    server_name="www.example.com",
    fingerprint="firefox",
)
USAGE = Usage(1_000, 2_000_000, total_quota=10_000_000_000, expires_at=datetime(2027, 3, 7, 12, tzinfo=UTC))


def view(
    *,
    title: str = "Северный мост",
    profiles: tuple[ClientProfile, ...] = (PHONE,),
    usage: Usage = USAGE,
    is_active: bool = True,
    support_url: str | None = "https://t.me/example",
    devices: tuple[int, int] | None = None,
    refused: frozenset[Family] = frozenset(),
) -> SubscriptionView:
    """Return a view of one subscription."""
    return SubscriptionView(profiles, usage, title, 12, is_active, URL, support_url, devices, refused)


class Backend:
    """One known token; ``failure`` is raised instead when set."""

    def __init__(self, known: SubscriptionView | DeviceRefused, failure: KeysteadError | None = None) -> None:
        self.known = known
        self.failure = failure
        self.asked: list[Poll] = []

    async def fetch(self, poll: Poll) -> SubscriptionView | DeviceRefused:
        self.asked.append(poll)
        if self.failure:
            raise self.failure
        if poll.token != TOKEN:
            raise NotFound("subscription", "of this token")
        return self.known
