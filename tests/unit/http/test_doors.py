"""What happens to every request before a dialect sees it."""

from typing import Any

import httpx2
import pytest

from keystead.http.doors import Door, Mount
from keystead.http.facts import facts_of
from keystead.http.metrics import Metrics
from keystead.kit.errors import Misconfigured
from keystead.kit.names import network
from tests.support.ids import CountingIds


def echo(name: str) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        facts = facts_of(scope)
        more = True
        while more:
            more = (await receive()).get("more_body", False)
        if scope["path"] == "/crash":
            raise RuntimeError("a bug")
        text = f"{name} {facts.address} {facts.scheme} {facts.request_id}".encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": text})

    return app


def client(trusted: str | None = None, *, peer: str = "198.51.100.7") -> httpx2.AsyncClient:
    networks = [] if trusted is None else [network(trusted)]
    mounts = [Mount("", "root", echo("root")), Mount("/v1", "v1", echo("v1"))]
    door = Door(mounts, ids=CountingIds(), metrics=Metrics(), trusted=networks)
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(door, client=(peer, 1)), base_url="http://door.test")


@pytest.mark.parametrize(
    ("path", "dialect"), [("/", "root"), ("/v1", "v1"), ("/v1/keys", "v1"), ("/v10", "root"), ("/api/v1", "root")]
)
async def test_the_longest_prefix_takes_the_request(path: str, dialect: str) -> None:
    async with client() as http:
        assert (await http.get(path)).text.split()[0] == dialect


async def test_a_request_gets_an_id_and_may_bring_its_own() -> None:
    async with client() as http:
        made = await http.get("/")
        brought = await http.get("/", headers={"X-Request-Id": "abcd-1234"})
        refused = await http.get("/", headers={"X-Request-Id": "bad id\t!"})

    assert made.headers["x-request-id"] == made.text.split()[3]
    assert brought.headers["x-request-id"] == "abcd-1234"
    assert refused.headers["x-request-id"] != "bad id\t!"


@pytest.mark.parametrize(
    ("trusted", "forwarded", "address", "scheme"),
    [
        (None, "203.0.113.9", "198.51.100.7", "http"),
        ("198.51.100.0/24", "203.0.113.9", "203.0.113.9", "https"),
        ("198.51.100.0/24", "10.9.9.9, 203.0.113.9, 198.51.100.8", "203.0.113.9", "https"),
        ("198.51.100.0/24", "<script>", "198.51.100.7", "https"),
        ("198.51.100.0/24", "", "198.51.100.7", "https"),
    ],
)
async def test_forwarded_headers_count_only_from_a_trusted_proxy(
    trusted: str | None, forwarded: str, address: str, scheme: str
) -> None:
    async with client(trusted) as http:
        answer = await http.get("/", headers={"X-Forwarded-For": forwarded, "X-Forwarded-Proto": "https"})

    assert answer.text.split()[1:3] == [address, scheme]


async def test_a_peer_of_ipv4_is_the_same_on_a_listener_of_both() -> None:
    async with client(peer="::ffff:192.0.2.1") as http:
        direct = await http.get("/")
    async with client("198.51.100.0/24", peer="::ffff:198.51.100.7") as http:
        forwarded = await http.get("/", headers={"X-Forwarded-For": "203.0.113.9"})

    assert direct.text.split()[1] == "192.0.2.1"
    assert forwarded.text.split()[1] == "203.0.113.9"


async def test_a_body_over_its_limit_is_refused_by_its_length() -> None:
    async with client() as http:
        assert (await http.post("/", content=b"x" * (1024 * 1024 + 1))).status_code == 413
        assert (await http.post("/", content=b"x" * (1024 * 1024))).status_code == 200


async def test_a_body_without_a_length_is_refused_while_it_is_read() -> None:
    async def endless() -> Any:
        for _ in range(20):
            yield b"x" * 100_000

    async with client() as http:
        assert (await http.post("/", content=endless())).status_code == 413


async def test_headers_over_their_limit_are_refused() -> None:
    async with client() as http:
        assert (await http.get("/", headers={"X-Big": "x" * 40_000})).status_code == 431


async def test_a_crash_is_answered_without_its_reason() -> None:
    async with client() as http:
        answer = await http.get("/crash")

    assert answer.status_code == 500
    assert "bug" not in answer.text
    assert answer.headers["x-request-id"] in answer.text


def test_two_dialects_on_one_prefix_are_refused() -> None:
    mounts = [Mount("", "a", echo("a")), Mount("", "b", echo("b"))]

    with pytest.raises(Misconfigured, match="same prefix"):
        Door(mounts, ids=CountingIds(), metrics=Metrics(), trusted=[])


async def test_of_dialects_with_one_prefix_the_one_that_takes_a_request_has_it() -> None:
    mounts = [
        Mount("", "rest", echo("rest")),
        Mount("", "posts", echo("posts"), takes=lambda scope: scope["method"] == "POST"),
        Mount("/v1", "v1", echo("v1")),
    ]
    door = Door(mounts, ids=CountingIds(), metrics=Metrics(), trusted=[])

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(door), base_url="http://door.test") as http:
        answers = [await http.post("/keys"), await http.get("/keys"), await http.post("/v1")]

    assert [answer.text.split()[0] for answer in answers] == ["posts", "rest", "v1"]
