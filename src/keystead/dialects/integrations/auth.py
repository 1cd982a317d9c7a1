"""How a caller of the integrations wire proves itself, and that it may do what the document asks the role owner for.

The document answers every failure of a credential with 403 ``owner_required``, also a missing one; ``reason`` says
which. One function is the whole seam: a person's access token and a program's token come through the same admission.
"""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request

from keystead.http import credentials
from keystead.http.admission import Admission
from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions


async def authenticate(
    request: Request, admission: Admission, transactions: Transactions, verb: Callable[..., Any]
) -> Call:
    """Return the call of who may run a verb; raise Unauthenticated, or Forbidden, which is put on record."""
    call = await credentials.authenticate(request, admission, headers="Authorization or X-API-Key")
    await transactions.check(call, verb)
    return call
