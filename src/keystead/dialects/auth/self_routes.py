"""The endpoints of a signed-in person: who am I, password, accounts, sessions, second factor."""

from typing import Annotated

from fastapi import Depends, Path, Request
from starlette.responses import Response

from keystead.dialects.auth import asking, cookies, present, schemas
from keystead.dialects.auth.present import answer
from keystead.dialects.auth.services import Services
from keystead.http.facts import facts_of
from keystead.http.routing import ValidatedEndpoints
from keystead.kit.secret import Secret
from keystead.operations.calls import Call

SessionId = Annotated[str, Path(max_length=64, pattern=r"^[0-9a-f]+$")]


def router(services: Services) -> ValidatedEndpoints:
    """Return the endpoints."""
    routes = ValidatedEndpoints(prefix="/auth", tags=["Oneself"], responses=schemas.failures())
    _add_person(routes, services)
    _add_accounts(routes, services)
    _add_sessions(routes, services)
    _add_second_factor(routes, services)
    return routes


def _add_person(routes: ValidatedEndpoints, services: Services) -> None:
    oneself, who = services.oneself, Depends(asking.caller(services))

    @routes.get("/me", response_model=schemas.Answer)
    async def me(call: Annotated[Call, who]) -> Response:
        """Tell who I am, and where I may work."""
        return answer(present.myself(await oneself.me(call)))

    @routes.post("/change_password", response_model=schemas.Answer)
    async def change_password(request: Request, call: Annotated[Call, who], wanted: schemas.ChangePassword) -> Response:
        """Change my password; every session ends, and this one begins anew with the tokens of the answer."""
        changed = await oneself.change_password(
            call,
            facts_of(request.scope),
            present=Secret(wanted.current_password.get_secret_value()),
            wanted=Secret(wanted.new_password.get_secret_value()),
        )
        return cookies.put(request, answer(present.signed_in(changed)), changed.refresh)


def _add_accounts(routes: ValidatedEndpoints, services: Services) -> None:
    oneself, who = services.oneself, Depends(asking.caller(services))

    @routes.post("/switch_account", response_model=schemas.Answer)
    async def switch_account(request: Request, call: Annotated[Call, who], wanted: schemas.Switch) -> Response:
        """Work in another account I am a member of."""
        token, account_id = await oneself.switch(call, facts_of(request.scope), wanted.account_id)
        return answer({"ok": True, **present.access(token, account_id)})

    @routes.post("/accept_invitation", response_model=schemas.Answer)
    async def accept_invitation(call: Annotated[Call, who], wanted: schemas.Invitation) -> Response:
        """Become a member of the account I was invited to."""
        account_id = await oneself.accept(call, Secret(wanted.invitation.get_secret_value()))
        return answer({"ok": True, "account_id": account_id})


def _add_sessions(routes: ValidatedEndpoints, services: Services) -> None:
    oneself, who = services.oneself, Depends(asking.caller(services))

    @routes.get("/sessions", response_model=schemas.Answer)
    async def list_sessions(call: Annotated[Call, who]) -> Response:
        """List where I am signed in."""
        found = await oneself.list_sessions(call)
        return answer({"ok": True, "sessions": [present.session(one, call.principal.session_id) for one in found]})

    @routes.delete("/sessions", response_model=schemas.Answer)
    async def end_other_sessions(call: Annotated[Call, who]) -> Response:
        """Sign out everywhere else."""
        return answer({"ok": True, "ended": await oneself.end_other_sessions(call)})

    @routes.delete("/sessions/{session_id}", response_model=schemas.Answer)
    async def end_session(call: Annotated[Call, who], session_id: SessionId) -> Response:
        """Sign out somewhere."""
        await oneself.end_session(call, session_id)
        return answer({"ok": True})


def _add_second_factor(routes: ValidatedEndpoints, services: Services) -> None:
    oneself, who = services.oneself, Depends(asking.caller(services))

    @routes.post("/totp/begin", response_model=schemas.Answer)
    async def begin_totp(call: Annotated[Call, who]) -> Response:
        """Get a secret for an authenticator app; nothing is asked for before ``/auth/totp/confirm``."""
        return answer(present.enrolment(await oneself.begin_second_factor(call)))

    @routes.post("/totp/confirm", response_model=schemas.Answer)
    async def confirm_totp(request: Request, call: Annotated[Call, who], wanted: schemas.Code) -> Response:
        """Be asked for a code from now on; the answer has the recovery codes, this once."""
        codes = await oneself.confirm_second_factor(call, facts_of(request.scope), wanted.code)
        return answer(present.recovery_codes(codes))

    @routes.post("/totp/recovery_codes", response_model=schemas.Answer)
    async def renew_codes(request: Request, call: Annotated[Call, who], wanted: schemas.Code) -> Response:
        """Get new recovery codes; those before are void."""
        codes = await oneself.renew_recovery_codes(call, facts_of(request.scope), wanted.code)
        return answer(present.recovery_codes(codes))

    @routes.post("/totp/disable", response_model=schemas.Answer)
    async def disable_totp(request: Request, call: Annotated[Call, who], wanted: schemas.Code) -> Response:
        """Be asked for the password only."""
        await oneself.remove_second_factor(call, facts_of(request.scope), wanted.code)
        return answer({"ok": True})
