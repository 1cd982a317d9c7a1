"""What can go wrong in the vault, beside the common tree (kit/errors.py)."""

from keystead.kit.errors import AlreadyExists, Conflict, NeedsConfirmation, NotFound, QuotaExceeded


class CredentialNotFound(NotFound):
    """No credential with this id is visible to the caller, or it is another provider's."""

    code = "credential_not_found"

    def __init__(self, ident: object) -> None:
        super().__init__("credential", ident)


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
