"""The play: workers create, delete, dial, download and read figures, while rounds of disturbances go over the stage.

A seed draws every round beforehand: what is done, when, how long. The same seed does the same at the same moments;
what the machine makes of it in between is its own.
"""

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

import httpx2

from tests.chaos import customers, invariants
from tests.chaos.disturbances import DISTURBANCES, UNWRITABLE
from tests.chaos.ledger import Key
from tests.chaos.stage import Stage

CUT_WITHIN_S = 2.0
_DIALLED_AT_ONCE = 6
# A machine that is busy with other things serves a dial late; a key that is refused hears of it sooner.
_SERVED_WITHIN_S, _REFUSED_WITHIN_S = 10.0, 3.0
_CREATED_WITHIN_S = 10.0
_EXPECTED = {200, 404, 503}
# What the wire says of a database that is full or locked.
STORAGE_FAILED = "Database error"


@dataclass(frozen=True)
class Happening:
    """One disturbance of a round: how long after the round's begin, and how long."""

    what: str
    after_s: float
    lasting_s: float

    def __str__(self) -> str:
        return f"{self.what} (at {self.after_s:.2f} s for {self.lasting_s:.2f} s)"


Round = tuple[Happening, ...]


def draw(
    seed: int, count: int, *, longest_s: float, only: tuple[str, ...] = (), at_once: tuple[int, ...] = (1, 2)
) -> list[Round]:
    """Draw rounds of so many disturbances at once; each comes once before any comes again."""
    rng, deck, rounds = random.Random(seed), list[str](), list[Round]()
    for _ in range(count):
        happenings = list[Happening]()
        for _ in range(rng.choice(at_once)):
            if not deck:
                deck = list(only or DISTURBANCES)
                rng.shuffle(deck)
            what = deck.pop()
            if what in {happening.what for happening in happenings}:
                continue
            happenings.append(Happening(what, rng.uniform(0.0, 0.6), rng.uniform(0.2, longest_s)))
        rounds.append(tuple(happenings))
    return rounds


