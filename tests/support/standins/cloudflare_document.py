"""Requests and answers of Cloudflare's API against its official OpenAPI document (the cut beside this file)."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson

DOCUMENT = Path(__file__).parent / "cloudflare-openapi.json"
_HOLE = re.compile(r"\{([a-z_]+)\}")


class Undocumented(AssertionError):
    """Something the document does not have."""


def check_request(method: str, path: str, query: dict[str, str], body: bytes) -> None:
    """Raise Undocumented unless a request is as the document has it: path, parameters, body."""
    template, values = _found(method, path)
    operation = _document()["paths"][template][method.lower()]
    declared = {one["name"]: one for one in operation.get("parameters") or () if "name" in one}
    for name, value in {**values, **query}.items():
        if name not in declared:
            raise Undocumented(f"{method} {template} has no parameter {name}")
        _check(declared[name]["schema"], _typed(value, declared[name]["schema"]), f"{method} {template} {name}")
    wanted = (operation.get("requestBody") or {}).get("content", {}).get("application/json")
    if body and wanted is None:
        raise Undocumented(f"{method} {template} takes no body")
    if wanted is not None:
        if not body and (operation.get("requestBody") or {}).get("required"):
            raise Undocumented(f"{method} {template} needs a body")
        if body:
            _check(wanted["schema"], orjson.loads(body), f"{method} {template} body")


def check_answer(method: str, path: str, status: int, body: bytes) -> None:
    """Raise Undocumented unless an answer is as the document has it; statuses of 500 and above are in none."""
    if status >= 500:
        return
    template, _ = _found(method, path)
    responses = _document()["paths"][template][method.lower()]["responses"]
    described = responses.get(str(status)) or responses.get(f"{status // 100}XX")
    if described is None:
        raise Undocumented(f"{method} {template} never answers {status}")
    wanted = described.get("content", {}).get("application/json")
    if wanted is not None:
        _check(wanted["schema"], orjson.loads(body), f"{method} {template} {status}")


def _found(method: str, path: str) -> tuple[str, dict[str, str]]:
    for template, pattern in _patterns():
        found = pattern.fullmatch(path)
        if found and method.lower() in _document()["paths"][template]:
            return template, found.groupdict()
    raise Undocumented(f"{method} {path}")


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """Return every path as a pattern, those without holes first."""
    templates = sorted(_document()["paths"], key=lambda template: (template.count("{"), template))
    return [(template, re.compile(_HOLE.sub(r"(?P<\1>[^/]+)", template))) for template in templates]


@cache
def _document() -> dict[str, Any]:
    return _plain(json.loads(DOCUMENT.read_text()))  # type: ignore[no-any-return]


def _plain(node: Any) -> Any:
    """Return OpenAPI 3.0 as JSON Schema: ``nullable`` is a type of its own there."""
    if isinstance(node, list):
        return [_plain(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {name: _plain(value) for name, value in node.items() if name not in {"example", "examples", "x-auditable"}}
    if made.pop("nullable", False) is True and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    return made


def _typed(value: str, schema: dict[str, Any]) -> Any:
    if "$ref" in schema:
        schema = _document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if schema.get("type") in {"number", "integer"}:
        return float(value) if "." in value else int(value)
    return value


def _check(schema: dict[str, Any], value: Any, where: str) -> None:
    whole = {"allOf": [schema], "components": _document()["components"]}
    problem = next(iter(_validator(json.dumps(whole)).iter_errors(value)), None)
    if problem is not None:
        raise Undocumented(f"{where}: {problem.message} at {list(problem.instance_path)}")


@cache
def _validator(schema: str) -> Any:
    return jsonschema_rs.Draft4Validator(json.loads(schema))
