"""Zones of a Cloudflare on loopback, with their settings and caches.

- 1061 "… already exists" when a zone is made: octodns-cloudflare's and lexicon's recorded cassettes
- 1049 "… is not a registered domain", 1097 "… cannot be added": public reports; the sentence is Cloudflare's
- 7003 "Could not route to …": examples of the OpenAPI document
- settings and the answer of a purge: the OpenAPI document
"""

import json

from tests.support.standins.cloudflare_state import Refused, Result, Route, State, Token
from tests.support.standins.server import Came

_EDITABLE = {
    "always_use_https": "off",
    "brotli": "on",
    "browser_cache_ttl": 14400,
    "development_mode": "off",
    "min_tls_version": "1.0",
    "security_level": "medium",
    "ssl": "full",
}
# Not to be changed on a free plan.
_READ_ONLY = {"advanced_ddos": "on", "polish": "off"}


class Zones(State):
    """Answers about zones."""

    def zone_routes(self) -> list[Route]:
        zone = r"/zones/([^/]+)"
        return [
            ("GET", r"/zones", self._list_zones),
            ("POST", r"/zones", self._create_zone),
            ("GET", zone, self._get_zone),
            ("DELETE", zone, self._delete_zone),
            ("PUT", f"{zone}/activation_check", self._check_zone),
            ("GET", f"{zone}/settings", self._list_settings),
            ("PATCH", f"{zone}/settings/([^/]+)", self._change_setting),
            ("POST", f"{zone}/purge_cache", self._purge),
        ]

    def _list_zones(self, caller: Token, came: Came) -> Result:
        self._may(caller, "Zone Read")
        wanted = came.query.get("account.id", caller.account_id)
        mine = [zone for zone in self.zones.values() if zone["account"]["id"] == caller.account_id == wanted]
        if "status" in came.query:
            mine = [zone for zone in mine if zone["status"] == came.query["status"]]
        return self._paged(mine, came, default=20)

    def _create_zone(self, caller: Token, came: Came) -> Result:
        self._may(caller, "Zone Write")
        body = json.loads(came.body)
        if any(zone["name"] == body["name"] for zone in self.zones.values()):
            raise Refused(400, 1061, f"{body['name']} already exists")
        return self._zone(body["name"], body["account"]["id"], "pending"), {}

    def _get_zone(self, caller: Token, _: Came, zone_id: str) -> Result:
        self._may(caller, "Zone Read")
        return self._find_zone(caller, zone_id), {}

    def _delete_zone(self, caller: Token, _: Came, zone_id: str) -> Result:
        self._may(caller, "Zone Write")
        del self.zones[self._find_zone(caller, zone_id)["id"]]
        return {"id": zone_id}, {}

    def _check_zone(self, caller: Token, _: Came, zone_id: str) -> Result:
        self._may(caller, "Zone Write")
        return {"id": self._find_zone(caller, zone_id)["id"]}, {}

    def _list_settings(self, caller: Token, _: Came, zone_id: str) -> Result:
        self._may(caller, "Zone Settings Read")
        self._find_zone(caller, zone_id)
        changed = self.settings.get(zone_id, {})
        return [
            {"id": name, "value": changed.get(name, value), "editable": name in _EDITABLE, "modified_on": None}
            | ({"time_remaining": 0} if name == "development_mode" else {})
            for name, value in {**_READ_ONLY, **_EDITABLE}.items()
        ], {}

    def _change_setting(self, caller: Token, came: Came, zone_id: str, name: str) -> Result:
        self._may(caller, "Zone Settings Write")
        self._find_zone(caller, zone_id)
        if name not in _EDITABLE:
            raise Refused(400, 1006, f"Not allowed to edit setting for {name}")
        value = json.loads(came.body)["value"]
        self.settings.setdefault(zone_id, {})[name] = value
        return {"id": name, "value": value, "editable": True, "modified_on": None}, {}

    def _purge(self, caller: Token, came: Came, zone_id: str) -> Result:
        self._may(caller, "Cache Purge")
        body = json.loads(came.body)
        self.purged.append({"zone": self._find_zone(caller, zone_id)["name"], **body})
        return {"id": zone_id}, {}