@dataclass
class Play:
    """The workers of one run and what they share."""

    stage: Stage
    rng: random.Random
    keys_wanted: int
    calm: int = 1
    is_calm: bool = True
    working: asyncio.Event = field(default_factory=asyncio.Event)
    busy: int = 0
    is_disturbed: bool = False
    is_unwritable: bool = False
    quiet_s: float = 0.0
    downloading: set[int] = field(default_factory=set)

    async def run(self, rounds: list[Round], tell: Callable[[str], None]) -> None:
        """Work through all rounds; violations stand in the ledger."""
        ledger = self.stage.ledger
        template = await self.stage.instance.create("template")
        profile = await self.stage.instance.profile(template["key_id"])
        ledger.alive[template["key_id"]] = Key(template["key_id"], profile)
        ledger.keep_secret("private key", self.stage.private_keys())
        ledger.keep_secret("token", [self.stage.instance.token])
        ledger.keep_secret("customer's address", [invariants.CUSTOMER])
        ledger.keep_secret("destination", [invariants.DESTINATION])
        self.working.set()
        jobs = [self._create, self._create, self._create, self._delete, self._delete, self._dial, self._watch]
        workers = [asyncio.create_task(self._work(job)) for job in [*jobs, self._download, self._download]]
        try:
            for number, happenings in enumerate(rounds, 1):
                await asyncio.sleep(self.rng.uniform(0.3, 0.8))
                await self._until_created(self.keys_wanted * (number - 1) // len(rounds))
                tell(f"round {number}: {', '.join(map(str, happenings))}")
                await self._round(happenings)
                tell(f"  {invariants.summary(ledger)}")
        finally:
            for worker in workers:
                worker.cancel()
            for outcome in await asyncio.gather(*workers, return_exceptions=True):
                ledger.require(not isinstance(outcome, Exception), f"a worker of the suite failed: {outcome!r}")

    async def _until_created(self, count: int) -> None:
        """Wait until so many keys were created, for as long as that may take undisturbed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CREATED_WITHIN_S):
                while self.stage.ledger.counts.get("POST 200", 0) < count:
                    await asyncio.sleep(0.1)

    async def _round(self, happenings: Round) -> None:
        self.is_calm, self.is_disturbed = False, True
        self.is_unwritable = any(happening.what in UNWRITABLE for happening in happenings)
        self.calm += 1

        async def happen(happening: Happening) -> None:
            await asyncio.sleep(happening.after_s)
            await DISTURBANCES[happening.what](self.stage, happening.lasting_s)

        await asyncio.gather(*map(happen, happenings))
        self.quiet_s, self.is_disturbed = time.monotonic(), False
        self.is_unwritable = False
        self.working.clear()
        where = f"after {', '.join(happening.what for happening in happenings)}"
        await invariants.require_agreement(self.stage, self.quiet_s, where)
        with suppress(TimeoutError):
            async with asyncio.timeout(25):
                while self.busy:
                    await asyncio.sleep(0.05)
        await invariants.require_calm(self.stage, self.rng, where)
        self.is_calm = True
        self.working.set()

    # --- workers ---

    async def _work(self, job: Callable[[httpx2.AsyncClient], Awaitable[None]]) -> None:
        instance = self.stage.instance
        headers = {"Authorization": f"Bearer {instance.token}"}
        while True:
            async with httpx2.AsyncClient(base_url=instance.url, headers=headers, timeout=20.0) as http:
                await self.working.wait()
                with self._being_busy():
                    await job(http)
            await asyncio.sleep(self.rng.uniform(0.02, 0.1))

    @contextmanager
    def _being_busy(self) -> Iterator[None]:
        self.busy += 1
        try:
            yield
        finally:
            self.busy -= 1

    async def _ask(self, http: httpx2.AsyncClient, method: str, path: str, **more: object) -> httpx2.Response | None:
        """Ask, and take note of an answer that no disturbance excuses; None when there was none."""
        ledger, was_calm = self.stage.ledger, self.is_calm
        try:
            answer = await http.request(method, path, **more)  # type: ignore[arg-type]
        except httpx2.HTTPError:
            ledger.count("unanswered")
            return None
        ledger.count(f"{method} {answer.status_code}")
        is_storage = not (was_calm and self.is_calm) and answer.status_code == 500 and STORAGE_FAILED in answer.text
        is_expected = answer.status_code in _EXPECTED or is_storage
        ledger.require(is_expected, f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer

    async def _create(self, http: httpx2.AsyncClient) -> None:
        ledger = self.stage.ledger
        if ledger.counts.get("POST 200", 0) >= self.keys_wanted:
            await asyncio.sleep(0.2)
            return
        answer = await self._ask(http, "POST", "/api/keys", json={"name": "chaos"})
        if answer is not None and answer.status_code == 200:
            body = answer.json()
            profile = replace(next(iter({**ledger.dead, **ledger.alive}.values())).profile, uuid=body["uuid"])
            ledger.alive[body["key_id"]] = Key(body["key_id"], profile)
            ledger.keep_secret("UUID", [body["uuid"]])

    async def _delete(self, http: httpx2.AsyncClient) -> None:
        ledger = self.stage.ledger
        if len(ledger.alive) > 8 and not (ledger.doubtful and self.rng.random() < 0.3):
            downloading = sorted(self.downloading & ledger.alive.keys() - {min(ledger.alive)})
            number = self.rng.choice(downloading or sorted(ledger.alive)[1:])
            ledger.doubtful[number] = ledger.alive.pop(number)
        elif ledger.doubtful:
            number = self.rng.choice(sorted(ledger.doubtful))
        else:
            await asyncio.sleep(0.1)
            return
        key = ledger.doubtful[number]
        name = f"uuid/{key.profile.uuid}" if self.rng.random() < 0.5 else number
        answer = await self._ask(http, "DELETE", f"/api/keys/{name}")
        if answer is not None and answer.status_code in {200, 404}:
            ledger.doubtful.pop(number, None)
            ledger.dead[number] = key

    async def _dial(self, _: httpx2.AsyncClient) -> None:
        ledger, calm, was_calm = self.stage.ledger, self.calm, self.is_calm
        untried = [key for key in ledger.alive.values() if not key.is_tried]
        living = untried[:_DIALLED_AT_ONCE] or self._some(ledger.alive, 3)
        dead = self._some(ledger.dead, 2)
        keys = [*living, *dead]
        told = await asyncio.gather(
            customers.dial(self.stage, [key.profile for key in living], within_s=_SERVED_WITHIN_S),
            customers.dial(self.stage, [key.profile for key in dead], within_s=_REFUSED_WITHIN_S),
        )
        served = [was_served for part in told for was_served in part]
        is_calm_still = was_calm and calm == self.calm
        for key, was_served in zip(keys, served, strict=True):
            ledger.count("dials served" if was_served else "dials refused")
            if key in dead:
                ledger.require(not was_served, f"key {key.number} dials although its delete was answered")
            elif was_served:
                key.is_tried = True
            elif is_calm_still and key.number in ledger.alive:
                ledger.require(False, f"key {key.number} does not dial, and nothing disturbs")

    def _some(self, keys: dict[int, Key], count: int) -> list[Key]:
        return [keys[number] for number in self.rng.sample(sorted(keys), min(count, len(keys)))]

    async def _download(self, _: httpx2.AsyncClient) -> None:
        """Download for a while; of a key that is deleted meanwhile, until it is cut."""
        ledger = self.stage.ledger
        [key] = self._some(ledger.alive, 1)
        end_s, dead_s = time.monotonic() + self.rng.uniform(1.0, 4.0), math.inf
        async with customers.downloading(self.stage, key.profile) as download:
            while not download.is_over:
                await asyncio.sleep(0.1)
                now_s = time.monotonic()
                if download.received:
                    self.downloading.add(key.number)
                if key.number in ledger.dead:
                    dead_s = min(dead_s, now_s)
                    if not self.is_disturbed and now_s - max(dead_s, self.quiet_s) > CUT_WITHIN_S:
                        if not download.received and not download.is_connected(self.stage.instance.vpn_port):
                            ledger.count("clients that dialled for a deleted key")
                            break
                        what = f"{download.received} bytes came, the last {now_s - download.moved_s:.1f} s ago"
                        seen = "sees" if self._is_seen(key) else "does not see"
                        ago = f"deleted {now_s - dead_s:.1f} s ago"
                        ledger.require(False, f"key {key.number} downloads, {ago}: {what}; the keeper {seen} it")
                        break
                elif now_s > end_s or not self.working.is_set():
                    break
        self.downloading.discard(key.number)
        ledger.count("downloads cut" if download.received and dead_s < math.inf else "downloads")

    def _is_seen(self, key: Key) -> bool:
        """Tell whether the keeper knows of a connection of this key."""
        with suppress(OSError, ValueError):
            return any(label.startswith(f"k{key.number}-") for label in self.stage.connected_labels())
        return False

    async def _watch(self, http: httpx2.AsyncClient) -> None:
        """Read totals: an account's, and those of some keys; none may ever fall.

        What is shown while the database takes no writes is known to Keystead's memory alone until it does again, so a
        kill may take it; then it is no promise yet.
        """
        ledger = self.stage.ledger
        for key in self._some(ledger.alive, 3):
            answer = await self._ask(http, "GET", f"/api/keys/{key.number}/traffic")
            if answer is not None and answer.status_code == 200:
                is_kept = not self.is_unwritable
                ledger.take_figure(f"total of key {key.number}", answer.json()["total"], is_kept=is_kept)
        with suppress(httpx2.HTTPError, OSError):
            async with self.stage.operator() as operator:
                told = await operator.get("/v1/vpn/traffic")
                if told.status_code == 200:
                    ledger.take_figure("the account's total", invariants.account_total(told.json()), is_kept=True)
        await asyncio.sleep(0.2)
