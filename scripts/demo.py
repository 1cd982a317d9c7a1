"""Show Keystead at work, end to end, in under a minute: `make demo`.

A real Keystead with its own Xray starts in a temporary directory on free ports of this machine, with a TLS 1.3 site
to hide behind and an origin to download from. A key is issued, a real Xray client is built from nothing but its link,
and every claim on the way is checked: the exit code is 0 only when all of them hold. Nothing is left behind, not even
after Ctrl-C.

What runs here is what a user runs: `keystead serve`, HTTP, the link, `xray run`, curl.
"""

import argparse
import asyncio
import hashlib
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from demo_surroundings import NotReady, World, download, keystead, vpn_client, world
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from keystead.kit.errors import KeysteadError

# What the core counts beyond the body: the headers of the answer. TLS and TCP around it are not in its counters.
HEADERS_SIZE_MAX_BYTES = 4096
REFUSED_WITHIN_S = 10.0
# Wide enough for a link's parameters on two lines.
PICTURE_WIDTH = 118
# Rich's pictures fetch a font from elsewhere; ours show whatever monospace font the reader has.
OWN_FONTS_ONLY = re.sub(r"@font-face {{.*?}}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


class ClaimFailed(Exception):
    """Something the demo promises is not so."""


# --- telling the story -----------------------------------------------------------------------------------------------


class Story:
    """What the reader sees: a line for each step, a spinner or a bar while it lasts on a terminal."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            DownloadColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def begin(self) -> None:
        """Say what is coming."""
        self.console.print("Keystead, end to end on this machine", style="bold")

    @asynccontextmanager
    async def step(self, title: str, file: Path | None = None, size_bytes: int | None = None) -> AsyncIterator[None]:
        """Show a step while it lasts: a bar when a file grows to a known size."""
        with self._progress:
            task = self._progress.add_task(title, total=size_bytes)
            watcher = asyncio.create_task(self._watch(task, file))
            try:
                yield
            finally:
                watcher.cancel()
                self._progress.remove_task(task)

    async def _watch(self, task: Any, file: Path | None) -> None:
        while file is not None:
            self._progress.update(task, completed=file.stat().st_size if file.exists() else 0)
            await asyncio.sleep(0.05)

    def tell(self, text: str) -> None:
        """Show a long line: whole, so that it can be copied; folded in a picture."""
        if self.console.record:
            self.console.print(Padding(Text(text, overflow="fold"), (0, 0, 0, 2)))
        else:
            self.console.print(f"  {text}", markup=False, highlight=False, soft_wrap=True)

    def claim(self, text: str, *, holds: bool, otherwise: str = "") -> None:
        """State a claim and whether it holds; end the demo when it does not."""
        self.console.print("✓" if holds else "✗", style="bold green" if holds else "bold red", end=" ")
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)
        if not holds:
            raise ClaimFailed(otherwise or text)

    def figures(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table."""
        table = Table(*columns, title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2))
        for row in rows:
            table.add_row(*row)
        self.console.print()
        self.console.print(table, soft_wrap=True)
        self.console.print()


# --- the demo --------------------------------------------------------------------------------------------------------


async def play(story: Story, directory: Path, size_bytes: int) -> None:
    """Play the demo; raise ClaimFailed at the first claim that does not hold."""
    story.begin()
    async with AsyncExitStack() as stack:
        begun = time.monotonic()
        async with story.step("Starting Keystead and its Xray; REALITY examines its target once, for five seconds"):
            outside = await stack.enter_async_context(world(directory, os.urandom(size_bytes)))
            http = await stack.enter_async_context(keystead(directory, outside))
        story.claim(f"Keystead and its Xray are ready after {time.monotonic() - begun:.1f} s", holds=True)
        key = await issue(story, http)
        await use(story, http, key, outside, directory / "download")
        await audit(story, directory / "data", key)


async def issue(story: Story, http: httpx2.AsyncClient) -> dict[str, Any]:
    """Issue a key and show its link."""
    begun = time.monotonic()
    answer = await http.post("/api/keys", json={"name": "anna"})
    took_ms = 1000 * (time.monotonic() - begun)
    story.claim(f"POST /api/keys gives a key after {took_ms:.0f} ms", holds=answer.is_success, otherwise=answer.text)
    key: dict[str, Any] = answer.json()
    key["link"] = (await http.get(f"/api/keys/{key['key_id']}/link")).json()["vless_link"]
    story.tell(key["link"])
    return key


