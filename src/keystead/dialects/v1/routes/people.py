"""Accounts and their plans, members, invitations, and what managers do about people's sign-in."""

from typing import Annotated

from fastapi import Path
from starlette.responses import Response

from keystead.access.accountplans import AccountPlan
from keystead.access.accounts import AccountChanges
from keystead.dialects.v1 import people_shapes as shapes
from keystead.dialects.v1 import present
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes.asking import NUMBER_MAX, READ, WRITE, Paged
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints

Number = Annotated[int, Path(ge=1, le=NUMBER_MAX)]


def router(services: Services) -> ValidatedEndpoints:
    """Return the endpoints of accounts and people."""
    routes = ValidatedEndpoints(prefix="/v1", tags=["Accounts and people"])
    _add_accounts(routes, services)
    _add_plans(routes, services)
    _add_members(routes, services)
    _add_sign_in(routes, services)
    return routes


def _add_accounts(routes: ValidatedEndpoints, services: Services) -> None:
    people = services.people

    @routes.get("/account", response_model=shapes.OwnAccount, responses=READ)
    async def get_own_account(call: Caller) -> Response:
        """Show the caller's account and what its plan allows."""
        return answer(shapes.own_account(*await people.own_account(call)))

    @routes.get("/accounts", response_model=shapes.AccountList, responses=READ)
    async def list_accounts(call: Caller, page: Paged) -> Response:
        """List all accounts of the installation."""
        found = await people.list_accounts(call, page)
        return answer(present.numbered([shapes.account(value) for value in found], page))

    @routes.post("/accounts", response_model=shapes.AccountCreated, status_code=201, responses=WRITE)
    async def create_account(call: Caller, wanted: shapes.AccountCreate) -> Response:
        """Create an account, and invite its first owner where one is named."""
        made = await people.create_account(call, name=wanted.name, plan=wanted.plan, owner=wanted.owner)
        return present.created(shapes.account_created(*made))

    @routes.patch("/accounts/{account_id}", response_model=shapes.Account, responses=WRITE)
    async def change_account(call: Caller, account_id: Number, wanted: shapes.AccountChange) -> Response:
        """Rename an account, give it another plan, suspend it or let it in again."""
        changes = AccountChanges(wanted.name, wanted.plan, wanted.is_active)
        return answer(shapes.account(await people.change_account(call, account_id, changes)))


def _add_plans(routes: ValidatedEndpoints, services: Services) -> None:
    people = services.people

    @routes.get("/account-plans", response_model=shapes.AccountPlanList, responses=READ)
    async def list_account_plans(call: Caller) -> Response:
        """List account plans with their limits."""
        found = await people.list_plans(call)
        return answer({"items": [shapes.account_plan(name, limits) for name, limits in found.items()]})

    @routes.patch("/account-plans/{plan}", response_model=shapes.AccountPlanLimits, responses=WRITE)
    async def change_account_plan(call: Caller, plan: AccountPlan, wanted: shapes.LimitsChange) -> Response:
        """Edit limits of a plan; what accounts hold already stays."""
        return answer(shapes.account_plan(plan, await people.set_limits(call, plan, shapes.wanted_limits(wanted))))


def _add_members(routes: ValidatedEndpoints, services: Services) -> None:
    people = services.people

    @routes.delete("/members/{user_id}", status_code=204, responses=WRITE)
    async def remove_member(call: Caller, user_id: Number) -> Response:
        """Take a user who is at home elsewhere out of the caller's account; ``GET /v1/users`` lists members."""
        await people.remove_member(call, user_id)
        return present.empty()

    @routes.get("/invitations", response_model=shapes.InvitationList, responses=READ)
    async def list_invitations(call: Caller, page: Paged) -> Response:
        """List invitations that wait to be accepted."""
        found = await people.list_invitations(call, page)
        return answer(present.numbered([shapes.invitation(value) for value in found], page))

    @routes.post("/invitations", response_model=shapes.MadeInvitation, status_code=201, responses=WRITE)
    async def create_invitation(call: Caller, wanted: shapes.InvitationCreate) -> Response:
        """Invite a person; the secret is in this answer and nowhere else, unless it went by mail."""
        return present.created(shapes.made_link(await people.invite(call, login=wanted.login, role=wanted.role)))

    @routes.delete("/invitations/{invitation_id}", status_code=204, responses=WRITE)
    async def withdraw_invitation(call: Caller, invitation_id: Number) -> Response:
        """Withdraw an invitation that waits."""
        await people.withdraw_invitation(call, invitation_id)
        return present.empty()


def _add_sign_in(routes: ValidatedEndpoints, services: Services) -> None:
    people = services.people

    @routes.post("/users/{user_id}/reset-link", response_model=shapes.MadeInvitation, status_code=201, responses=WRITE)
    async def make_reset_link(call: Caller, user_id: Number) -> Response:
        """Let a user set a new password by a link; the secret is in this answer only, unless it went by mail."""
        return present.created(shapes.made_link(await people.make_reset_link(call, user_id)))

    @routes.get("/users/{user_id}/sessions", response_model=shapes.SessionList, responses=READ)
    async def list_sessions(call: Caller, user_id: Number) -> Response:
        """List where a user is signed in."""
        return answer({"items": [shapes.session(value) for value in await people.list_sessions(call, user_id)]})

    @routes.delete("/users/{user_id}/sessions", response_model=shapes.Ended, responses=WRITE)
    async def end_sessions(call: Caller, user_id: Number) -> Response:
        """Sign a user out everywhere; nothing of it opens anything when the answer arrives."""
        return answer({"ended": await people.end_sessions(call, user_id)})

    @routes.delete("/users/{user_id}/second-factor", status_code=204, responses=WRITE)
    async def remove_second_factor(call: Caller, user_id: Number) -> Response:
        """Take the second factor from a user who lost it; without one nothing changes."""
        await people.remove_second_factor(call, user_id)
        return present.empty()

    @routes.post("/signing-key/rotate", response_model=shapes.SigningKey, responses=WRITE)
    async def rotate_signing_key(call: Caller, wanted: shapes.SigningKeyRotate) -> Response:
        """Sign access tokens with a new key from now on."""
        return answer({"kid": await people.rotate_signing_key(call, is_leaked=wanted.is_leaked)})
