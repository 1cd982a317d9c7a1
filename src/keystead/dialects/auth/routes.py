"""The endpoints that strangers use: register, sign in, refresh, sign out, reset."""

from fastapi import Depends, Request
from starlette.responses import Response

from keystead.dialects.auth import cookies, present, schemas
from keystead.dialects.auth.present import answer
from keystead.dialects.auth.services import Services
from keystead.http.facts import facts_of
from keystead.http.routing import ValidatedEndpoints
from keystead.kit.errors import Unauthenticated
from keystead.kit.secret import Secret
from keystead.operations.access.signin import Credentials


def router(services: Services) -> ValidatedEndpoints:
    """Return the endpoints."""
    own_pages = Depends(cookies.own_pages(services))
    routes = ValidatedEndpoints(
        prefix="/auth", tags=["Signing in"], responses=schemas.failures(), dependencies=[own_pages]
    )
    _add_registering(routes, services)
    _add_signing_in(routes, services)
    _add_resetting(routes, services)
    return routes


def _add_registering(routes: ValidatedEndpoints, services: Services) -> None:
    signing_in = services.signing_in

    @routes.post("/register", response_model=schemas.Answer)
    async def register(request: Request, wanted: schemas.Register) -> Response:
        """Register, where the installation lets you; the answer or a mail has the token for ``/auth/verify``."""
        given = Credentials(wanted.email, Secret(wanted.password.get_secret_value()))
        invitation = None if wanted.invitation is None else Secret(wanted.invitation.get_secret_value())
        return answer(present.pending(await signing_in.register(facts_of(request.scope), given, invitation)))

    @routes.post("/verify", response_model=schemas.Answer)
    async def verify(request: Request, wanted: schemas.Token) -> Response:
        """Complete a registration with its token, and sign in."""
        opened = await signing_in.verify(facts_of(request.scope), Secret(wanted.token.get_secret_value()))
        return cookies.put(request, answer(present.verified(opened)), opened.refresh)


def _add_signing_in(routes: ValidatedEndpoints, services: Services) -> None:
    signing_in = services.signing_in

    @routes.post("/login", response_model=schemas.Answer)
    async def login(request: Request, wanted: schemas.Login) -> Response:
        """Sign in. Where a second factor is on, 401 ``totp_required`` asks for ``code``."""
        given = Credentials(wanted.email, Secret(wanted.password.get_secret_value()), wanted.code)
        opened = await signing_in.sign_in(facts_of(request.scope), given)
        return cookies.put(request, answer(present.signed_in(opened)), opened.refresh)

    @routes.post("/refresh", response_model=schemas.Answer)
    async def refresh(request: Request) -> Response:
        """Exchange the refresh cookie for a new one and an access token."""
        token = cookies.presented(request)
        if token is None:
            raise Unauthenticated("there is no refresh cookie; sign in")
        renewed = await signing_in.refresh(facts_of(request.scope), token)
        return cookies.put(request, answer(present.refreshed(renewed)), renewed.refresh)

    @routes.post("/logout", response_model=schemas.Answer)
    async def logout(request: Request) -> Response:
        """Sign out: end the session of the refresh cookie, and of the access token if there is one."""
        token = cookies.presented(request)
        if token is not None:
            await signing_in.sign_out(facts_of(request.scope), token)
        await _end_bearers(request, services)
        return cookies.take(request, answer({"status": "ok"}))


def _add_resetting(routes: ValidatedEndpoints, services: Services) -> None:
    signing_in = services.signing_in

    @routes.post("/reset_password", response_model=schemas.Answer)
    async def reset_password(request: Request, wanted: schemas.Email) -> Response:
        """Ask for a link to set a new password; the answer does not tell whether the address is known."""
        await signing_in.request_reset(facts_of(request.scope), wanted.email)
        return answer(present.reset_asked(signing_in.has_mail))

    @routes.post("/confirm_password", response_model=schemas.Answer)
    async def confirm_password(request: Request, wanted: schemas.NewPassword) -> Response:
        """Set a new password by a link; every session of the user ends."""
        token, password = wanted.token.get_secret_value(), wanted.password.get_secret_value()
        await signing_in.reset(facts_of(request.scope), Secret(token), Secret(password))
        return cookies.take(request, answer({"status": "ok"}))


async def _end_bearers(request: Request, services: Services) -> None:
    """End the session of an access token; one that is over has nothing to end."""
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return
    try:
        call = await services.admission.by_token(credential.strip(), facts_of(request.scope))
    except Unauthenticated:
        return
    if call.principal.session_id is not None:
        await services.oneself.end_session(call)
