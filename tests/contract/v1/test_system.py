"""Audit trail, engines, health, doctor, metrics, pages and problem documents over the native API."""

from uuid import UUID

import pytest
from sqlalchemy import text

from keystead.access.permissions import Permission
from keystead.dialects.v1 import engine_shapes, schemas
from keystead.engines.xray.state import XrayUser
from keystead.kit.errors import Broken
from tests.support.instance import InProcess

PLAN = "/v1/engines/xray/main"


async def test_health_needs_no_credential(instance: InProcess) -> None:
    answer = await instance.stranger().get("/v1/health")

    assert schemas.Health.model_validate_json(answer.content) == schemas.Health(status="ok", reasons=[])


async def test_the_local_socket_speaks_for_the_operator(instance: InProcess) -> None:
    who = schemas.WhoAmI.model_validate_json((await instance.operator.get("/v1/whoami")).content)

    assert (who.actor, len(who.permissions)) == ("operator", len(Permission))


async def test_the_audit_trail_is_filtered_and_paged(instance: InProcess) -> None:
    for name in ("anna", "bert"):
        await instance.operator.post("/v1/vpn/keys", json={"name": name})

    first = await instance.operator.get("/v1/audit", params={"verb": "vpn.key.issue", "limit": 1})

    page = schemas.AuditList.model_validate_json(first.content)
    rest = await instance.operator.get("/v1/audit", params={"verb": "vpn.key.issue", "after": page.next})
    found = [*page.items, *schemas.AuditList.model_validate_json(rest.content).items]
    assert [(record.actor, record.facts["name"]) for record in found] == [("operator", "anna"), ("operator", "bert")]


async def test_a_whole_trail_is_intact_and_a_changed_one_is_not(instance: InProcess) -> None:
    await instance.operator.post("/v1/vpn/keys", json={})
    await instance.upkeep.seal()
    whole = (await instance.operator.post("/v1/audit/verify")).json()
    await instance.parts.database.write(
        lambda connection: connection.execute(text("UPDATE audit_records SET actor = 'nobody' WHERE number = 1"))
    )

    answer = await instance.operator.post("/v1/audit/verify")

    report = schemas.AuditVerified.model_validate_json(answer.content)
    assert (whole["is_intact"], whole["discrepancies"]) == (True, [])
    assert (report.is_intact, [found.finding for found in report.discrepancies]) == (False, ["changed"])
    records = await instance.records(verb="access.audit.verify")
    assert [record.facts["is_intact"] for record in records] == [True, False]


async def test_a_scope_shows_its_program(instance: InProcess) -> None:
    [scope] = (await instance.operator.get("/v1/engines")).json()

    found = engine_shapes.Scope.model_validate(scope)
    assert (found.scope, found.generation, found.applied_generation) == ("xray/main", 0, 0)
    assert found.engine is not None
    assert (found.engine.binary, found.engine.health, found.engine.last_lines) == ("/fake/xray", "ready", ["a line"])


async def test_a_scope_shows_what_stands_behind_it(instance: InProcess) -> None:
    [scope] = (await instance.operator.get("/v1/engines")).json()

    found = engine_shapes.Scope.model_validate(scope)
    assert found.available is not None
    assert found.available.version == "0.0.1"
    assert [(keeper.pid, keeper.is_leading) for keeper in found.keepers] == [(3, True)]
    assert [(core.role, core.connections) for core in found.keepers[0].cores] == [("serving", 2)]


async def test_a_replacement_is_shown_then_done_by_its_digest_and_audited(instance: InProcess) -> None:
    at, wish = f"{PLAN}/replacement", {"kind": "upgrade", "has_new_keeper": True}
    shown = await instance.operator.post(at, json={**wish, "dry_run": True})
    plan = engine_shapes.Replacement.model_validate_json(shown.content)
    before = await instance.operator.get(at)
    stale = await instance.operator.post(at, json={**wish, "digest": "0" * 16})
    other = await instance.operator.post(at, json={"kind": "restart", "digest": plan.digest})

    done = await instance.operator.post(at, json={**wish, "digest": plan.digest})

    after = engine_shapes.ReplacementProgress.model_validate_json((await instance.operator.get(at)).content)
    assert (plan.running.program.version, plan.successor.version, plan.is_needed) == ("0.0.0", "0.0.1", True)
    assert "customers      notice nothing" in plan.text
    assert before.json()["phase"] == "none"
    assert [(answer.status_code, answer.json()["code"]) for answer in (stale, other)] == [(409, "conflict")] * 2
    assert (done.status_code, done.json()) == (200, plan.model_dump(mode="json"))
    assert after.phase == "done"
    assert [record.facts for record in await instance.records(verb="engines.replacement.approve")] == [
        {"kind": "upgrade", "digest": "0" * 16},
        {"kind": "restart", "digest": plan.digest},
        {"kind": "upgrade", "digest": plan.digest},
    ]


