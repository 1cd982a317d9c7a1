"""Cloudflare's DNS records: listed, changed one by one or as a batch, written out and read in as a zone file.

The batch is not in the OpenAPI document's version that the tests hold; its shape is that of
developers.cloudflare.com/api (``/zones/{zone_id}/dns_records/batch``, read 2026-11): deletes, patches, puts and posts
in this order, in one transaction of Cloudflare's, so that a batch is done or refused as a whole.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from keystead.providers import cloudflare_answers as answers
from keystead.providers.cloudflare_answers import Json
from keystead.providers.cloudflare_calls import Calls
from keystead.providers.transport import Repeat

RECORDS_PAGE_SIZE = 1000
# What a batch may hold on the free plan (kubernetes-sigs/external-dns#6208); paid ones take 3,500.
BATCH_MAX = 200


@dataclass(frozen=True)
class RecordChanges:
    """Changes of a zone's records, in the order they are carried out.

    ``deletes`` are ids; ``patches`` change the fields they have, and ``puts`` replace the record; both have an ``id``.
    """

    deletes: Sequence[str] = ()
    patches: Sequence[Json] = ()
    puts: Sequence[Json] = ()
    posts: Sequence[Json] = ()

    def __len__(self) -> int:
        return len(self.deletes) + len(self.patches) + len(self.puts) + len(self.posts)


@dataclass(frozen=True)
class RecordsChanged:
    """What a batch made of the records, in the order of the changes."""

    deletes: list[Json] = field(default_factory=list)
    patches: list[Json] = field(default_factory=list)
    puts: list[Json] = field(default_factory=list)
    posts: list[Json] = field(default_factory=list)


@dataclass(frozen=True)
class Imported:
    """How many records a zone file added, out of how many it had."""

    added: int
    parsed: int


class Records(Calls):
    """What is asked about DNS records."""

    async def records(self, zone_id: str) -> list[Json]:
        """Return all DNS records of a zone, as Cloudflare writes them: every page."""
        return await self._all(_path(zone_id), {}, dict, size=RECORDS_PAGE_SIZE)

    async def create_record(self, zone_id: str, record: Json) -> Json:
        """Make a DNS record, once; raise AlreadyThere when there is an identical one.

        When no answer comes, the record is looked for instead of being made again.
        """
        make = self._change("POST", _path(zone_id), record)
        return dict(await self._made(make, lambda: self._same_record(zone_id, record)))

    async def change_record(self, zone_id: str, record_id: str, changes: Json) -> Json:
        """Change some fields of a DNS record."""
        return dict(await self._set("PATCH", f"{_path(zone_id)}/{record_id}", changes))

    async def replace_record(self, zone_id: str, record_id: str, record: Json) -> Json:
        """Replace a DNS record."""
        return dict(await self._set("PUT", f"{_path(zone_id)}/{record_id}", record))

    async def delete_record(self, zone_id: str, record_id: str) -> bool:
        """Delete a DNS record; return False when there is none with this id any more."""
        return await self._delete(f"{_path(zone_id)}/{record_id}")

    async def change_records(self, zone_id: str, changes: RecordChanges) -> RecordsChanged:
        """Carry out changes as batches, in their order; each of them is done or refused as a whole.

        The failure of a batch leaves those before it done: whoever needs all or nothing keeps to ``BATCH_MAX``.
        """
        done = RecordsChanged()
        for part in _parts(changes):
            told = await self._change("POST", f"{_path(zone_id)}/batch", _body(part))
            for kind in ("deletes", "patches", "puts", "posts"):
                getattr(done, kind).extend(dict(one) for one in told.get(kind) or ())
        return done

    async def export_records(self, zone_id: str) -> str:
        """Return a zone's records as a zone file."""
        return await self._get_text(f"{_path(zone_id)}/export")

    async def import_records(self, zone_id: str, zone_file: str, *, proxied: bool = False) -> Imported:
        """Add the records of a zone file; those that are there already are left out by Cloudflare."""
        raw, media_type = _form({"proxied": "true" if proxied else "false"}, zone_file)
        ask = self._ask_raw("POST", f"{_path(zone_id)}/import", Repeat.NEVER, raw=raw, media_type=media_type)
        told = answers.result(await self._send(ask), has_effect=True)
        return Imported(int(told.get("recs_added") or 0), int(told.get("total_records_parsed") or 0))

    async def _same_record(self, zone_id: str, record: Json) -> Json | None:
        """Return the record that has everything a wanted one says."""
        name = str(record.get("name", "")).lower()
        for found in await self.records(zone_id):
            zone, named = str(found.get("zone_name", "")), str(found.get("name", "")).lower()
            is_named = named in {name, f"{name}.{zone}"} or (name == "@" and named == zone)
            if is_named and all(found.get(key) == value for key, value in record.items() if key != "name"):
                return found
        return None


def _path(zone_id: str) -> str:
    return f"/zones/{zone_id}/dns_records"


def _parts(changes: RecordChanges) -> Iterator[RecordChanges]:
    """Split changes into batches that keep their order."""
    numbered = [
        *(("deletes", one) for one in changes.deletes),
        *(("patches", one) for one in changes.patches),
        *(("puts", one) for one in changes.puts),
        *(("posts", one) for one in changes.posts),
    ]
    for start in range(0, len(numbered), BATCH_MAX):
        part = numbered[start : start + BATCH_MAX]
        yield RecordChanges(**{kind: [one for of, one in part if of == kind] for kind in dict(part)})  # type: ignore[arg-type]


def _body(part: RecordChanges) -> Json:
    body = {
        "deletes": [{"id": ident} for ident in part.deletes],
        "patches": list(part.patches),
        "puts": list(part.puts),
        "posts": list(part.posts),
    }
    return {kind: some for kind, some in body.items() if some}


def _form(values: dict[str, str], zone_file: str) -> tuple[bytes, str]:
    """Return a form with a file in it and its media type; what parts it is in neither."""
    boundary = hashlib.sha256(zone_file.encode()).hexdigest()
    lines = [
        *(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}'
            for name, value in values.items()
        ),
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="zone.txt"\r\n'
        f"Content-Type: text/plain\r\n\r\n{zone_file}",
        f"--{boundary}--\r\n",
    ]
    return "\r\n".join(lines).encode(), f"multipart/form-data; boundary={boundary}"
