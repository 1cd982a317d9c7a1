"""Every provider there is, for whoever shows, checks or connects them."""

from collections.abc import Mapping
from typing import Any

from keystead.providers import namesilo, yandex_metrica
from keystead.providers.capability import Provider
from keystead.providers.cloudflare import CLOUDFLARE
from keystead.providers.connectable import Connectable
from keystead.providers.namecheap import NAMECHEAP
from keystead.providers.namesilo import NAMESILO
from keystead.providers.yandex_metrica import YANDEX_METRICA

PROVIDERS: tuple[Provider, ...] = (CLOUDFLARE, NAMECHEAP, NAMESILO, YANDEX_METRICA)
# Those that are connected by a secret alone, by id.
CONNECTABLES: Mapping[str, Connectable[Any]] = {
    what.id: what for what in (namesilo.CONNECTABLE, yandex_metrica.CONNECTABLE)
}
