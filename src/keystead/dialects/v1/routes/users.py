"""Users, their roles, and the permissions that roles are made of."""

from typing import Annotated

from fastapi import Path, Request
from pydantic import SecretStr
from starlette.responses import Response

from keystead.access import roles
from keystead.access import users as user_verbs
from keystead.access.permissions import ALL_PERMISSIONS, written_permissions
from keystead.dialects.v1 import present, schemas
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes.asking import NUMBER_MAX, READ, WRITE, Paged
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints
from keystead.kit.secret import Secret

UserId = Annotated[int, Path(ge=1, le=NUMBER_MAX)]
RoleName = Annotated[str, Path(pattern=r"^[^\x00]*$")]


def router(services: Services) -> ValidatedEndpoints:
    """Return the endpoints of users, roles and permissions."""
    routes = ValidatedEndpoints(prefix="/v1", tags=["Users and roles"])
    _add_users(routes, services)
    _add_roles(routes, services)
    return routes


def _add_users(routes: ValidatedEndpoints, services: Services) -> None:
    users = services.users

    @routes.get("/users", response_model=schemas.UserList, responses=READ)
    async def list_users(call: Caller, page: Paged) -> Response:
        """List users, disabled ones included."""
        found = await users.list_(call, page)
        return answer(present.numbered([present.user(value) for value in found], page))

    @routes.post("/users", response_model=schemas.User, status_code=201, responses=WRITE)
    async def create_user(request: Request, call: Caller, wanted: schemas.UserCreate) -> Response:
        """Create a user without roles. Honours Idempotency-Key, by the login alone."""
        password = Secret(wanted.password.get_secret_value())

        async def create() -> bytes:
            made = await users.create(call, login=wanted.login, password=password)
            return present.dumped(present.user(made))

        # A digest of the body is kept for repetitions, and a password may not be in anything that is hashed fast.
        return await services.idempotency.once(
            call, request, wanted.login.encode(), create, verb=user_verbs.create, status=201
        )

    @routes.get("/users/{user_id}", response_model=schemas.User, responses=READ)
    async def get_user(call: Caller, user_id: UserId) -> Response:
        """Show a user."""
        return answer(present.user(await users.find(call, user_id)))

    @routes.patch("/users/{user_id}", response_model=schemas.User, responses=WRITE)
    async def change_user(call: Caller, user_id: UserId, changes: schemas.UserChange) -> Response:
        """Disable or enable a user, replace the password, or both at once."""
        changed = await users.change(call, user_id, is_active=changes.is_active, password=_secret(changes.password))
        return answer(present.user(changed))


def _add_roles(routes: ValidatedEndpoints, services: Services) -> None:
    users = services.users

    @routes.get("/roles", response_model=schemas.RoleList, responses=READ)
    async def list_roles(call: Caller) -> Response:
        """List roles."""
        return answer({"items": [present.role(value) for value in await users.list_roles(call)]})

    @routes.post("/roles", response_model=schemas.Role, status_code=201, responses=WRITE)
    async def create_role(request: Request, call: Caller, wanted: schemas.RoleCreate) -> Response:
        """Create a role. Honours Idempotency-Key."""

        async def create() -> bytes:
            made = await users.create_role(call, name=wanted.name, permissions=wanted.permissions)
            return present.dumped(present.role(made))

        return await services.idempotency.once(
            call, request, await request.body(), create, verb=roles.create, status=201
        )

    @routes.get("/users/{user_id}/roles", response_model=schemas.RoleList, responses=READ)
    async def list_roles_of_user(call: Caller, user_id: UserId) -> Response:
        """List a user's roles."""
        found = await users.list_roles_of_user(call, user_id)
        return answer({"items": [present.role(value) for value in found]})

    @routes.put("/users/{user_id}/roles/{name}", status_code=204, responses=WRITE)
    async def assign_role(call: Caller, user_id: UserId, name: RoleName) -> Response:
        """Give a user a role; once more changes nothing."""
        await users.assign_role(call, user_id, name)
        return present.empty()

    @routes.delete("/users/{user_id}/roles/{name}", status_code=204, responses=WRITE)
    async def withdraw_role(call: Caller, user_id: UserId, name: RoleName) -> Response:
        """Take a role from a user; once more changes nothing."""
        await users.withdraw_role(call, user_id, name)
        return present.empty()

    @routes.get("/permissions", response_model=schemas.Permissions, responses=READ)
    async def list_permissions(call: Caller) -> Response:
        """List every permission there is."""
        return answer({"items": written_permissions(ALL_PERMISSIONS)})


def _secret(given: SecretStr | None) -> Secret[str] | None:
    return None if given is None else Secret(given.get_secret_value())
