"""Every way in is guarded: verbs declare, routes of the native API ask who is there, and each reaches a verb."""

import importlib
import inspect
import pkgutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from keystead import access, vault, vpn
from keystead.access.permissions import Permission, permission_of
from keystead.access.work import Work
from keystead.db.session import Database
from keystead.dialects.v1 import app as v1
from keystead.mounts import Mounts
from tests.support.instance import InProcess, in_process

# Parts of a verb that other verbs of the same subject call with their own Work; no edge can reach them but through one.
PARTS = {
    "keystead.access.users.found",
    "keystead.access.reach.check",
    "keystead.access.reach.check_owner_left",
    "keystead.access.reach.check_room",
    "keystead.access.reach.check_whole",
    "keystead.access.work.audit_row",
    "keystead.access.signin.invitations.join",
    "keystead.access.signin.links.look_at",
    "keystead.access.signin.links.make",
    "keystead.access.signin.links.use",
    "keystead.access.signin.secondfactor.check",
    "keystead.access.signin.sessions.begin",
    "keystead.access.signin.sessions.end_all",
    "keystead.access.signin.sessions.signed_in",
    "keystead.access.signin.signingkeys.current",
    "keystead.vault.domains.add",
    "keystead.vault.errands.put",
    "keystead.vpn.enforcement.advance_key",
    "keystead.vpn.founding.settle_public_host",
    "keystead.vpn.founding.check_shared_inbound",
    "keystead.vpn.founding.found_shared_inbound",
    "keystead.vpn.keys.new_values",
    "keystead.vpn.ports.open_port",
    "keystead.vpn.terms.of_key",
}
# Routes that tell a caller about itself or about this version: a credential is enough.
NO_VERB = {"/v1/whoami", "/v1/permissions"}
VALUES = {
    "key_id": "1",
    "token_id": "1",
    "user_id": "1",
    "name": "main",
    "engine": "xray",
    "webhook_id": "1",
    "number": "1",
    "device_id": "1",
    "account_id": "1",
    "invitation_id": "1",
    "plan": "free",
    "provider": "namesilo",
    "credential_id": "1",
    "counter_id": "1",
    "property_id": "1",
    "monitor_id": "1",
    "domain": "example.com",
    "domain_id": "1",
    "zone_id": "1",
    "ref": "keystead-1",
    "template": "parking",
    "record_id": "0123456789abcdef0123456789abcdef",
}
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("PATCH", "/v1/vpn/keys/{key_id}"): {"name": "anna"},
    ("POST", "/v1/tokens"): {"name": "bot", "permissions": []},
    ("POST", "/v1/providers/cloudflare/credentials"): {"account_id": "a" * 32, "bootstrap_token": "b"},
    ("POST", "/v1/providers/cloudflare/credentials/{credential_id}/rotate"): {"bootstrap_token": "b"},
    ("PUT", "/v1/providers/namecheap/credentials/{credential_id}/domains/{domain}/hosts"): {
        "items": [{"name": "@", "type": "A", "address": "192.0.2.1"}],
        "version": "0",
    },
    ("POST", "/v1/providers/namecheap/credentials"): {"username": "anna", "api_key": "k"},
    ("POST", "/v1/users"): {"login": "anna", "password": "a long password"},
    ("PATCH", "/v1/users/{user_id}"): {"is_active": True},
    ("POST", "/v1/roles"): {"name": "reader", "permissions": []},
    ("POST", "/v1/engines/{engine}/{name}/apply"): {"digest": "0"},
    ("POST", "/v1/engines/{engine}/{name}/replacement"): {"kind": "restart", "digest": "0"},
    ("POST", "/v1/webhooks"): {"url": "https://example.com/hook"},
    ("PATCH", "/v1/webhooks/{webhook_id}"): {"is_enabled": True},
    ("PATCH", "/v1/vpn/keys/{key_id}/terms"): {"quota_bytes": 1},
    ("POST", "/v1/vpn/keys/{key_id}/extend"): {"days": 1},
    ("POST", "/v1/vpn/keys/{key_id}/top-up"): {"bytes": 1},
    ("POST", "/v1/vpn/pair"): {"act": "rotate", "dry_run": True},
    ("POST", "/v1/vpn/plans"): {"name": "month"},
    ("POST", "/v1/vpn/bulk"): {"action": "delete", "where": {"every": True}, "dry_run": True},
    ("PATCH", "/v1/vpn/plans/{name}"): {"quota_bytes": 1},
    ("POST", "/v1/accounts"): {"name": "north"},
    ("PATCH", "/v1/accounts/{account_id}"): {"plan": "pro"},
    ("PATCH", "/v1/account-plans/{plan}"): {"members": 5},
    ("POST", "/v1/invitations"): {"login": "bert@example.com", "role": "viewer"},
    ("POST", "/v1/signing-key/rotate"): {},
    ("POST", "/v1/export"): {},
    ("PUT", "/v1/providers/namecheap/relay"): {"ip": "192.0.2.1"},
    ("POST", "/v1/providers/hosttracker/credentials/{credential_id}/monitors"): {"url": "https://example.com"},
    ("POST", "/v1/providers/{provider}/credentials"): {"secret": {"api_key": "no secret"}},
    ("PUT", "/v1/providers/{provider}/credentials/{credential_id}/domains/{domain}/name-servers"): {
        "name_servers": ["a.ns.test", "b.ns.test"]
    },
    ("POST", "/v1/domain-moves"): {"domains": [{"domain": "example.com"}], "dry_run": True},
    ("POST", "/v1/domain-moves/{number}/undo"): {"dry_run": True},
    ("POST", "/v1/domains"): {"items": [{"name": "example.com"}]},
    ("PATCH", "/v1/domains/{domain_id}"): {"note": "x"},
    ("POST", "/v1/domains/look"): {},
    ("PATCH", "/v1/credentials/{credential_id}"): {"alias": "x"},
    ("POST", "/v1/credentials/{credential_id}/reveal"): {},
    ("POST", "/v1/zones"): {"name": "example.com"},
    ("PUT", "/v1/zones/{zone_id}/redirects"): {"host": "www.example.com", "target": "https://example.com"},
    ("PUT", "/v1/credentials/{credential_id}/redirects"): {
        "redirects": [{"source": "example.com/old", "target": "https://example.net"}]
    },
    ("POST", "/v1/credentials/{credential_id}/redirects/remove"): {"sources": ["example.com/old"]},
    ("PUT", "/v1/templates/{template}"): {"records": [{"type": "A", "name": "@", "content": "192.0.2.1"}]},
    ("POST", "/v1/rollouts"): {"template": "parking", "every": True},
    ("POST", "/v1/rollouts/{number}/start"): {"digest": "0"},
    ("POST", "/v1/zones/sync"): {},
    ("PATCH", "/v1/zones/{zone_id}/settings"): {"settings": {"ssl": "full"}},
    ("POST", "/v1/zones/{zone_id}/purge"): {},
    ("POST", "/v1/zones/{zone_id}/records"): {"type": "A", "name": "www", "content": "192.0.2.1"},
    ("PATCH", "/v1/zones/{zone_id}/records/{record_id}"): {"content": "192.0.2.1"},
    ("POST", "/v1/zones/{zone_id}/records/batch"): {"delete": ["0123456789abcdef0123456789abcdef"]},
    ("POST", "/v1/zones/{zone_id}/records/import"): {"zone_file": "www 1 IN A 192.0.2.1"},
    ("POST", "/v1/backup"): {"passphrase": "a long passphrase"},
}


