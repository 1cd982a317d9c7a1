"""The instance itself: health, the caller, the doctor, and the keys that seal secrets."""

from starlette.responses import Response

from keystead.dialects.v1 import present, schemas
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes.asking import READ, WRITE, problems
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints

HEALTH = "/v1/health"


def router(services: Services) -> ValidatedEndpoints:
    """Return the endpoints of the instance."""
    routes = ValidatedEndpoints(tags=["System"])

    @routes.get(HEALTH, response_model=schemas.Health, responses=problems(500), openapi_extra={"security": []})
    async def get_health() -> Response:
        """Tell how the service is doing. No credential."""
        report = await services.health.report()
        return answer({"status": report.status, "reasons": report.reasons})

    @routes.get("/v1/whoami", response_model=schemas.WhoAmI, responses=READ)
    async def who_am_i(call: Caller) -> Response:
        """Show the caller as Keystead sees it."""
        return answer(present.who(call.principal))

    @routes.get("/v1/doctor", response_model=schemas.Diagnosis, responses=READ)
    async def get_diagnosis(call: Caller) -> Response:
        """Examine the instance and its surroundings; each finding says what to do next."""
        return answer(present.diagnosis(await services.doctor.examine(call)))

    @routes.post("/v1/secrets/rotate", response_model=schemas.Rotated, responses=WRITE)
    async def rotate_secrets(call: Caller) -> Response:
        """Replace the root key and the key that seals secrets, while everything else goes on."""
        return answer(present.rotated(await services.secrets.rotate(call)))

    @routes.get("/v1/secrets/rotate", response_model=schemas.Rotating, responses=READ)
    async def get_rotation(call: Caller) -> Response:
        """Tell how far a rotation is while it runs."""
        return answer(present.rotating(*await services.secrets.progress(call)))

    return routes
