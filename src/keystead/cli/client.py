"""Calls to the running service: HTTP over its local socket, answers as parsed JSON, failures as our errors."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx2
import orjson
import typer

from keystead.cli.answers import problem
from keystead.cli.where import NotRunning, where
from keystead.kit.errors import Unavailable

# Longer than anything the service itself waits for; and for what takes longer the more there is.
_TIMEOUT_S = 90.0
LONG_S = 3600.0
_PAGE = 500

Query = Mapping[str, str | int | None]


class Client:
    """The service as its operator sees it."""

    def __init__(self, http: httpx2.Client) -> None:
        self._http = http

    def get(self, path: str, query: Query | None = None) -> Any:
        """Return what is at a path."""
        return self._call("GET", path, query=query)

    def post(self, path: str, body: object = None) -> Any:
        """Post a JSON body; return the answer."""
        return self._call("POST", path, body=body)

    def grant(self, path: str, body: object, request: str) -> Any:
        """Post a JSON body under an id for which it is done once; return the answer."""
        return self._call("POST", path, body=body, headers={"idempotency-key": request})

    def patch(self, path: str, body: object) -> Any:
        """Change what is at a path."""
        return self._call("PATCH", path, body=body)

    def put(self, path: str, body: object = None, query: Query | None = None) -> Any:
        """Put something at a path."""
        return self._call("PUT", path, body=body, query=query)

    def delete(self, path: str, query: Query | None = None) -> Any:
        """Delete what is at a path."""
        return self._call("DELETE", path, query=query)

    def pages(self, path: str, query: Query | None = None, *, limit: int | None = None) -> list[Any]:
        """Return the items of a list, page after page, up to a limit."""
        items: list[Any] = []
        after: str | int | None = None
        while limit is None or len(items) < limit:
            size = _PAGE if limit is None else min(_PAGE, limit - len(items))
            page = self.get(path, {**(query or {}), "limit": size, **({} if after is None else {"after": after})})
            items += page["items"]
            after = page.get("next")
            if after is None or not page["items"]:
                break
        return items

    def download(self, path: str, body: object, target: IO[bytes]) -> int:
        """Post a body and write the answer into a file as it arrives; return its size in bytes."""
        size = 0
        with _reachable(), self._http.stream("POST", path, json=body) as answer:
            if answer.is_error:
                raise problem(answer.status_code, _parsed(answer.read()))
            for chunk in answer.iter_bytes():
                size += target.write(chunk)
        return size

    def fetch(self, path: str, query: Query, target: IO[bytes]) -> None:
        """Write what is at a path into a file as it arrives."""
        with _reachable(), self._http.stream("GET", path, params=dict(query)) as answer:
            if answer.is_error:
                raise problem(answer.status_code, _parsed(answer.read()))
            for chunk in answer.iter_bytes():
                target.write(chunk)

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        narrowed = {name: value for name, value in (query or {}).items() if value is not None}
        with _reachable():
            if body is None:
                answer = self._http.request(method, path, params=narrowed)
            else:
                answer = self._http.request(method, path, params=narrowed, json=body, headers=headers)
        parsed = _parsed(answer.content)
        if answer.is_error:
            raise problem(answer.status_code, parsed)
        return parsed


@contextmanager
def connect(context: typer.Context, *, timeout_s: float = _TIMEOUT_S) -> Iterator[Client]:
    """Speak to the running service; raise NotRunning when none runs and Forbidden when it is somebody else's."""
    meant = where(context)
    with open_client(meant.socket(), account=meant.account, timeout_s=timeout_s) as client:
        yield client


@contextmanager
def open_client(socket: Path, *, account: str | None = None, timeout_s: float = _TIMEOUT_S) -> Iterator[Client]:
    """Speak to the service behind a socket, in an account of its own choice or in a named one."""
    transport = httpx2.HTTPTransport(uds=str(socket))
    headers = {} if account is None else {"keystead-account": account.encode().decode("latin-1")}
    with httpx2.Client(transport=transport, base_url="http://keystead", timeout=timeout_s, headers=headers) as http:
        yield Client(http)


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except httpx2.ConnectError as error:
        raise NotRunning("no Keystead answers on its local socket; start it with: keystead serve") from error
    except httpx2.TimeoutException as error:
        raise Unavailable("the service did not answer in time; see: keystead doctor") from error
    except httpx2.TransportError as error:
        raise Unavailable(f"the service broke the connection off ({error}); see: keystead doctor") from error


def _parsed(content: bytes) -> Any:
    try:
        return orjson.loads(content) if content else None
    except orjson.JSONDecodeError:
        return None
