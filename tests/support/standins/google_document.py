"""Requests and answers of Google Analytics against Google's own discovery documents (the cut beside this file)."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson

DOCUMENT = Path(__file__).parent / "google-discovery.json"
# Every method takes it (cloud.google.com/apis/docs/system-parameters); Google's own clients send it.
_SYSTEM_PARAMETERS = {"$alt"}
_HOLE = re.compile(r"\\\{\w+\\\}")


class Undocumented(AssertionError):
    """Something the documents do not have."""


def check_request(method: str, path: str, query: dict[str, str], body: bytes) -> None:
    """Raise Undocumented unless a request is as the documents have it: path, parameters, body."""
    where, operation = _found(method, path)
    for name in query:
        if name not in operation.get("query", ()) and name not in _SYSTEM_PARAMETERS:
            raise Undocumented(f"{where} has no parameter {name}")
    if (wanted := operation.get("request")) is not None:
        _check(wanted, body, where)
    elif body:
        raise Undocumented(f"{where} takes no body")


def check_answer(method: str, path: str, body: bytes) -> None:
    """Raise Undocumented unless an answer that is none of a failure is as the documents have it."""
    where, operation = _found(method, path)
    _check(operation["answer"], body, where)


def _found(method: str, path: str) -> tuple[str, dict[str, Any]]:
    for name, operation in _document()["operations"].items():
        wanted, _, template = name.partition(" ")
        if wanted == method and re.fullmatch(_HOLE.sub("[0-9]+", re.escape(template)), path):
            return name, operation
    raise Undocumented(f"{method} {path}")


@cache
def _document() -> dict[str, Any]:
    return _closed(json.loads(DOCUMENT.read_text()))  # type: ignore[no-any-return]


def _closed(node: Any) -> Any:
    """Return discovery's schemas as JSON Schema: references are paths, and what is not named is not allowed."""
    if isinstance(node, list):
        return [_closed(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {name: _closed(value) for name, value in node.items() if name != "format"}
    if isinstance(made.get("$ref"), str):
        made["$ref"] = f"#/schemas/{made['$ref']}"
    if made.get("type") == "object" and isinstance(made.get("properties"), dict):
        made["additionalProperties"] = False
    return made


def _check(schema: str, body: bytes, where: str) -> None:
    problem = next(iter(_validator(schema).iter_errors(orjson.loads(body))), None)
    if problem is not None:
        raise Undocumented(f"{where}: {problem.message} at {list(problem.instance_path)}")


@cache
def _validator(schema: str) -> Any:
    whole = {"allOf": [{"$ref": f"#/schemas/{schema}"}], "schemas": _document()["schemas"]}
    return jsonschema_rs.Draft4Validator(whole)
