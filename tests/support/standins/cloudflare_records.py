"""DNS records of a Cloudflare on loopback.

- fields of a record: the OpenAPI document; 81044, 81057, 81058: lexicon's recorded cassettes and dns-lexicon#49
- the batch, and that it is refused as a whole: developers.cloudflare.com/api (2026)
- a zone file: the example of the OpenAPI document, with the comments of the dashboard's export
"""

import json
from typing import Any

from tests.support.standins.cloudflare_document import form
from tests.support.standins.cloudflare_state import Refused, Result, Route, State, Token, now
from tests.support.standins.server import Came

_PROXIABLE = {"A", "AAAA", "CNAME"}


class Records(State):
    """Answers about DNS records."""

    batch_max = 200

    def record_routes(self) -> list[Route]:
        records = r"/zones/([^/]+)/dns_records"
        return [
            ("GET", f"{records}/export", self._export),
            ("POST", f"{records}/import", self._import),
            ("POST", f"{records}/batch", self._batch),
            ("GET", records, self._list_records),
            ("POST", records, self._create_record),
            ("PATCH", f"{records}/([^/]+)", self._change_record),
            ("PUT", f"{records}/([^/]+)", self._replace_record),
            ("DELETE", f"{records}/([^/]+)", self._delete_record),
        ]

    def add_records(self, zone_id: str, count: int) -> None:
        """Add records to a zone."""
        for number in range(count):
            self._add(zone_id, {"type": "A", "name": f"host-{number:04d}", "content": f"192.0.2.{number % 250}"})

    def _list_records(self, caller: Token, came: Came, zone_id: str) -> Result:
        self._may(caller, "DNS Read")
        self._find_zone(caller, zone_id)
        return self._paged(list(self.records.get(zone_id, {}).values()), came, default=100)

    def _create_record(self, caller: Token, came: Came, zone_id: str) -> Result:
        self._writable(caller, zone_id)
        return self._add(zone_id, json.loads(came.body)), {}

    def _change_record(self, caller: Token, came: Came, zone_id: str, record_id: str) -> Result:
        self._writable(caller, zone_id)
        return self._edit(zone_id, record_id, json.loads(came.body)), {}

    def _replace_record(self, caller: Token, came: Came, zone_id: str, record_id: str) -> Result:
        self._writable(caller, zone_id)
        return self._put(zone_id, record_id, json.loads(came.body)), {}

    def _delete_record(self, caller: Token, _: Came, zone_id: str, record_id: str) -> Result:
        self._writable(caller, zone_id)
        self._remove(zone_id, record_id)
        return {"id": record_id}, {}

    def _batch(self, caller: Token, came: Came, zone_id: str) -> Result:
        """Carry out all of it or nothing."""
        self._writable(caller, zone_id)
        body, before = json.loads(came.body), {key: dict(one) for key, one in self.records.get(zone_id, {}).items()}
        if sum(len(some) for some in body.values()) > self.batch_max:
            raise Refused(400, 81400, "The number of changes is above the limit of the zone.")
        try:
            return {
                "deletes": [self._remove(zone_id, one["id"]) for one in body.get("deletes", ())],
                "patches": [self._edit(zone_id, one["id"], one) for one in body.get("patches", ())],
                "puts": [self._put(zone_id, one["id"], one) for one in body.get("puts", ())],
                "posts": [self._add(zone_id, one) for one in body.get("posts", ())],
            }, {}
        except Refused:
            self.records[zone_id] = before
            raise

    def _export(self, caller: Token, _: Came, zone_id: str) -> Result:
        self._may(caller, "DNS Read")
        name = self._find_zone(caller, zone_id)["name"]
        lines = [f";; Domain: {name}.", ";; A Records" if self.records.get(zone_id) else ";;"]
        for one in self.records.get(zone_id, {}).values():
            content = f'"{one["content"]}"' if one["type"] == "TXT" else one["content"]
            lines.append(f"{one['name']}.\t{one['ttl']}\tIN\t{one['type']}\t{content}")
        return "\n".join([*lines, ""]), None

    def _import(self, caller: Token, came: Came, zone_id: str) -> Result:
        """Read lines of name, time to live, class, type and content; leave out what is there."""
        self._writable(caller, zone_id)
        values = form(came.headers["content-type"], came.body)
        parsed = [line.split(None, 4) for line in values["file"].splitlines() if line.strip() and line[0] != ";"]
        added = 0
        for name, ttl, _, kind, content in parsed:
            record = {"type": kind, "name": name.rstrip("."), "ttl": int(ttl), "content": content.strip('"')}
            try:
                self._add(zone_id, record | {"proxied": values.get("proxied") == "true" and kind in _PROXIABLE})
            except Refused:
                continue
            added += 1
        return {"recs_added": added, "total_records_parsed": len(parsed)}, {
            "timing": {"start_time": now(), "end_time": now(), "process_time": 1}
        }

    def _writable(self, caller: Token, zone_id: str) -> None:
        self._may(caller, "DNS Write")
        self._find_zone(caller, zone_id)

    def _add(self, zone_id: str, record: dict[str, Any]) -> dict[str, Any]:
        wanted = {**record, "name": self._full(zone_id, record["name"])}
        same = ("type", "name", "content")
        if any(all(one.get(key) == wanted.get(key) for key in same) for one in self.records.get(zone_id, {}).values()):
            raise Refused(400, 81058, "An identical record already exists.")
        made = self._made(zone_id, f"{next(self._numbers):032x}", wanted)
        self.records.setdefault(zone_id, {})[made["id"]] = made
        return made

    def _edit(self, zone_id: str, record_id: str, changes: dict[str, Any]) -> dict[str, Any]:
        found = self._find_record(zone_id, record_id)
        found |= {**found, **changes, "modified_on": now()}
        found["name"] = self._full(zone_id, found["name"])
        return found

    def _put(self, zone_id: str, record_id: str, record: dict[str, Any]) -> dict[str, Any]:
        self._find_record(zone_id, record_id)
        made = self._made(zone_id, record_id, {**record, "name": self._full(zone_id, record["name"])})
        self.records[zone_id][record_id] = made
        return made

    def _remove(self, zone_id: str, record_id: str) -> dict[str, Any]:
        found = self._find_record(zone_id, record_id)
        return self.records[zone_id].pop(found["id"])

    def _made(self, zone_id: str, record_id: str, record: dict[str, Any]) -> dict[str, Any]:
        return {
            "zone_id": zone_id,
            "zone_name": self.zones[zone_id]["name"],
            "created_on": now(),
            "modified_on": now(),
            "proxiable": record["type"] in _PROXIABLE,
            "proxied": False,
            "ttl": 1,
            "locked": False,
            "meta": {"auto_added": False},
            "tags": [],
            **record,
            "id": record_id,
        }

    def _full(self, zone_id: str, name: str) -> str:
        zone = self.zones[zone_id]["name"]
        if name == "@" or name == zone or name.endswith(f".{zone}"):
            return zone if name == "@" else name
        return f"{name}.{zone}"

    def _find_record(self, zone_id: str, record_id: str) -> dict[str, Any]:
        found = self.records.get(zone_id, {}).get(record_id)
        if found is None:
            raise Refused(404, 81044, "Record does not exist.")
        return found
