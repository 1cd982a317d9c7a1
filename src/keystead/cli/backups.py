"""``keystead backup`` and ``keystead restore``: one encrypted file out, one whole instance in."""

from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from keystead.cli import asking, files, output
from keystead.cli.where import AsJson, NotRunning, Where, where
from keystead.kit.errors import Invalid, Misconfigured

if TYPE_CHECKING:
    from keystead.kit.age import Lock, Unlock

PassphraseFile = Annotated[
    Path | None, typer.Option(help="Read the passphrase from this file (- is standard input).", show_default="prompt")
]


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; it must not exist.")],
    recipient: Annotated[str | None, typer.Option(help="Encrypt for this age recipient (age1…) instead.")] = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Write everything an instance is into one encrypted file; the service may run meanwhile."""
    if file.exists():
        raise Invalid(f"{file} exists; name a new file")
    lock = lock_of(recipient, passphrase_file)
    with files.written_beside(file) as target:
        _make(where(context), lock, target)
    size = file.stat().st_size

    def for_people(_: object) -> None:
        output.say(f"{file}: {output.size(size)}, encrypted for {lock.described}")
        output.say("it holds the root key: keep it apart from what opens it")
        output.say(f"next       try it: keystead --data-dir EMPTY restore {file}")

    output.answer({"file": str(file), "size_bytes": size, "encrypted_for": lock.described}, as_json, for_people)


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that keystead backup wrote.")],
    passphrase_file: PassphraseFile = None,
    identity: Annotated[Path | None, typer.Option(help="The age identity file that opens it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup into a fresh data directory and an empty database; nothing is left half done."""
    from keystead import restoring
    from keystead.access import archive

    settings = where(context).settings()
    restoring.check_vacant(settings)
    try:
        source = file.open("rb")
    except OSError as error:
        raise Misconfigured(f"{file} cannot be read: {error.strerror}") from error
    with source:
        unlock = _unlock(archive.needs_passphrase(source), passphrase_file, identity)
        manifest = restoring.restore(settings, source, unlock, progress=output.progress)
    made: dict[str, Any] = {
        "data_dir": str(settings.data_dir),
        "made_at": manifest.created_at,
        "version": manifest.version,
        "rows": sum(manifest.tables.values()),
    }

    def for_people(_: object) -> None:
        output.say(f"{settings.data_dir} holds the backup of {output.moment(manifest.created_at)} UTC")
        output.say("next       keystead serve")

    output.answer(made, as_json, for_people)


def _make(named: Where, lock: "Lock", target: IO[bytes]) -> None:
    """Let the service make it, or make it here when none runs."""
    from keystead.cli.client import open_client

    body = {"passphrase": lock.passphrase.reveal()} if lock.passphrase else {"recipient": lock.recipient}
    try:
        with open_client(named.socket()) as client:
            output.progress("the service makes the backup")
            client.download("/v1/backup", body, target)
    except NotRunning:
        from keystead.cli import offline

        offline.backup(named.settings(), lock, target, output.progress)


def lock_of(recipient: str | None, passphrase_file: Path | None) -> "Lock":
    """Return what to encrypt for: the recipient that was named, or a passphrase."""
    from keystead.kit.age import Lock

    if recipient is not None:
        return Lock(recipient=recipient)
    return Lock(asking.secret("Passphrase", passphrase_file, option="--passphrase-file", is_new=True))


def _unlock(needs_passphrase: bool, passphrase_file: Path | None, identity: Path | None) -> "Unlock":
    from keystead.kit.age import Unlock

    if needs_passphrase:
        return Unlock(asking.secret("Passphrase", passphrase_file, option="--passphrase-file", is_new=False))
    if identity is None:
        raise Invalid("the backup is encrypted for an age recipient; name the identity file with --identity")
    return Unlock(identity=asking.read("Identity", identity, option="--identity"))
