"""Requests and answers of Cloudflare's API against its official OpenAPI document (the cut beside this file).

Where the API has moved on from the document's version, ``_mended`` says how, and why.
"""

import json
import re
from email.message import Message
from email.parser import BytesParser
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson

from tests.support.standins import cloudflare_document_redirects

DOCUMENT = Path(__file__).parent / "cloudflare-openapi.json"
_JSON, _FORM = "application/json", "multipart/form-data"
_HOLE = re.compile(r"\{([a-z_]+)\}")
_RECORD_FIELDS = ("id", "type", "name", "content", "ttl", "proxied", "priority", "comment", "tags", "data", "settings")


class Undocumented(AssertionError):
    """Something the document does not have."""


def check_request(method: str, path: str, query: dict[str, str], body: bytes, media_type: str = _JSON) -> None:
    """Raise Undocumented unless a request is as the document has it: path, parameters, body or form."""
    template, values = _found(method, path)
    operation = _document()["paths"][template][method.lower()]
    declared = {one["name"]: one for one in operation.get("parameters") or () if "name" in one}
    for name, value in {**values, **query}.items():
        if name not in declared:
            raise Undocumented(f"{method} {template} has no parameter {name}")
        _check(declared[name]["schema"], _typed(value, declared[name]["schema"]), f"{method} {template} {name}")
    kind = media_type.partition(";")[0] or _JSON
    wanted = (operation.get("requestBody") or {}).get("content", {}).get(kind)
    if body and wanted is None:
        raise Undocumented(f"{method} {template} takes no body")
    if wanted is not None:
        if not body and (operation.get("requestBody") or {}).get("required"):
            raise Undocumented(f"{method} {template} needs a body")
        if body:
            sent = form(media_type, body) if kind == _FORM else orjson.loads(body)
            _check(wanted["schema"], sent, f"{method} {template} body")


def check_answer(method: str, path: str, status: int, body: bytes, media_type: str = _JSON) -> None:
    """Raise Undocumented unless an answer is as the document has it; statuses of 500 and above are in none."""
    if status >= 500:
        return
    template, _ = _found(method, path)
    responses = _document()["paths"][template][method.lower()]["responses"]
    described = responses.get(str(status)) or responses.get(f"{status // 100}XX")
    if described is None:
        raise Undocumented(f"{method} {template} never answers {status}")
    wanted = _resolved(described).get("content", {})
    if media_type not in wanted:
        raise Undocumented(f"{method} {template} {status} is not answered as {media_type}")
    sent = orjson.loads(body) if media_type == _JSON else body.decode()
    _check(wanted[media_type]["schema"], sent, f"{method} {template} {status}")


def _resolved(described: dict[str, Any]) -> dict[str, Any]:
    """Return a response, wherever the document keeps it."""
    if "$ref" not in described:
        return described
    return _document()["components"]["responses"][described["$ref"].rpartition("/")[2]]  # type: ignore[no-any-return]


def form(media_type: str, body: bytes) -> dict[str, str]:
    """Return the values of a form."""
    parts = BytesParser().parsebytes(f"Content-Type: {media_type}\r\n\r\n".encode() + body).get_payload()
    values = {}
    for part in parts:
        assert isinstance(part, Message)
        value = part.get_payload(decode=True)
        assert isinstance(value, bytes)
        values[str(part.get_param("name", header="content-disposition"))] = value.decode()
    return values


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
    return _plain(_mended(json.loads(DOCUMENT.read_text())))  # type: ignore[no-any-return]


def _mended(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document as the API is now (developers.cloudflare.com/api, read 2026-11)."""
    paths, schemas = document["paths"], document["components"]["schemas"]
    record = schemas["W__dns-records_dns-record"]
    # A PATCH overwrites the fields it has; the document's version asks for all that a create needs.
    some = {"type": "object", "properties": {name: {} for name in _RECORD_FIELDS}, "additionalProperties": False}
    one = paths["/zones/{zone_id}/dns_records/{dns_record_id}"]
    one["patch"]["requestBody"]["content"][_JSON]["schema"] = some
    # The batch is younger than the document's version.
    numbered = {"properties": {"id": {"$ref": "#/components/schemas/dns-records_identifier"}}, "required": ["id"]}
    kinds = {"deletes": numbered, "patches": {"allOf": [numbered, some]}, "puts": {"allOf": [numbered, record]}}
    sent = {name: {"type": "array", "items": kind} for name, kind in {**kinds, "posts": record}.items()}
    made = {"type": "array", "items": {"$ref": "#/components/schemas/dns-records_dns-record"}}
    single = {"$ref": "#/components/schemas/dns-records_api-response-common"}
    told = {"allOf": [single, {"properties": {"result": {"properties": dict.fromkeys(sent, made)}}}]}
    listed = paths["/zones/{zone_id}/dns_records"]["post"]
    paths["/zones/{zone_id}/dns_records/batch"] = {
        "post": {
            "parameters": listed["parameters"],
            "requestBody": {
                "required": True,
                "content": {
                    _JSON: {"schema": {"type": "object", "properties": sent, "additionalProperties": False}},
                },
            },
            "responses": {"200": {"content": {_JSON: {"schema": told}}}, "4XX": listed["responses"]["4XX"]},
        }
    }
    cloudflare_document_redirects.add_to(document)
    return document


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
    problem = next(iter(_validator(schema).iter_errors(value)), None)
    if problem is not None:
        raise Undocumented(f"{where}: {problem.message} at {list(problem.instance_path)}")


# By the identity of a schema of the document, which is read once and stays.
_VALIDATORS: dict[int, Any] = {}


def _validator(schema: dict[str, Any]) -> Any:
    made = _VALIDATORS.get(id(schema))
    if made is None:
        whole = {"allOf": [schema], "components": _document()["components"]}
        made = _VALIDATORS[id(schema)] = jsonschema_rs.Draft4Validator(whole)
    return made
