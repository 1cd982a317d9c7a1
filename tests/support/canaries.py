"""A search for marked secrets in everything an instance leaves: files, backups, its processes' command lines.

A secret that was only written down in another way would be one all the same: each is also looked for in base64 (at any
offset), in hexadecimal and as part of a URL.
"""

import base64
import io
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psutil
import pyrage


class Canaries:
    """The secrets that must not be found, by what they are."""

    def __init__(self) -> None:
        self._forms: dict[bytes, str] = {}

    def mark(self, what: str, secret: str) -> str:
        """Look for a secret from now on; return it."""
        assert len(secret) >= 8, f"{what} is too short to be told from anything else"
        for form in _forms(secret):
            self._forms[form] = what
        return secret

    def in_bytes(self, where: object, content: bytes) -> list[str]:
        """Return which secrets are in some bytes, each with the place."""
        return sorted({f"{what} in {where}" for form, what in self._forms.items() if form in content})

    def in_texts(self, texts: Mapping[str, str]) -> list[str]:
        """Return which secrets are in texts by their names."""
        return [found for where, text in texts.items() for found in self.in_bytes(where, text.encode())]

    def in_files(self, directory: Path, *, apart_from: Iterable[str] = ()) -> list[str]:
        """Return which secrets are in files below a directory, or in their names; some by name hold one on purpose."""
        found = []
        for path in sorted(directory.rglob("*")):
            found += self.in_bytes("a name", str(path).encode())
            if path.is_file() and path.name not in apart_from:
                found += self.in_bytes(path.relative_to(directory), path.read_bytes())
        return found

    def in_backup(self, path: Path, passphrase: str) -> list[str]:
        """Return which secrets are in a backup, opened."""
        opened = zipfile.ZipFile(io.BytesIO(pyrage.passphrase.decrypt(path.read_bytes(), passphrase)))
        return [found for name in opened.namelist() for found in self.in_bytes(name, opened.read(name))]

    def in_processes(self, pid: int) -> list[str]:
        """Return which secrets are in the command line or the environment of a process and of all below it."""
        found = []
        for one in (pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))):
            for name in ("cmdline", "environ"):
                with suppress(FileNotFoundError, ProcessLookupError):  # it may have ended meanwhile
                    found += self.in_bytes(f"{name} of process {one}", Path(f"/proc/{one}/{name}").read_bytes())
        return found


def _forms(secret: str) -> set[bytes]:
    raw = secret.encode()
    # Of three alignments each has some characters at its ends that depend on what is beside it.
    aligned = {base64.b64encode(bytes(shift) + raw)[4 if shift else 0 : -4] for shift in range(3)}
    url_safe = {form.translate(bytes.maketrans(b"+/", b"-_")) for form in aligned}
    return {raw, raw.hex().encode(), quote(secret, safe="").encode(), *aligned, *url_safe}