def modules(package: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(found.name)


def verbs() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Return every public function of a subject whose first argument is a Work."""
    for module in (*modules(access), *modules(vault), *modules(vpn)):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            first = next(iter(inspect.signature(function).parameters.values()), None)
            takes_work = first is not None and first.annotation in (Work, "Work")
            if takes_work and function.__module__ == module.__name__ and not name.startswith("_"):
                yield f"{module.__name__}.{name}", function


def test_every_verb_declares_its_permission() -> None:
    undeclared = {name for name, verb in verbs() if permission_of(verb) is None}

    assert undeclared == PARTS


def test_every_permission_guards_something() -> None:
    unused = set(Permission) - {permission_of(verb) for _, verb in verbs()}

    assert unused == set()


@pytest.fixture
async def instance(database: Database, tmp_path: Path) -> AsyncIterator[InProcess]:
    async with in_process(database, tmp_path) as made:
        yield made


def routes(instance: InProcess) -> list[tuple[str, str]]:
    """Return method and path of every route that is not public."""
    document = v1.create_api(Mounts(instance.parts).v1()).openapi()
    return [
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
        if path not in v1.PUBLIC
    ]


async def test_a_stranger_is_told_401_everywhere_and_leaves_no_trace(instance: InProcess) -> None:
    before = await instance.records()
    stranger = instance.stranger()

    told = {
        (method, path): (await stranger.request(method, path.format_map(VALUES), content=b"{nonsense")).status_code
        for method, path in [*routes(instance), ("GET", "/v1/nowhere"), ("DELETE", "/v1/health/x")]
    }

    assert {route: status for route, status in told.items() if status != 401} == {}
    assert len(told) > 30
    assert await instance.records() == before


async def test_a_token_without_permissions_is_denied_everywhere_and_each_denial_is_recorded(
    instance: InProcess,
) -> None:
    bot = instance.bearer((await instance.token()).secret.reveal())

    told = {
        (method, path): (
            await bot.request(method, path.format_map(VALUES), json=BODIES.get((method, path)))
        ).status_code
        for method, path in routes(instance)
    }

    assert {route for route, status in told.items() if status != 403} == {("GET", path) for path in NO_VERB}
    assert len(await instance.records(outcome="denied")) == len(told) - len(NO_VERB)


async def test_the_local_socket_is_nobody_else_s(instance: InProcess) -> None:
    answer = await instance.stranger("127.0.0.1").get("/v1/whoami")

    assert answer.status_code == 401