async def test_a_reviewed_plan_is_applied_and_nothing_else(instance: InProcess) -> None:
    strays = {f"stray{number:02}": XrayUser(f"stray{number:02}", str(UUID(int=number))) for number in range(1, 13)}
    instance.engine.users["shared"].update(strays)  # more than the guard lets pass without a person
    plan = schemas.Plan.model_validate_json((await instance.operator.get(f"{PLAN}/plan")).content)
    stale = await instance.operator.post(f"{PLAN}/apply", json={"digest": "0" * 16})

    applied = await instance.operator.post(f"{PLAN}/apply", json={"digest": plan.digest})

    assert [(step.verb, step.subject) for step in plan.steps] == [("remove", label) for label in strays]
    assert (stale.status_code, stale.json()["code"]) == (409, "conflict")
    assert applied.json() == plan.model_dump(mode="json")
    assert instance.engine.users["shared"] == {}
    assert [record.facts for record in await instance.records(verb="engines.plan.approve")] == [
        {"digest": "0" * 16},
        {"digest": plan.digest},
    ]


async def test_a_comparison_repairs_what_differs(instance: InProcess) -> None:
    await instance.operator.post("/v1/vpn/keys", json={})
    held = dict(instance.engine.users["shared"])
    instance.engine.users["shared"].clear()

    answer = await instance.operator.post(f"{PLAN}/reconcile")

    assert [step["verb"] for step in answer.json()["steps"]] == ["add"]
    assert instance.engine.users["shared"] == held


@pytest.mark.parametrize(("method", "what"), [("GET", "plan"), ("POST", "reconcile")])
async def test_an_unknown_engine_is_not_found(instance: InProcess, method: str, what: str) -> None:
    answer = await instance.operator.request(method, f"/v1/engines/nginx/main/{what}")

    assert answer.status_code == 404


async def test_an_engine_that_is_down_has_no_plan(instance: InProcess) -> None:
    instance.engine.is_down = True

    answer = await instance.operator.get(f"{PLAN}/plan")

    assert (answer.status_code, answer.json()["code"]) == (503, "engine_unavailable")


async def test_rotated_secrets_still_open(instance: InProcess) -> None:
    key = (await instance.operator.post("/v1/vpn/keys", json={})).json()
    path = f"/v1/vpn/keys/{key['id']}/subscription"
    url = (await instance.operator.get(path)).json()["url"]

    before = (await instance.operator.get("/v1/secrets/rotate")).json()
    answer = await instance.operator.post("/v1/secrets/rotate")
    after = (await instance.operator.get("/v1/secrets/rotate")).json()
    reader = await instance.caller(Permission.VAULT_READ)
    again = await instance.operator.post("/v1/secrets/rotate")

    done = schemas.Rotated.model_validate_json(answer.content)
    assert done.resealed == 2
    assert before == {"is_running": False, "total": 0, "resealed": 0}
    assert after == {"is_running": False, "total": 2, "resealed": 2}
    assert (await reader.get("/v1/secrets/rotate")).status_code == 403
    assert again.json()["root_key"] != done.root_key
    assert (await instance.operator.get(path)).json()["url"] == url
    assert len(await instance.records(verb="access.secrets.rotate")) == 2


