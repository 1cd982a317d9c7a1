"""The doctor's examinations that need no running engine: machine, files, database, audit trail, settings.

Each takes plain values and returns findings; ``doctor.py`` runs them.
"""

import platform
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from keystead.access import datakeys, seal
from keystead.access.store import audit as audit_store
from keystead.db import checkup
from keystead.db.session import Database, Weight
from keystead.jobs import store as jobs
from keystead.jobs.store import State as JobState
from keystead.kit import names
from keystead.kit.machine import may_listen, own_address
from keystead.operations.instance import resources
from keystead.operations.instance.doctor import Check, Status
from keystead.operations.instance.engines import EngineStatus
from keystead.reconcile.engine import Condition, CoreView, EngineView, Health, KeeperView
from keystead.settings import PREFIX, Settings, unknown
from keystead.vault import alerts
from keystead.vault.store import looks
from keystead.vpn import clientrules
from keystead.vpn.clientrules import ClientVersions
from keystead.vpn.store import inbounds as inbound_store
from keystead.vpn.store import keys as key_store

PYTHON_OLDEST = (3, 11)
_LAG_MAX = 1000
_WAITING_MAX = 1000
_CREDENTIALS_TOLD_MAX = 5


def machine() -> Check:
    """Examine Python and the operating system."""
    told = f"Python {platform.python_version()} on {platform.system()} {platform.release()} {platform.machine()}"
    if sys.version_info[:2] < PYTHON_OLDEST:
        return Check("machine", Status.FAIL, told, "run Keystead with Python 3.11 or newer")
    if platform.system() != "Linux":
        return Check("machine", Status.FAIL, told, "run Keystead on Linux: engines are kept with Linux' own means")
    return Check("machine", Status.OK, told)


async def client_versions(database: Database, scope: str, wanted: ClientVersions) -> Check:
    """Examine whether the setting about old clients is in force."""
    name, versions = "client versions", await database.read(lambda found: clientrules.in_force(found, scope))
    if versions is None or versions is wanted:
        return Check(name, Status.OK, wanted.value)
    told = f"{versions.value} is in force, and the settings say {wanted.value}"
    return Check(name, Status.WARN, told, f"see whom it locks out, and approve it: keystead engine upgrade {scope}")


async def own_ports(database: Database, scope: str, pool: tuple[int, int]) -> Check:
    """Examine the range from which keys get a port of their own: how many are left, and who sits outside of it."""
    first, last = pool
    used, found = await database.read(
        lambda connection: (
            inbound_store.count_ports(connection, scope, first, last),
            key_store.own_ports(connection),
        )
    )
    free = last - first + 1 - used
    told = f"{first}-{last}: {used} taken, {free} free"
    outside = sum(not first <= key.port <= last for key in found)
    if outside:
        told += f"; {outside} more outside of the range"
    if not free:
        advice = "widen KEYSTEAD_VPN_PORTS and restart; until then no key with a port of its own can be issued"
        return Check("ports of keys", Status.WARN, told, advice)
    return Check("ports of keys", Status.OK, f"{told}; let them through the firewall if keys have ports of their own")


def setting_names() -> Sequence[Check]:
    """Examine whether variables that begin like settings are settings."""
    strange = unknown.found()
    advice = f"correct or remove what begins with {PREFIX} there, then restart"
    if not strange:
        return [Check("names of settings", Status.OK, f"every {PREFIX}… is a setting")]
    return [Check("names of settings", Status.WARN, each.sentence, advice) for each in strange]


def data_directory(path: Path) -> Check:
    """Examine who may read the data directory and how much room it has."""
    mode = stat.S_IMODE(path.stat().st_mode)
    free_bytes = resources.look(path).free_disk_bytes
    told = f"{path}, mode {mode:04o}, {free_bytes // 2**20} MB free"
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Check("data directory", Status.FAIL, told, f"run: chmod 700 {path}")
    if free_bytes < resources.FREE_DISK_MIN_BYTES:
        return Check("data directory", Status.WARN, told, "free some space: a full disk stops all changes")
    return Check("data directory", Status.OK, told)


def root_key(settings: Settings) -> Check:
    """Examine where the root key is and who may read it."""
    if settings.root_key is not None:
        return Check("root key", Status.OK, f"from {datakeys.ROOT_KEY_SETTING}; keep a copy of it apart from backups")
    path = settings.data_dir / datakeys.ROOT_KEY_FILE
    if not path.exists():
        advice = f"put {path} back from a copy before the next restart, or its secrets are lost"
        return Check("root key", Status.FAIL, f"{path} is gone", advice)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Check("root key", Status.FAIL, f"{path} has mode {mode:04o}", f"run: chmod 600 {path}")
    return Check("root key", Status.OK, f"{path}; keep a copy of it apart from the database")


async def database(opened: Database) -> Check:
    """Examine the database by its own means."""
    found = await opened.read(checkup.examine, Weight.LIST)
    if found.problems:
        told = f"{found.product}: {'; '.join(found.problems)}"
        return Check("database", Status.FAIL, told, "stop Keystead and restore a backup; keep the damaged file")
    if not found.is_current:
        return Check("database", Status.FAIL, f"{found.product}: migrations are missing", "run: keystead migrate")
    return Check("database", Status.OK, f"{found.product}, schema current, quick check passed")


