"""Every provider there is, for whoever shows or checks them."""

from keystead.providers.capability import Provider
from keystead.providers.cloudflare import CLOUDFLARE
from keystead.providers.namecheap import NAMECHEAP

PROVIDERS: tuple[Provider, ...] = (CLOUDFLARE, NAMECHEAP)
