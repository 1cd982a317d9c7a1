"""What the endpoints share in asking: pages of lists, and the problems their documentation lists."""

from typing import Annotated, Any

from fastapi import Depends, Query

from keystead.kit.page import LIMIT_MAX, Page

NUMBER_MAX = 2**63 - 1


def page(
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="At most so many.")] = 100,
    after: Annotated[int, Query(ge=0, le=NUMBER_MAX, description="The ``next`` of the page before.")] = 0,
) -> Page:
    """Return the page a caller asks for."""
    return Page(limit, after)


Paged = Annotated[Page, Depends(page)]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of these failures."""
    return {
        status: {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}
        for status in statuses
    }


READ = problems(401, 403, 404, 422, 429, 503)
WRITE = problems(401, 403, 404, 409, 422, 429, 503)
# Of what asks a provider, which may refuse.
ASKED = READ | problems(502)
CHANGED = WRITE | problems(502)
