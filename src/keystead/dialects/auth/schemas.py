"""What the auth wire takes, and what it answers, as pydantic sees it. Fields it does not know are ignored."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, SecretStr

from keystead.http.shapes import Shape

_Text = Annotated[str, Field(max_length=512, pattern=r"^[^\x00]*$")]
_Secret = Annotated[SecretStr, Field(max_length=1024)]


class Body(Shape):
    """A request."""

    model_config = ConfigDict(extra="ignore", strict=True, defer_build=False)


class Register(Body):
    """Somebody wants to register; ``invitation`` is the secret of the link it was invited by."""

    email: _Text
    password: _Secret
    invitation: _Secret | None = None


class Token(Body):
    """The secret of a one-time link."""

    token: _Secret


class Login(Body):
    """Who signs in; ``code`` is one of the second factor, or a recovery code."""

    email: _Text
    password: _Secret
    code: _Text | None = None


class Email(Body):
    """Whose password is to be reset."""

    email: _Text


class NewPassword(Body):
    """The secret of a reset link, and the password to set."""

    token: _Secret
    password: _Secret


class ChangePassword(Body):
    """The present password and the one to set."""

    current_password: _Secret
    new_password: _Secret


class Switch(Body):
    """The account to work in."""

    account_id: Annotated[int, Field(ge=1, le=2**63 - 1)]


class Invitation(Body):
    """The secret of an invitation."""

    invitation: _Secret


class Code(Body):
    """A code of the second factor."""

    code: _Text


class Failure(Shape):
    """What every failure answers; 429 has ``retryAfter`` and ``resetAt`` too, 400 may have ``fields``."""

    ok: bool
    error: str
    message: str
    fields: list[str] | None = None
    retryAfter: int | None = None  # noqa: N815 - the wire's own name
    resetAt: int | None = None  # noqa: N815 - the wire's own name


class Answer(Shape):
    """A success; what else is in it stands in DIALECT.md with an example of each."""

    model_config = ConfigDict(extra="allow")

    ok: bool | None = None
    status: str | None = None


def failures() -> dict[int | str, dict[str, Any]]:
    """Return the documentation of failures."""
    return {status: {"model": Failure} for status in (400, 401, 403, 404, 409, 429, 503)}
