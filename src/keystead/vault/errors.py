"""What can go wrong in the vault, beside the common tree (kit/errors.py)."""

from collections.abc import Sequence

from keystead.kit.errors import (
    AlreadyExists,
    Conflict,
    NeedsConfirmation,
    NotFound,
    QuotaExceeded,
    Rejected,
    StorageFailed,
)


class CredentialNotFound(NotFound):
    """No credential with this id is visible to the caller, or it is another provider's."""

    code = "credential_not_found"

    def __init__(self, ident: object) -> None:
        super().__init__("credential", ident)


class ZoneNotFound(NotFound):
    """No zone with this id is visible to the caller."""

    code = "zone_not_found"

    def __init__(self, ident: object) -> None:
        super().__init__("zone", ident)


class ZoneElsewhere(AlreadyExists):
    """Another account has this zone of the provider."""

    code = "zone_elsewhere"


class CredentialRevoked(Conflict):
    """The credential was revoked; activate it, or connect again."""

    code = "credential_revoked"


class CredentialExpired(Conflict):
    """The credential has expired; connect again."""

    code = "credential_expired"


class AlreadyConnected(AlreadyExists):
    """The account holds a credential for this external account; ``credential_id`` says which."""

    code = "already_connected"

    def __init__(self, message: str, *, credential_id: int = 0) -> None:
        super().__init__(message, credential_id=credential_id)
        self.credential_id = credential_id


class ConnectedElsewhere(AlreadyExists):
    """Another account holds a credential for this external account."""

    code = "connected_elsewhere"

    def __init__(self, message: str, *, provider: str = "", external_id: str = "") -> None:
        super().__init__(message, provider=provider, external_id=external_id)
        self.provider = provider
        self.external_id = external_id


class ConnectingAlready(Conflict):
    """Somebody is connecting the same external account at this moment; try again shortly."""

    code = "connecting_already"


class ReplaceUnconfirmed(NeedsConfirmation):
    """The plan allows one external account and another one is connected: a person has to confirm the replacement."""

    code = "replace_unconfirmed"

    def __init__(self, message: str, *, credential_id: int = 0, existing: str = "", wanted: str = "") -> None:
        super().__init__(message, credential_id=credential_id, existing=existing, wanted=wanted)
        self.credential_id = credential_id
        self.existing = existing
        self.wanted = wanted


class TooManyConnected(QuotaExceeded):
    """The account's plan allows no further external account."""

    code = "too_many_connected"

    def __init__(self, message: str, *, limit: int = 0, current: int = 0, plan: str = "") -> None:
        super().__init__(message, limit=limit, current=current, plan=plan)
        self.limit = limit
        self.current = current
        self.plan = plan


class HostsChanged(Conflict):
    """A domain's DNS hosts are others than those that were looked at; read them again and decide anew."""

    code = "hosts_changed"


class BootstrapRefused(Rejected):
    """The provider does not know the bootstrap token; ``number`` and ``text`` are its own words."""

    code = "bootstrap_refused"

    def __init__(self, message: str, *, number: int | str = 0, text: str = "") -> None:
        super().__init__(message, number=number, text=text)
        self.number = number
        self.text = text


class BootstrapEnded(Rejected):
    """The bootstrap token's end has passed."""

    code = "bootstrap_ended"


class BootstrapInactive(Rejected):
    """The provider knows the bootstrap token and says that it is not active; ``status`` is its word for it."""

    code = "bootstrap_inactive"

    def __init__(self, message: str, *, status: str = "") -> None:
        super().__init__(message, status=status)
        self.status = status


class PermissionsMissing(Rejected):
    """The bootstrap token may not give what the working token needs; ``missing`` names all of it."""

    code = "permissions_lacking"

    def __init__(self, message: str, *, missing: Sequence[str] = ()) -> None:
        super().__init__(message, missing=list(missing))
        self.missing = list(missing)


class WorkingTokenRefused(Rejected):
    """The provider made a working token and does not take it; it is deleted again. Try again."""

    code = "working_token_refused"


class NotKept(StorageFailed):
    """What was made at the provider could not be kept; ``token_id`` names it for a person to clean up by."""

    code = "not_kept"

    def __init__(self, message: str, *, token_id: str = "", external_id: str = "") -> None:
        super().__init__(message, token_id=token_id, external_id=external_id)
        self.token_id = token_id
        self.external_id = external_id
