"""Real services instead of stand-ins: ``make live PROVIDER=…`` runs ``test_live_<provider>.py`` with one's own keys.

Keys come from the environment only. A provider here has tests that read, or clean up after themselves; the
same tests run with the stand-in whenever nothing is chosen.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from keystead.kit.secret import Secret

CHOSEN = "KEYSTEAD_LIVE"


@dataclass(frozen=True)
class Keys:
    """What a person sets for a provider: names of environment variables, and what each is; and where its tests are."""

    needed: Mapping[str, str]
    optional: Mapping[str, str] = field(default_factory=dict)
    tests: str = ""


# Where the one secret of a provider stands that nothing else connects.
ONLY = {
    "namesilo": "KEYSTEAD_LIVE_NAMESILO_KEY",
    "hosttracker": "KEYSTEAD_LIVE_HOSTTRACKER_TOKEN",
    "google_analytics": "KEYSTEAD_LIVE_GOOGLE_ANALYTICS_KEY_FILE",
    "yandex_metrica": "KEYSTEAD_LIVE_YANDEX_METRICA_TOKEN",
}
_MEANING = {
    "namesilo": "an API key; it is only read with",
    "hosttracker": "an API token with the scopes account and monitor; it is only read with",
    "google_analytics": "the file of a service account's key, which views at least one property",
    "yandex_metrica": "an OAuth token with the right metrika:read",
}
_URLS = {"namesilo": "https://sandbox.namesilo.com/api for a key of its sandbox"}


PROVIDERS = {
    "cloudflare": Keys(
        {
            "KEYSTEAD_LIVE_CLOUDFLARE_ACCOUNT": "the account's id, 32 hexadecimal characters",
            "KEYSTEAD_LIVE_CLOUDFLARE_TOKEN": "a bootstrap token (docs/providers/cloudflare.md); it is not deleted",
        },
        {"KEYSTEAD_LIVE_CLOUDFLARE_ZONE": "a zone of the account in which a TXT record is made, changed and deleted"},
    ),
    "namecheap": Keys(
        {
            "KEYSTEAD_LIVE_NAMECHEAP_USER": "a user of sandbox.namecheap.com, or of the real one",
            "KEYSTEAD_LIVE_NAMECHEAP_KEY": "its API key",
            "KEYSTEAD_LIVE_NAMECHEAP_IP": "this machine's address, which is on the user's list",
        },
        {"KEYSTEAD_PROVIDER_NAMECHEAP_URL": "https://api.namecheap.com instead of the sandbox; it is only read from"},
    ),
    **{
        name: Keys(
            {variable: _MEANING[name]},
            {f"KEYSTEAD_PROVIDER_{name.upper()}_URL": _URLS[name]} if name in _URLS else {},
            tests="others",
        )
        for name, variable in ONLY.items()
    },
}


def chosen() -> str | None:
    """Return the provider whose real service is asked, or None for stand-ins."""
    return os.environ.get(CHOSEN)


def value(name: str, default: str = "") -> str:
    """Return what is set."""
    return os.environ.get(name) or default


def secret(name: str) -> Secret[str]:
    """Return a key that is set, in no message of a test that fails."""
    return Secret(os.environ[name])


def main(arguments: list[str]) -> int:
    """Run a provider's tests against its real service; 2 when something is missing, said on standard error."""
    name = arguments[0] if len(arguments) == 1 else ""
    keys = PROVIDERS.get(name)
    if keys is None:
        print(f"usage: make live PROVIDER={'|'.join(PROVIDERS)}", file=sys.stderr)
        return 2
    missing = [variable for variable in keys.needed if not value(variable)]
    if missing:
        print(f"make live PROVIDER={name} asks the real {name} and needs keys of your own. Set:", file=sys.stderr)
        for variable in missing:
            print(f"  {variable}  {keys.needed[variable]}", file=sys.stderr)
        for variable, meaning in keys.optional.items():
            print(f"  {variable}  (optional) {meaning}", file=sys.stderr)
        return 2
    os.environ[CHOSEN] = name
    tests = Path(__file__).with_name(f"test_live_{keys.tests or name}.py")
    return int(pytest.main([str(tests), "-p", "no:randomly", "--tb=short", "-v"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
