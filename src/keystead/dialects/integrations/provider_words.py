"""What endpoints of providers that are connected by a secret alone say of a failure: the provider is in the words.

They follow Namecheap's words, and tell apart what the document does not: a provider that is away for now is 503 and one
that answers something else than its API 502, on every endpoint.
"""

from collections.abc import Mapping
from typing import Any

from keystead.dialects.integrations.row import Row, Told
from keystead.kit import errors as tree
from keystead.providers import errors as provider
from keystead.vault import errors as vault


def told(error: tree.KeysteadError, name: str) -> Told | None:
    """Return what a provider's endpoint says of a failure in words of its own, or None."""
    match error:
        case vault.CredentialNotFound():
            return Told(Row(404, "key_not_found"))
        case vault.AlreadyConnected():
            return Told(Row(409, f"{name}_key_already_exists"), {"existing_key_id": error.credential_id})
        case provider.FieldMissing():
            return Told(Row(400, f"{error.field}_required"))
        case tree.Invalid() if error.fields:
            return Told(Row(400, f"invalid_{next(iter(error.fields))}"), {"message": error.message})
        case provider.ProviderRejected():
            return _refusal(error, name)
        case provider.ProviderUnavailable():
            return _absence(error, name)
    return None


def refusal(error: provider.ProviderRejected) -> tuple[str, Mapping[str, Any]] | None:
    """Return the word for a secret that its provider does not take, and what is said besides; None for all else."""
    said = {"message": error.text} | ({"provider_code": str(error.number)} if error.number else {})
    match error:
        case provider.SecretRefused():
            return "invalid_api_key", said
        case provider.AddressRefused():
            return "ip_not_whitelisted", said | ({"seen_ip": error.seen} if error.seen else {})
    return None


def _refusal(error: provider.ProviderRejected, name: str) -> Told:
    known = refusal(error)
    if known is not None:
        return Told(Row(400, known[0]), known[1])
    return Told(Row(400, f"{name}_error_{error.number}"), {"message": error.text})


def _absence(error: provider.ProviderUnavailable, name: str) -> Told:
    said = {"message": error.message}
    match error:
        case provider.ProviderBusy():
            retry = {**said, "retryAfter": error.retry_after_s}
            return Told(Row(429, "rate_limit_exceeded", is_recoverable=True), retry)
        case provider.ProviderUnreadable():
            return Told(Row(502, f"{name}_unreadable", is_recoverable=True), said)
    return Told(Row(503, f"{name}_unavailable", is_recoverable=True), said)
