"""What the cut of Cloudflare's OpenAPI document lacks about redirects, over the schemas that it has.

Paths and parameters of single rules and of an account's rulesets are those of the document's zones and of
developers.cloudflare.com/api (read 2026-11); entries of lists and operations on them those of Cloudflare's SDK for
Python, 5.9.0.
"""

from typing import Any

_JSON = "application/json"
_FLAG = {"type": "boolean"}
_TEXT = {"type": "string"}
_MOMENT = {"type": "string", "format": "date-time"}


def add_to(document: dict[str, Any]) -> None:
    """Add the paths to a document."""
    paths = document["paths"]
    zone = paths["/zones/{zone_id}/rulesets"]["post"]["parameters"]
    account = [{"in": "path", "name": "account_id", "schema": {"$ref": "#/components/schemas/lists_identifier"}}]
    entry_point = paths["/zones/{zone_id}/rulesets/phases/{ruleset_phase}/entrypoint"]["get"]
    phase = [one for one in entry_point["parameters"] if one["name"] == "ruleset_phase"]
    paths["/accounts/{account_id}/rulesets/phases/{ruleset_phase}/entrypoint"] = {
        "get": {**entry_point, "parameters": [*account, *phase]}
    }
    paths["/accounts/{account_id}/rulesets"] = {
        "post": {**paths["/zones/{zone_id}/rulesets"]["post"], "parameters": account}
    }
    for place, parameters in (("/zones/{zone_id}", zone), ("/accounts/{account_id}", account)):
        _add_rules(paths, f"{place}/rulesets/{{ruleset_id}}/rules", parameters)
    # The document has a list of lists where one list is answered, and says at the same place that it is one.
    one_list = paths["/accounts/{account_id}/rules/lists"]["post"]
    one_list["responses"] = _told({"$ref": "#/components/schemas/lists_list"})
    _add_items(paths, "/accounts/{account_id}/rules/lists", account)


def _add_rules(paths: dict[str, Any], path: str, place: list[Any]) -> None:
    one = [*place, _hole("ruleset_id")]
    at = {"type": "object", "properties": {"before": _TEXT, "after": _TEXT, "index": {"type": "integer"}}}
    rule = {
        "allOf": [
            {"$ref": "#/components/schemas/W__rulesets_RequestRule"},
            {"properties": {"position": at}, "required": ["action", "expression"]},
        ]
    }
    told = {
        "200": {"$ref": "#/components/responses/rulesets_Ruleset"},
        "4XX": {"$ref": "#/components/responses/rulesets_Failure"},
    }
    paths[path] = {"post": {"parameters": one, "requestBody": _body(rule), "responses": told}}
    both = [*one, _hole("rule_id")]
    paths[f"{path}/{{rule_id}}"] = {
        "patch": {"parameters": both, "requestBody": _body(rule), "responses": told},
        "delete": {"parameters": both, "responses": told},
    }


def _add_items(paths: dict[str, Any], path: str, account: list[Any]) -> None:
    redirect = {
        "type": "object",
        "properties": {
            "source_url": _TEXT,
            "target_url": _TEXT,
            "status_code": {"enum": [301, 302, 307, 308]},
            "include_subdomains": _FLAG,
            "preserve_path_suffix": _FLAG,
            "preserve_query_string": _FLAG,
            "subpath_matching": _FLAG,
        },
        "required": ["source_url", "target_url"],
        "additionalProperties": False,
    }
    sent = {"type": "object", "properties": {"redirect": redirect, "comment": _TEXT}, "required": ["redirect"]}
    seen = {
        "allOf": [sent, {"properties": {"id": _TEXT, "created_on": _MOMENT, "modified_on": _MOMENT}}],
        "required": ["id", "created_on", "modified_on"],
    }
    one = [*account, _hole("list_id")]
    paging = [
        {"in": "query", "name": "cursor", "schema": _TEXT},
        {"in": "query", "name": "per_page", "schema": {"type": "integer", "minimum": 1, "maximum": 500}},
    ]
    begun = _told({"type": "object", "properties": {"operation_id": _TEXT}, "required": ["operation_id"]})
    gone = {"type": "object", "properties": {"items": {"type": "array", "items": {"required": ["id"]}}}}
    paths[f"{path}/{{list_id}}/items"] = {
        "get": {"parameters": [*one, *paging], "responses": _told({"type": "array", "items": seen})},
        "put": {"parameters": one, "requestBody": _body({"type": "array", "items": sent}), "responses": begun},
        "delete": {"parameters": one, "requestBody": _body(gone), "responses": begun},
    }
    states = {"enum": ["pending", "running", "completed", "failed"]}
    operation = {"properties": {"id": _TEXT, "status": states, "completed": _MOMENT, "error": _TEXT}}
    paths[f"{path}/bulk_operations/{{operation_id}}"] = {
        "get": {
            "parameters": [*account, _hole("operation_id")],
            "responses": _told({"type": "object", "required": ["id", "status"], **operation}),
        }
    }


def _hole(name: str) -> dict[str, Any]:
    return {"in": "path", "name": name, "schema": _TEXT}


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {_JSON: {"schema": schema}}}


def _told(result: dict[str, Any]) -> dict[str, Any]:
    whole = {
        "allOf": [
            {"$ref": "#/components/schemas/lists_api-response-common"},
            {"properties": {"result": result}, "required": ["result", "success", "errors", "messages"]},
        ]
    }
    failure = {"$ref": "#/components/schemas/lists_api-response-common-failure"}
    return {
        "200": {"content": {_JSON: {"schema": whole}}},
        "4XX": {"content": {_JSON: {"schema": failure}}},
    }