async def use(story: Story, http: httpx2.AsyncClient, key: dict[str, Any], outside: World, file: Path) -> None:
    """Download through the tunnel, compare the bytes, delete the key and dial again."""
    size_bytes, path = len(outside.body), f"/api/keys/{key['key_id']}"
    async with vpn_client(key["link"]) as socks_port:
        begun = time.monotonic()
        async with story.step("Downloading through the tunnel", file, size_bytes):
            has_come = await download(socks_port, outside, file)
        took_s = time.monotonic() - begun
        is_same = has_come and hashlib.sha256(file.read_bytes()).digest() == hashlib.sha256(outside.body).digest()
        story.claim(f"{size_bytes / 1e6:.0f} MB came through a real Xray client in {took_s:.1f} s", holds=is_same)
        await compare(story, (await http.get(f"{path}/traffic")).json(), file.stat().st_size)
        answer = await http.delete(path)
        story.claim(f"DELETE {path}: {answer.json().get('message')}", holds=answer.is_success, otherwise=answer.text)
        async with story.step("Dialling once more"):
            is_served = await is_still_served(socks_port, outside, file)
        story.claim("The next dial is refused", holds=not is_served, otherwise="a deleted key still connects")


async def compare(story: Story, traffic: dict[str, Any], received_bytes: int) -> None:
    """Put the bytes the API reports beside those the client received."""
    difference = traffic["download"] - received_bytes
    story.figures(
        "Bytes downloaded",
        ("GET …/traffic says", "the client received", "difference: headers"),
        [(f"{traffic['download']:,}", f"{received_bytes:,}", f"{difference:,}")],
    )
    story.claim("The API counts what the client got", holds=0 <= difference <= HEADERS_SIZE_MAX_BYTES)


async def is_still_served(socks_port: int, outside: World, file: Path) -> bool:
    """Tell whether a new connection still gets through; no answer at all is a refusal too."""
    try:
        return await download(socks_port, outside, file, within_s=REFUSED_WITHIN_S)
    except TimeoutError:
        return False


async def audit(story: Story, data: Path, key: dict[str, Any]) -> None:
    """Show the audit trail of the key as its operator reads it: over the local socket, without a token."""
    transport = httpx2.AsyncHTTPTransport(uds=str(data / "run" / "control.sock"))
    async with httpx2.AsyncClient(transport=transport, base_url="http://keystead", timeout=30.0) as local:
        answer = await local.get("/v1/audit", params={"subject": f"vpn key {key['key_id']}"})
        chain = await local.post("/v1/audit/verify")
    records: list[dict[str, Any]] = answer.json()["items"]
    rows = [(r["at"][11:19], r["actor"], r["verb"], r["subject"], r["outcome"]) for r in records]
    story.figures("Audit trail of the key", ("at (UTC)", "actor", "verb", "subject", "outcome"), rows)
    verbs = [record["verb"] for record in records]
    story.claim("The trail has it all", holds=verbs == ["vpn.key.issue", "vpn.key.revoke"], otherwise=str(verbs))
    story.claim("Its chain of seals is whole", holds=chain.json()["is_intact"], otherwise=chain.text)


async def run(story: Story, size_bytes: int) -> int:
    """Play the demo in a directory of its own; return the exit code."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with tempfile.TemporaryDirectory(prefix="keystead-demo-") as directory:
        try:
            await play(story, Path(directory), size_bytes)
        except (ClaimFailed, NotReady, KeysteadError, httpx2.HTTPError, TimeoutError) as error:
            story.console.print(f"The demo failed: {error}", style="red", markup=False, soft_wrap=True)
            return 1
    left = Path(directory).exists()
    story.claim("Every claim holds; nothing is left running, nothing on disk", holds=not left)
    return 0


def main() -> int:
    """Read the command line and play."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size-mb", type=int, default=20, help="megabytes to download (default: 20)")
    parser.add_argument("--svg", type=Path, help="save a picture of the output here")
    wanted = parser.parse_args()
    story = Story(Console() if wanted.svg is None else Console(record=True, width=PICTURE_WIDTH))
    try:
        code = asyncio.run(run(story, wanted.size_mb * 1_000_000))
    except (KeyboardInterrupt, asyncio.CancelledError):
        story.console.print("Interrupted; everything was taken down.", style="yellow")
        return 130
    if wanted.svg is not None:
        story.console.save_svg(str(wanted.svg), title="make demo", code_format=OWN_FONTS_ONLY)
    return code


if __name__ == "__main__":
    sys.exit(main())