async def audit_trail(opened: Database, data_dir: Path) -> Check:
    """Examine whether the trail is sealed as it grows, and its head kept."""
    waiting = await opened.read(audit_store.count_unsealed)
    head = seal.read_head(data_dir)
    if head is None:
        told, advice = f"{waiting} records wait for their seal and there is no head file", "run: keystead audit verify"
        return Check("audit trail", Status.WARN, told, advice)
    if await opened.read(lambda connection: audit_store.seal_at(connection, head.position)) != head.seal:
        told = f"the head file names position {head.position}, and the trail does not hold it"
        return Check("audit trail", Status.FAIL, told, "it was cut or rewritten; run: keystead audit verify")
    if waiting > _LAG_MAX:
        return Check("audit trail", Status.WARN, f"{waiting} records wait for their seal", "look for errors in the log")
    return Check("audit trail", Status.OK, f"{head.position} records sealed, {waiting} wait")


async def alert_mails(opened: Database, *, has_mail: bool) -> Check:
    """Examine whether alerts reach people by mail: what was given up, and what waits for the mail server."""
    name, advice = "alert mails", "look at KEYSTEAD_SMTP_URL; what was to be told: keystead domain drift, domain list"
    if not has_mail:
        return Check(name, Status.OK, "none are sent: no mail server is set")
    last = await opened.read(lambda connection: jobs.last_ended(connection, alerts.MAIL_KIND))
    waiting = await opened.read(lambda connection: jobs.put_off(connection, alerts.MAIL_KIND, limit=_WAITING_MAX))
    if last is not None and last.state is JobState.FAILED:
        told = f"the last one was not sent, {last.ended_at:%Y-%m-%d %H:%M} UTC: {last.message}"
        return Check(name, Status.WARN, told, advice)
    if waiting:
        told = f"{len(waiting)} wait since {waiting[0].created_at:%Y-%m-%d %H:%M} UTC: {waiting[0].message}"
        return Check(name, Status.WARN, told, advice)
    return Check(
        name, Status.OK, "none waits" if last is None else f"the last one was taken {last.ended_at:%Y-%m-%d} UTC"
    )


async def credentials(opened: Database) -> Check:
    """Examine whether providers take the credentials that are kept, and let them do what they were made for."""
    name, troubles = "credentials", await opened.read(looks.troubles)
    if not troubles:
        return Check(name, Status.OK, "none is refused, or is known to have lost a permission")
    told = [f"{one.provider} {one.id} ({one.alias}) {one.told}" for one in troubles[:_CREDENTIALS_TOLD_MAX]]
    told += [f"and {len(troubles) - len(told)} more"] if len(troubles) > len(told) else []
    advice = "see keystead credential list; connect the account again, or give the permissions back at the provider"
    return Check(name, Status.WARN, "; ".join(told), advice)


def engine_condition(name: str, status: EngineStatus) -> Check:
    """Examine how an engine is doing, with its last lines when it is not well."""
    health = status.health
    if health.condition is Condition.READY:
        return Check(name, Status.OK, f"{status.state}, serving, pid {status.pid}")
    told = f"{health.condition.value}: {health.reason}"
    lines = "; ".join(line for line in status.last_lines[-3:] if line)
    told = f"{told}; last lines: {lines}" if lines else told
    if health.condition is Condition.WARMING:
        advice = "wait some seconds and ask again; if it stays, look at the REALITY target of that inbound"
        return Check(name, Status.WARN, told, advice)
    if health.condition is Condition.PARTIAL:
        advice = "see whether its target answers from here, or move its keys: docs/engines/xray.md; the others serve"
        return Check(name, Status.FAIL, told, advice)
    return Check(name, Status.FAIL, told, "look at its last lines, here and in the data directory's log")


def engine_program(name: str, status: EngineStatus, view: EngineView) -> Check:
    """Tell which program runs and why this one, and whether an upgrade would choose another one."""
    told = f"{status.binary}, version {status.version}, {status.why}"
    if view.available is None:
        return Check(f"{name} program", Status.OK, told)
    other = f"{view.available.version} at {view.available.path} ({view.available.why}) would be chosen now"
    return Check(f"{name} program", Status.WARN, f"{told}; {other}", f"run: keystead engine upgrade {name}")


def keepers(name: str, view: EngineView) -> list[Check]:
    """Tell of the keepers and their processes: who serves, and who still sees connections off."""
    return [_keeper(name, keeper) for keeper in view.keepers]


def foreign_listeners(name: str, view: EngineView) -> list[Check]:
    """Examine whether others listen on the engine's ports beside it."""
    advice = "stop it now: the kernel deals customers' new connections to both"
    return [Check(f"{name} port", Status.FAIL, f"somebody else listens on {told}", advice) for told in view.foreign]


