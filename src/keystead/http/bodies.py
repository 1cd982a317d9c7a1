"""JSON bodies of the REST dialects: read whatever clients call them, and answered."""

import codecs
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from keystead.kit.errors import Invalid

JSON = "application/json"

M = TypeVar("M", bound=BaseModel)


def answer(body: Mapping[str, Any] | Sequence[Any]) -> Response:
    """Return a 200 with a JSON body."""
    return Response(orjson.dumps(body), media_type=JSON)


def parse(body: bytes, model: type[M], *, wanted: str = "must be a JSON object", is_optional: bool = False) -> M:
    """Read a JSON object, whatever its Content-Type; raise Invalid naming bad fields.

    An optional one may be empty or null, and has every default then. A byte order mark is passed over, as the originals
    did.
    """
    text = body.removeprefix(codecs.BOM_UTF8)
    try:
        content = orjson.loads(text) if text.strip() else None
    except orjson.JSONDecodeError as error:
        raise Invalid("the body is not valid JSON", fields={"body": str(error)}) from None
    if content is None and is_optional:
        content = {}
    if not isinstance(content, dict):
        raise Invalid("the body is not a JSON object", fields={"body": wanted})
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems = {".".join(map(str, p["loc"])): p["msg"] for p in error.errors(include_url=False)}
        raise Invalid("; ".join(f"{f}: {m}" for f, m in problems.items()), fields=problems) from None