async def test_the_doctor_says_what_to_do_and_no_secret(instance: InProcess) -> None:
    instance.engine.is_down = True

    answer = await instance.operator.get("/v1/doctor")

    found = schemas.Diagnosis.model_validate_json(answer.content)
    checks = {check.name: check for check in found.checks}
    assert found.status == "fail"
    assert checks["xray/main"].status == "fail"
    assert "a line" in checks["xray/main"].message
    assert all(check.next for check in found.checks if check.status != "ok")
    assert {"machine", "data directory", "root key", "database", "audit trail", "REALITY target"} <= set(checks)
    assert {"public host", "API", "subscriptions", "VPN port", "ports of keys"} <= set(checks)
    key = (instance.parts.settings.data_dir / "root.key").read_text().strip()
    assert key not in answer.text


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("198.51.100.7", {}, 401),
        ("127.0.0.1", {"x-forwarded-for": "198.51.100.7"}, 401),
        ("127.0.0.1", {"authorization": "Bearer nonsense"}, 401),
    ],
)
async def test_metrics_are_for_this_machine(
    instance: InProcess, address: str, headers: dict[str, str], status: int
) -> None:
    answer = await instance.stranger(address).get("/metrics", headers=headers)

    assert answer.status_code == status
    assert ("keystead_engine_ready" in answer.text) is (status == 200)


async def test_metrics_are_for_those_who_may(instance: InProcess) -> None:
    allowed = await (await instance.caller(Permission.METRICS_READ)).get("/metrics")
    denied = await (await instance.caller(Permission.VPN_KEYS_READ)).get("/metrics")

    assert (allowed.status_code, denied.status_code) == (200, 403)
    assert 'keystead_engine_ready{scope="xray/main"} 1.0' in allowed.text
    assert 'keystead_scope_generation_lag{scope="xray/main"} 0.0' in allowed.text


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/v1/docs", "/v1/redoc"])
async def test_a_page_loads_nothing_from_elsewhere(instance: InProcess, path: str) -> None:
    answer = await instance.stranger().get(path)

    policy = answer.headers["content-security-policy"]
    assert answer.status_code == 200
    assert "http://" not in answer.text.replace("http://www.w3.org", "")
    assert "https://" not in answer.text
    assert "img-src 'self' data:" in policy
    assert "worker-src blob:" in policy
    assert "connect-src 'self'" in policy
    assert path.endswith("redoc") or '"validatorUrl": null' in answer.text


async def test_the_specification_names_every_route_and_the_credential(instance: InProcess) -> None:
    document = (await instance.stranger().get("/v1/openapi.json")).json()

    assert document["security"] == [{"Bearer": []}]
    assert document["paths"]["/v1/health"]["get"]["security"] == []
    assert {"/v1/vpn/keys", "/v1/tokens", "/v1/users/{user_id}/roles/{name}", "/v1/audit/verify"} <= set(
        document["paths"]
    )
    asking = ("/v1/zones/{zone_id}/redirects", "/v1/credentials/{credential_id}/redirects", "/v1/domain-moves")
    operations = [(path, *operation) for path in asking for operation in document["paths"][path].items()]
    silent = [(path, method) for path, method, operation in operations if "502" not in operation["responses"]]
    assert silent == [("/v1/domain-moves", "get")]
    problem = document["components"]["schemas"]["Problem"]["properties"]
    assert {"type", "title", "status", "detail", "code", "request_id", "errors"} == set(problem)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/v1/nowhere", None, 404, "not_found"),
        ("PUT", "/v1/whoami", None, 405, "method_not_allowed"),
        ("POST", "/v1/vpn/keys", b"{", 422, "invalid"),
        ("POST", "/v1/vpn/keys", b"x" * (1024 * 1024 + 1), 413, "too_large"),
    ],
)
async def test_every_refusal_is_a_problem_document(
    instance: InProcess, method: str, path: str, body: bytes | None, status: int, code: str
) -> None:
    answer = await instance.operator.request(method, path, content=body)

    problem = schemas.Problem.model_validate_json(answer.content)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem.status, problem.code) == (status, status, code)
    assert problem.request_id == answer.headers["x-request-id"]
    assert problem.type == f"urn:keystead:error:{code}"


async def test_a_bug_is_not_explained_to_the_caller(instance: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise Broken("an inner detail")

    monkeypatch.setattr("keystead.access.engines.statuses", broken)  # no input can reach a bug that is not there

    answer = await instance.operator.get("/v1/engines")

    assert (answer.status_code, answer.json()["code"]) == (500, "broken")
    assert "inner detail" not in answer.text
