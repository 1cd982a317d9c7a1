"""What goes wrong when people sign in; codes are those that clients tell apart."""

from keystead.kit.errors import Forbidden, Invalid, Unauthenticated


class WrongCredentials(Unauthenticated):
    """The login or the password is wrong; which of them is not said."""

    code = "invalid_credentials"


class SecondFactorNeeded(Unauthenticated):
    """The password is right, and a code of the second factor has to come with it."""

    code = "totp_required"


class WrongSecondFactor(Unauthenticated):
    """The code is wrong, or it was used before."""

    code = "totp_invalid"


class SessionOver(Unauthenticated):
    """The session has ended, or there never was one: sign in again."""

    code = "session_ended"


class RefreshReused(SessionOver):
    """A refresh token came back that had long been replaced, so somebody else has a copy: the session was ended."""

    code = "session_hijack_detected"


class AccessTokenOver(Unauthenticated):
    """The access token is older than its fifteen minutes: refresh."""

    code = "token_expired"


class AccessTokenWrong(Unauthenticated):
    """The access token was not made here, or not for this."""

    code = "token_invalid"


class FingerprintMismatch(Unauthenticated):
    """The access token was made for another browser or address."""

    code = "fingerprint_mismatch"


class RegistrationClosed(Forbidden):
    """Nobody may register here, or only who was invited."""

    code = "registration_closed"


class LinkOver(Invalid):
    """The link is unknown, was used, or its time is over: ask for another."""

    code = "link_invalid"
