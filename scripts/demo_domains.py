"""Show four hundred domains moved to zones, end to end, in under two minutes: `make demo-domains`.

A real Keystead starts in a temporary directory; Cloudflare, Namecheap behind its relay, and DNS are stand-ins on
loopback that keep state and refuse now and then. A list is planned, approved, carried out with progress, paused and
continued; what failed is retried; then one domain is changed behind Keystead's back, and found by planning once more,
and one record, found by looking into its zone.
Every claim on the way is checked: the exit code is 0 only when all of them hold. Nothing is left behind.
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from demo import ClaimFailed, Story
from demo_surroundings import NotReady, keystead, world
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from tests.support.standins.cloudflare import MINE, Cloudflare, cloudflare
from tests.support.standins.dns import ADDRESS, NameServers, name_servers
from tests.support.standins.namecheap import API_KEY, OWN_DNS, USERNAME, Namecheap, Refused, namecheap

from keystead.access.permissions import ALL_PERMISSIONS, written_permissions
from keystead.kit.errors import KeysteadError

DOMAINS = 400
TEMPLATE = "template.pro"
MOVES = "/v1/domain-moves"
PARKED = ["ns1.parking.test", "ns2.parking.test"]
OPEN = {"waiting", "running"}
MOVED_WITHIN_S = 100.0


@dataclass
class Outside:
    """The stand-ins."""

    remote: Cloudflare
    registrar: Namecheap
    servers: NameServers
    domains: int = DOMAINS

    @property
    def zones(self) -> int:
        """Return how many domains have a zone before anything is done: three in ten."""
        return self.domains * 3 // 10

    def prepare(self) -> None:
        """Let the registrar have domains, and Cloudflare some of their zones and a template."""
        self.registrar.add_domains(self.domains)
        for name in sorted(self.registrar.domains)[: self.zones]:
            self.remote._zone(name, MINE, "pending")
        template = self.remote._zone(TEMPLATE, MINE, "active")
        for record in (
            {"type": "A", "name": TEMPLATE, "content": "192.0.2.10"},
            {"type": "CNAME", "name": f"www.{TEMPLATE}", "content": TEMPLATE},
            {"type": "MX", "name": TEMPLATE, "content": f"mail.{TEMPLATE}", "priority": 10},
        ):
            self.remote._add(template["id"], {"ttl": 300, **record})
        self.servers.delegated = self.remote.delegated = self.delegated

    def delegated(self, name: str) -> Sequence[str] | None:
        """Return to whom a domain is delegated: the parents follow the registrar."""
        return self.registrar.name_servers.get(name, OWN_DNS) if name in self.registrar.domains else None

    def settings(self) -> dict[str, str]:
        """Return what a Keystead has to know of the stand-ins."""
        return {
            "KEYSTEAD_PROVIDER_CLOUDFLARE_URL": self.remote.url,
            "KEYSTEAD_PROVIDER_NAMECHEAP_URL": self.registrar.url,
            # The real Namecheap takes twenty a minute: four hundred domains take it three quarters of an hour.
            "KEYSTEAD_PROVIDER_NAMECHEAP_A_MINUTE": "100000",
            "KEYSTEAD_DNS_RESOLVERS": ADDRESS,
            "KEYSTEAD_DNS_PORT": str(self.servers.port),
        }


async def play(story: Story, directory: Path, domains: int) -> None:
    """Play the demo; raise ClaimFailed at the first claim that does not hold."""
    async with AsyncExitStack() as stack:
        outside = Outside(*(stack.enter_context(one()) for one in (cloudflare, namecheap, name_servers)))  # type: ignore[operator]
        outside.domains = domains
        outside.prepare()
        told = f"{domains} domains at a registrar, {outside.zones} of them with a zone already"
        story.console.print(told, style="bold")
        async with story.step("Starting Keystead"):
            site = await stack.enter_async_context(world(directory, b""))
            await stack.enter_async_context(keystead(directory, site, **outside.settings()))
        transport = httpx2.AsyncHTTPTransport(uds=str(directory / "data" / "run" / "control.sock"))
        local = await stack.enter_async_context(
            httpx2.AsyncClient(transport=transport, base_url="http://keystead", timeout=90.0)
        )
        await connect(story, local, outside)
        listed = write_list(directory / "domains.csv", outside)
        await plan(story, directory, outside, listed)
        moved = await move(story, local, outside, listed)
        await drift(story, local, outside, listed)
        await record_drift(story, local, outside)
        await tell_results(story, directory, moved, outside)


async def connect(story: Story, local: httpx2.AsyncClient, outside: Outside) -> None:
    """Connect both providers as an owner does: a bootstrap token that is gone afterwards, and a user with its key."""
    (await local.put("/v1/providers/namecheap/relay", json=outside.registrar.relay())).raise_for_status()
    bootstrap = outside.remote.bootstrap()
    asked = {"cf_account_id": MINE, "bootstrap_token": bootstrap.value}
    wanted = {"name": "owner", "permissions": written_permissions(ALL_PERMISSIONS)}
    token = (await local.post("/v1/tokens", json=wanted)).json()["secret"]
    owner = {"authorization": f"Bearer {token}"}
    login = {"username": USERNAME, "api_key": API_KEY}
    first = await local.post("/integrations/cloudflare/init", json=asked, headers=owner)
    second = await local.post("/integrations/namecheap/init", json=login, headers=owner)
    is_gone = outside.remote.by_value(bootstrap.value) is None
    told = f"Cloudflare ({first.json().get('sync', {}).get('zones')} zones) and Namecheap are connected"
    holds = first.is_success and second.is_success and is_gone
    story.claim(f"{told}; the bootstrap token is gone", holds=holds, otherwise=f"{first.text} {second.text}")


def write_list(file: Path, outside: Outside) -> Path:
    """Write the list that the owner has, two mistakes in it."""
    names = [*sorted(outside.registrar.domains), "somebody-elses.com", "www.domain-001.pro"]
    file.write_text("domain,source\n" + "".join(f"{name},{TEMPLATE}\n" for name in names))
    return file


async def plan(story: Story, directory: Path, outside: Outside, listed: Path) -> None:
    """Show the plan as the command prints it."""
    printed = await command(directory, "domain", "move", "plan", str(listed))
    lines = printed.splitlines()
    for line in (lines[0], *lines[1:4], "  …", *lines[-4:]):
        story.tell(line)
    holds = lines[0].startswith(f"{outside.domains} domains are moved, {outside.domains - outside.zones} zones made")
    story.claim("The plan has it all, and names what cannot be moved with the reason", holds=holds, otherwise=printed)


async def move(story: Story, local: httpx2.AsyncClient, outside: Outside, listed: Path) -> int:
    """Approve the plan, watch, pause and continue, retry what failed; return the move's number."""
    order = ordered(listed)
    digest = (await local.post(MOVES, json={**order, "dry_run": True})).json()["digest"]
    locked = sorted(outside.registrar.domains)[outside.domains // 3]
    outside.registrar.refused[locked] = Refused("2030166", "Edit permission for domain is not supported")
    begun = time.monotonic()
    number = int((await local.post(MOVES, json={**order, "digest": digest})).json()["id"])
    # A new zone is not active within seconds of being made: the move is not over when a quarter of them is there.
    async with asyncio.timeout(MOVED_WITHIN_S):
        while len(outside.remote.zones) < outside.zones + (outside.domains - outside.zones) // 4:
            await asyncio.sleep(0.05)
    paused = (await local.post(f"{MOVES}/{number}/pause")).json()
    made = len(outside.remote.zones) - 1 - outside.zones
    await asyncio.sleep(1.0)
    still = (await local.get(f"{MOVES}/{number}")).json()
    told = f"Paused with {made} zones made and {paused['done']} domains done: nothing goes on until it is continued"
    is_still = (still["state"], still["done"], still["stages"]) == ("paused", paused["done"], paused["stages"])
    story.claim(told, holds=is_still, otherwise=f"{paused} {still}")
    await local.post(f"{MOVES}/{number}/continue")
    done = await until(story, local, number, done=outside.domains + 1)
    failed = (await local.get(f"{MOVES}/{number}/results", params={"state": "failed"})).json()["items"]
    story.claim(
        f"{done['states']['done']} are done; failed: {', '.join(one['reason'] for one in failed)}",
        holds=(len(failed), done["states"]["done"]) == (1, outside.domains - 1),
        otherwise=str(done),
    )
    outside.registrar.refused.clear()
    await local.post(f"{MOVES}/{number}/retry")
    done = await until(story, local, number, done=outside.domains + 1)
    took_s = time.monotonic() - begun
    names = [zone["name"] for zone in outside.remote.zones.values()]
    story.claim(
        f"After a retry all {outside.domains} are done, in {took_s:.0f} s; no zone is there twice",
        holds=done["states"]["done"] == outside.domains and len(names) == len(set(names)) == outside.domains + 1,
        otherwise=str(done),
    )
    return number


async def drift(story: Story, local: httpx2.AsyncClient, outside: Outside, listed: Path) -> None:
    """Change one domain behind Keystead's back, find it by comparing registrar, zone and DNS, and mend it."""
    victim = sorted(outside.registrar.domains)[outside.domains // 2]
    outside.registrar.name_servers[victim] = list(PARKED)
    order = ordered(listed, with_source=False)
    found = (await local.post(MOVES, json={**order, "dry_run": True})).json()
    [drifted] = [one for one in found["items"] if one["fate"] == "change"] or [{"domain": "none", "delegated": []}]
    told = (
        f"{found['same']} are as they should be; {drifted['domain']} is delegated to {', '.join(drifted['delegated'])}"
    )
    holds = (drifted["domain"], drifted["delegated"], found["same"]) == (victim, PARKED, outside.domains - 1)
    story.claim(f"Changed behind our back, and found: {told}", holds=holds, otherwise=str(found["change"]))
    number = int((await local.post(MOVES, json={**order, "digest": found["digest"]})).json()["id"])
    await until(story, local, number, done=2)
    again = (await local.post(MOVES, json={**order, "dry_run": True})).json()
    story.claim(
        "Moved once more, it is as it should be", holds=(again["change"], again["same"]) == (0, outside.domains)
    )


async def record_drift(story: Story, local: httpx2.AsyncClient, outside: Outside) -> None:
    """Change one record behind Keystead's back, find it by looking into its zone, and put it back."""
    victim = sorted(outside.registrar.domains)[outside.domains // 4]
    [zone] = (await local.get("/v1/zones", params={"name": victim})).json()["items"]
    compare = f"/v1/zones/{zone['id']}/compare"
    before = (await local.post(compare)).json()
    record = next(one for one in outside.remote.records[zone["remote_id"]].values() if one["type"] == "A")
    right, record["content"] = record["content"], "198.51.100.7"
    found = (await local.post(compare)).json()
    record["content"] = right
    after = (await local.post(compare)).json()
    seen = (found["records"] or {}).get("seen", [])
    story.claim(
        f"A record changed behind our back, and found: {', '.join(seen)}",
        holds=before["records"] is None and len(seen) == 1 and "198.51.100.7" in seen[0],
        otherwise=f"{before} {found}",
    )
    story.claim("Put back, it is as it should be", holds=after["records"] is None, otherwise=str(after))


async def tell_results(story: Story, directory: Path, number: int, outside: Outside) -> None:
    """Print what registrar, zones and DNS say in the end, and write the results to a table."""
    zones = {zone["name"]: zone for zone in outside.remote.zones.values() if zone["name"] != TEMPLATE}
    at_registrar = sum(outside.registrar.name_servers.get(name) == zones[name]["name_servers"] for name in zones)
    in_dns = sum(sorted(outside.delegated(name) or ()) == sorted(zones[name]["name_servers"]) for name in zones)
    active = sum(zone["status"] == "active" for zone in zones.values())
    records = sum(len(outside.remote.records.get(zone["id"], {})) for zone in zones.values())
    requests = (f"{len(one.came):,}" for one in (outside.remote, outside.registrar))
    rows = [(f"{at_registrar}", f"{in_dns}", f"{active}", f"{records:,}", *requests)]
    columns = ("at the registrar", "in DNS", "zones active", "records copied", "asked Cloudflare", "asked Namecheap")
    story.figures(f"{outside.domains} domains, as each side tells it", columns, rows)
    story.claim("Registrar, zones and DNS agree", holds=at_registrar == in_dns == active == outside.domains)
    await command(directory, "domain", "move", "results", str(number), "--csv", str(directory / "results.csv"))
    lines = (directory / "results.csv").read_text().splitlines()
    story.claim("The results are a table, with the name servers as they were", holds=len(lines) == outside.domains + 3)


def ordered(listed: Path, *, with_source: bool = True) -> dict[str, Any]:
    """Return the body of the list."""
    names = [line.partition(",")[0] for line in listed.read_text().splitlines()[1:]]
    return {"domains": [{"domain": name} for name in names], **({"source": TEMPLATE} if with_source else {})}


async def until(story: Story, local: httpx2.AsyncClient, number: int, *, done: int) -> Mapping[str, Any]:
    """Show the progress of a move until so many are done or it has ended; return how it stands."""
    columns = (TextColumn("  {task.description}"), BarColumn(bar_width=30), MofNCompleteColumn())
    end_s = time.monotonic() + MOVED_WITHIN_S
    with Progress(*columns, console=story.console, transient=True, disable=not story.console.is_terminal) as shown:
        task = shown.add_task("moving", total=None)
        while True:
            found: dict[str, Any] = (await local.get(f"{MOVES}/{number}")).json()
            stages = ", ".join(f"{count} at {stage}" for stage, count in found["stages"].items())
            shown.update(task, total=found["total"], completed=found["done"], description=stages)
            if found["state"] not in OPEN or found["done"] >= done:
                return found
            if time.monotonic() > end_s:
                raise ClaimFailed(f"the move does not end: {found}")
            await asyncio.sleep(0.1)


async def command(directory: Path, *arguments: str) -> str:
    """Run a command of Keystead's and return what it prints."""
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "keystead", "--data-dir", str(directory / "data"), *arguments),
        env={**os.environ, "COLUMNS": "160"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await asyncio.wait_for(running.communicate(), 90)
    if running.returncode:
        raise ClaimFailed(printed.decode())
    return printed.decode()


async def run(story: Story, domains: int) -> int:
    """Play the demo in a directory of its own; return the exit code."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with tempfile.TemporaryDirectory(prefix="keystead-demo-") as directory:
        try:
            await play(story, Path(directory), domains)
        except (ClaimFailed, NotReady, KeysteadError, httpx2.HTTPError, TimeoutError) as error:
            story.console.print(f"The demo failed: {error}", style="red", markup=False, soft_wrap=True)
            return 1
    story.claim("Every claim holds; nothing is left running, nothing on disk", holds=not Path(directory).exists())
    return 0


def main() -> int:
    """Read the command line and play."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--domains", type=int, default=DOMAINS, help=f"how many domains (default: {DOMAINS})")
    wanted = parser.parse_args()
    story = Story(Console())
    try:
        return asyncio.run(run(story, wanted.domains))
    except (KeyboardInterrupt, asyncio.CancelledError):
        story.console.print("Interrupted; everything was taken down.", style="yellow")
        return 130


if __name__ == "__main__":
    sys.exit(main())
