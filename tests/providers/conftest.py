from collections.abc import Iterator

import pytest

from tests.support.standins.cloudflare import Cloudflare, cloudflare
from tests.support.standins.namecheap import Namecheap, namecheap


@pytest.fixture
def remote() -> Iterator[Cloudflare]:
    """Serve a Cloudflare."""
    with cloudflare() as standin:
        yield standin


@pytest.fixture
def registrar() -> Iterator[Namecheap]:
    """Serve a Namecheap behind its relay."""
    with namecheap() as standin:
        yield standin
