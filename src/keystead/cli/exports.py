"""``keystead export``: inbounds, plans and keys as one JSON document that ``keystead import`` reads."""

import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from keystead.cli import files, output
from keystead.cli.backups import PassphraseFile, lock_of
from keystead.cli.where import AsJson, NotRunning, Where, where
from keystead.kit.errors import Invalid

if TYPE_CHECKING:
    from keystead.kit.age import Lock


def export(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The file to write; it must not exist. Without: print it.")
    ] = None,
    with_secrets: Annotated[
        bool, typer.Option("--with-secrets", help="Put private keys, UUIDs and subscriptions in, encrypted.")
    ] = False,
    recipient: Annotated[str | None, typer.Option(help="Encrypt for this age recipient (age1…) instead.")] = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Write inbounds, plans and keys into one JSON document; the service may run meanwhile."""
    if file is not None and file.exists():
        raise Invalid(f"{file} exists; name a new file")
    lock = _lock(with_secrets, recipient, passphrase_file)
    if file is None:
        _make(where(context), lock, sys.stdout.buffer)
        return
    with files.written_beside(file) as target:
        _make(where(context), lock, target)
    size = file.stat().st_size

    def for_people(_: object) -> None:
        secrets = "left out: nothing can be imported from it" if lock is None else f"sealed for {lock.described}"
        output.say(f"{file}: {output.size(size)}, secrets {secrets}")
        if lock is not None:
            output.say(f"next       on the other machine: keystead import keystead {file}")

    sealed_for = None if lock is None else lock.described
    output.answer({"file": str(file), "size_bytes": size, "secrets_for": sealed_for}, as_json, for_people)


def _lock(with_secrets: bool, recipient: str | None, passphrase_file: Path | None) -> "Lock | None":
    if with_secrets:
        return lock_of(recipient, passphrase_file)
    if recipient is not None or passphrase_file is not None:
        raise Invalid("--recipient and --passphrase-file say for whom secrets are encrypted; add --with-secrets")
    return None


def _make(named: Where, lock: "Lock | None", target: IO[bytes]) -> None:
    """Let the service make it, or make it here when none runs."""
    from keystead.cli.client import open_client

    body: dict[str, str | None] = {}
    if lock is not None:
        body = {"passphrase": lock.passphrase.reveal()} if lock.passphrase else {"recipient": lock.recipient}
    try:
        with open_client(named.socket()) as client:
            output.progress("the service makes the export")
            client.download("/v1/export", body, target)
    except NotRunning:
        from keystead.cli import offline

        offline.export(named.settings(), lock, target, output.progress)
