"""Every provider there is, for whoever shows, checks or connects them."""

from collections.abc import Mapping
from typing import Any

from keystead.providers import google_analytics, hosttracker, namesilo, yandex_metrica
from keystead.providers.capability import Provider
from keystead.providers.cloudflare import CLOUDFLARE
from keystead.providers.connectable import Connectable
from keystead.providers.google_analytics import GOOGLE_ANALYTICS
from keystead.providers.hosttracker import HOSTTRACKER
from keystead.providers.namecheap import NAMECHEAP
from keystead.providers.namesilo import NAMESILO
from keystead.providers.yandex_metrica import YANDEX_METRICA

PROVIDERS: tuple[Provider, ...] = (
    CLOUDFLARE,
    NAMECHEAP,
    NAMESILO,
    HOSTTRACKER,
    GOOGLE_ANALYTICS,
    YANDEX_METRICA,
)
# Those that are connected by a secret alone, by id.
CONNECTABLES: Mapping[str, Connectable[Any]] = {
    what.id: what
    for what in (
        namesilo.CONNECTABLE,
        hosttracker.CONNECTABLE,
        google_analytics.CONNECTABLE,
        yandex_metrica.CONNECTABLE,
    )
}
