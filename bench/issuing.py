"""Issuing a key: from the request to the first GET through the tunnel, to its 200, and many at once."""

from dataclasses import dataclass
from pathlib import Path

from bench.client import WarmClient, warm_client
from bench.controls import BareCore, BareDatabase
from bench.figures import Row, at_most, median_ratio, milliseconds, p99, take_turns
from bench.instances import Instance, bare_framework, instances
from bench.load import LoadGenerator
from bench.processes import ProcessCount
from bench.scale import Scale
from bench.wire import Wire, request_bytes
from keystead.vpn.links import parse_link
from keystead.vpn.values import ClientProfile


@dataclass
class _Bench:
    """One instance and everything its turns need."""

    instance: Instance
    wire: Wire
    core: BareCore
    database: BareDatabase
    hello: Wire
    client: WarmClient
    profile: ClientProfile

    async def dial(self, uuid: str) -> float:
        """Exchange the client's profile, which is not timed, and return the seconds of the first GET."""
        await self.client.use(ClientProfile(**{**vars(self.profile), "uuid": uuid}))
        took_s = await self.client.get(self.instance.world.origin)
        if took_s is None:
            raise RuntimeError("a key that got its 200 does not connect")
        return took_s

    async def ours_to_get(self) -> float:
        """Issue a key over HTTP and GET through the tunnel."""
        took_s, answer = self.wire.ask("POST", "/api/keys", b'{"name":"anna"}')
        return took_s + await self.dial(_uuid(answer))

    async def bare_to_get(self) -> float:
        """Add a user to the same core and GET through the tunnel."""
        took_s, user = self.core.add()
        dialled_s = await self.dial(user.uuid)
        self.core.remove(user)
        return took_s + dialled_s

    async def ours_to_200(self) -> float:
        """Issue a key over HTTP."""
        return self.wire.ask("POST", "/api/keys", b'{"name":"anna"}')[0]

    async def bare_to_200(self) -> float:
        """Do the three things by themselves: an answer of the framework, a commit, a call of the core."""
        took_s, user = self.core.add()
        self.core.remove(user)
        return took_s + self.database.issue() + self.hello.ask("GET", "/")[0]


def _uuid(answer: bytes) -> str:
    return answer.split(b'"uuid":"', 1)[1][:36].decode()


async def measure(directory: Path, scale: Scale) -> list[Row]:
    """Measure at every number of keys."""
    rows: list[Row] = []
    async with (
        instances(directory / "issuing", scale.keys) as running,
        warm_client() as client,
        bare_framework(directory) as hello_port,
        LoadGenerator() as load,
    ):
        for keys, instance in running.items():
            bench = _bench(instance, client, hello_port)
            try:
                rows += await _measure(bench, f"{keys:,} keys", scale, load)
            finally:
                for opened in (bench.wire, bench.hello, bench.core, bench.database):
                    opened.close()
    return [*rows, *_flatness(rows)]


def _bench(instance: Instance, client: WarmClient, hello_port: int) -> _Bench:
    wire = instance.wire()
    created = wire.ask_json("POST", "/api/keys", {"name": "first"})
    link = wire.ask_json("GET", f"/api/keys/{created['key_id']}/link")["vless_link"]
    database = BareDatabase(instance.data_dir / "keystead.db", instance.directory / "copy.db")
    return _Bench(
        instance,
        wire,
        BareCore(instance.engine_socket, database.tag),
        database,
        Wire(hello_port),
        client,
        parse_link(link),
    )


async def _measure(bench: _Bench, case: str, scale: Scale, load: LoadGenerator) -> list[Row]:
    to_get = await take_turns(scale.rounds, {"ours": bench.ours_to_get, "bare": bench.bare_to_get})
    to_200 = await take_turns(scale.rounds, {"ours": bench.ours_to_200, "bare": bench.bare_to_200})
    return [
        Row(
            "request to first GET through the tunnel",
            case,
            median_ratio(to_get["ours"], to_get["bare"]),
            at_most(1.6),
            note=f"{milliseconds(to_get['ours'])} over AddUser and dial: {milliseconds(to_get['bare'])}",
        ),
        Row(
            "request to 200",
            case,
            median_ratio(to_200["ours"], to_200["bare"]),
            at_most(2.0),
            note=f"{milliseconds(to_200['ours'])} over AddUser, commit, hello: {milliseconds(to_200['bare'])}",
        ),
        Row("request to 200, p99 of both", case, p99(to_200["ours"]) / p99(to_200["bare"]), None),
        _processes(bench, case),
        await _throughput(bench, case, scale, load),
    ]


def _processes(bench: _Bench, case: str) -> Row:
    """Do everything once and tell how many of the operations started a process."""
    process = bench.instance.process
    assert process is not None
    key = bench.wire.ask_json("POST", "/api/keys", {"name": "anna"})["key_id"]
    operations = [
        ("POST", "/api/keys"),
        ("GET", f"/api/keys/{key}/traffic"),
        ("POST", "/api/traffic/sync"),
        ("DELETE", f"/api/keys/{key}"),
    ]
    with_processes = 0
    for method, path in operations:
        count = ProcessCount(process.pid, bench.instance.core().pid)
        bench.wire.ask(method, path)
        with_processes += count.has_changed()
    return Row("processes started: create, traffic, sync, delete", case, with_processes, at_most(0), unit="")


async def _throughput(bench: _Bench, case: str, scale: Scale, load: LoadGenerator) -> Row:
    """Issue keys over eight connections, against the three bare things one after the other."""
    request = request_bytes("POST", "/api/keys", b'{"name":"anna"}', bench.wire.token)
    port = bench.instance.port

    async def ours() -> float:
        return (await load.load(port, 8, scale.load_s, request)).per_second

    measured = await take_turns(scale.rounds_of_load, {"ours": ours, "bare": bench.bare_to_200}, warm_up=1)
    ours_per_s = sorted(measured["ours"])[len(measured["ours"]) // 2]
    bare_s = sorted(measured["bare"])[len(measured["bare"]) // 2]
    return Row(
        "creates per second over 8 connections, real engine",
        case,
        ours_per_s * bare_s,
        None,
        note=f"{ours_per_s:,.0f} a second; the bare three, one after the other: {1 / bare_s:,.0f}",
    )


def _flatness(rows: list[Row]) -> list[Row]:
    """Compare the most keys with none: issuing must not grow with what is there."""
    ratios = [row.value for row in rows if row.what.startswith("request to first GET")]
    return [Row("the same ratio, most keys over fewest", "", ratios[-1] / ratios[0], None)]
