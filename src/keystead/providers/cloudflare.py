"""Cloudflare's API: what Keystead uses of it, declared, and the client.

Sources: the official OpenAPI document (BSD-3-Clause, Copyright Cloudflare, Inc.; requests and answers of the tests are
held against a cut of it), and developers.cloudflare.com/fundamentals/api for limits and token forms (read 2026-11).
"""

from keystead.providers.capability import Capability, Provider
from keystead.providers.cloudflare_records import Records
from keystead.providers.cloudflare_tokens import Tokens
from keystead.providers.cloudflare_zones import Zones

CLOUDFLARE = Provider(
    id="cloudflare",
    title="Cloudflare",
    base_url="https://api.cloudflare.com/client/v4",
    secret_fields=("token",),
    public_fields=("cf_token_id", "cf_token_name", "cf_account_name"),
    capabilities=frozenset(
        {Capability.TOKENS, Capability.ZONES, Capability.RECORDS, Capability.SETTINGS, Capability.CACHE}
    ),
    errors={
        "HTTP 401 and 403; 1000, 6003, 9106, 9109, 10000": "the token is wrong, has ended, or is not for this",
        "1001 when a token is made": "the bootstrap token may not give one of the permissions",
        "1061; 81057, 81058": "there is such a zone, or such a record, already",
        "HTTP 429": "the limit is reached; nothing was done, and Retry-After is kept to",
        "HTTP 5xx, or no envelope": "not available for now; what a create may have left is swept, or found by its name",
        "any other": "told by its code and its own sentence",
    },
    limits="1,200 requests in 5 minutes for each token; read from the headers Ratelimit and Retry-After",
    lacks={"redirects, Workers": "not used here yet"},
)


class Cloudflare(Tokens, Zones, Records):
    """Call Cloudflare with one token."""