def _keeper(name: str, keeper: KeeperView) -> Check:
    ends = "ends with Keystead" if keeper.is_attached else "outlives Keystead"
    since = f", since {keeper.since:%Y-%m-%d %H:%M:%S} UTC" if keeper.since else ""
    told = f"pid {keeper.pid}, wire {keeper.version}, {ends}{since}; {cores_told(keeper.cores)}"
    if not keeper.is_understood:
        advice = "stop Keystead, run: keystead engine stop, and start Keystead; or go back to the Keystead it came from"
        return Check(f"{name} keeper", Status.FAIL, f"{told}; another version of Keystead started it", advice)
    if keeper.is_leading and not keeper.is_current:
        advice = f"run: keystead engine upgrade --keeper {name}"
        return Check(f"{name} keeper", Status.WARN, f"{told}; another keeper is installed", advice)
    troubles = [core.trouble for core in keeper.cores if core.trouble and core.state != "running"]
    if troubles:
        return Check(f"{name} keeper", Status.WARN, f"{told}; {'; '.join(troubles)}", "look at the engine's last lines")
    return Check(f"{name} keeper", Status.OK, told)


def cores_told(cores: Sequence[CoreView]) -> str:
    """Return processes in a few words each: role, version, pid, connections."""
    told = []
    for core in cores:
        has = "" if core.connections is None else f" with {core.connections} connections"
        told.append(f"{core.role}: {core.version} pid {core.pid}{has}")
    return ", ".join(told) or "no process"


def vpn_port(listen: str, port: int, health: Health) -> Check:
    """Examine whether the VPN has its port; ours holds it while the engine runs."""
    where = names.authority(listen, port)
    if health.condition is not Condition.DOWN:
        return Check("VPN port", Status.OK, f"{where} is held by the engine; let it through the firewall")
    if may_listen(listen, port):
        return Check("VPN port", Status.OK, f"{where} is free for the engine")
    advice = f"find who holds it with: ss -ltnp 'sport = :{port}'; below 1024 an engine needs root or a raised limit"
    return Check("VPN port", Status.FAIL, f"{where} is taken, or not permitted to this user", advice)


def public_host(settings: Settings, chosen: str) -> Check:
    """Examine the host that customers' links carry."""
    advice = "set KEYSTEAD_PUBLIC_HOST to what customers reach, before links are handed out; it is chosen once"
    if names.is_loopback(chosen):
        return Check("public host", Status.WARN, f"links carry {chosen}: they work on this machine only", advice)
    if settings.public_host is None:
        told = f"links carry {chosen}, this machine's own address when it was first started"
        status = Status.OK if chosen == own_address() else Status.WARN
        return Check("public host", status, told, None if status is Status.OK else advice)
    return Check("public host", Status.OK, f"links carry {chosen}")


def exposure(settings: Settings) -> Check:
    """Examine how the API can be reached."""
    doors = ", ".join(names.authority(*address) for address in settings.layout)
    where = f"{doors}, TLS {settings.tls}"
    if settings.tls == "off" and settings.is_reachable_by_others and not settings.trusted_proxies:
        advice = "set KEYSTEAD_TLS, or put a reverse proxy in front and name it in KEYSTEAD_TRUSTED_PROXIES"
        return Check("API", Status.WARN, f"{where}: tokens travel in the clear", advice)
    if settings.tls == "self-signed":
        advice = "clients must trust the certificate; KEYSTEAD_TLS=files takes one from an authority"
        return Check("API", Status.OK, f"{where}: with a certificate of its own", advice)
    return Check("API", Status.OK, where)


def subscription_address(settings: Settings, base_url: str) -> Check:
    """Examine the address at which customers' apps poll."""
    host = base_url.partition("://")[2].rpartition(":")[0].strip("[]") or base_url.partition("://")[2]
    if names.is_loopback(host):
        advice = "set KEYSTEAD_PUBLIC_URL to the address customers reach, for example https://sub.example.com"
        return Check("subscriptions", Status.WARN, f"{base_url} is reached from this machine only", advice)
    if base_url.startswith("http://"):
        advice = "set KEYSTEAD_PUBLIC_URL to an https:// address: a subscription holds the keys"
        return Check("subscriptions", Status.WARN, f"{base_url}: customers' keys travel in the clear", advice)
    if settings.public_url is None and settings.tls == "self-signed":
        advice = "set KEYSTEAD_PUBLIC_URL to an address with a certificate that apps trust"
        return Check("subscriptions", Status.WARN, f"{base_url}: apps refuse a certificate nobody signed", advice)
    return Check("subscriptions", Status.OK, base_url)


def target(problems: Sequence[str], warnings: Sequence[str], shown: str) -> list[Check]:
    """Turn the examination of the REALITY target into findings."""
    advice = "set KEYSTEAD_REALITY_TARGET to a site that passes; see docs/engines/reality-targets.md"
    if problems:
        return [Check("REALITY target", Status.FAIL, f"{shown}: {' '.join(problems)}", advice)]
    if warnings:
        return [Check("REALITY target", Status.WARN, f"{shown}: {' '.join(warnings)}", advice)]
    return [Check("REALITY target", Status.OK, f"{shown} passes: TLS 1.3, X25519, its certificate covers the names")]
