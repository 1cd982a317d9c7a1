"""What can go wrong between Keystead and a provider. No message holds a URL or anything that was sent."""

from keystead.kit.errors import Misconfigured, Rejected, Unavailable


class ProviderUnavailable(Unavailable):
    """A provider did not answer, or not for now; ``may_have_landed`` says that it may have acted all the same."""

    code = "provider_unavailable"

    def __init__(
        self, message: str, *, may_have_landed: bool = False, is_time: bool = False, retry_after_s: int = 5
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.may_have_landed = may_have_landed
        self.is_time = is_time


class ProviderBusy(ProviderUnavailable):
    """A provider's limit on requests is reached; the request was not carried out.

    ``status`` is 429 when the provider said so, and 0 when nothing was asked.
    """

    code = "provider_busy"

    def __init__(self, message: str, *, retry_after_s: int = 60, status: int = 0) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.status = status


class ProviderUnreadable(ProviderUnavailable):
    """A provider answered something that is not of its API."""

    code = "provider_unreadable"


class ProviderFailed(ProviderUnavailable):
    """A provider, or the relay on the way to it, answered an HTTP status that is not of its API."""

    code = "provider_failed"

    def __init__(self, message: str, *, status: int = 0, may_have_landed: bool = False, retry_after_s: int = 5) -> None:
        super().__init__(message, may_have_landed=may_have_landed, retry_after_s=retry_after_s)
        self.status = status


class ProviderRejected(Rejected):
    """A provider refused in words of its own; ``number`` is its code and ``text`` its sentence."""

    code = "provider_rejected"

    def __init__(self, message: str, *, number: int | str = 0, text: str = "", status: int = 0) -> None:
        super().__init__(message, number=number, text=text)
        self.number = number
        self.text = text
        self.status = status


class SecretRefused(ProviderRejected):
    """A provider does not know the secret, or not for this."""

    code = "secret_refused"


class AlreadyThere(ProviderRejected):
    """A provider has one like it already."""

    code = "already_there"


class NotThere(ProviderRejected):
    """A provider has none with this id."""

    code = "not_there"


class AddressRefused(ProviderRejected):
    """A provider does not take requests from the address they came from."""

    code = "address_refused"


class NoWay(Misconfigured):
    """The provider answers to fixed addresses only, and neither a relay nor a direct way is set."""

    code = "no_way"
