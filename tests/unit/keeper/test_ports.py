"""Whether an address and port can be listened on, and who is in the way."""

import os
import socket
from collections.abc import Iterator

import pytest

from keystead.keeper import diag
from keystead.keeper.ports import Listen, is_free, require_free
from keystead.kit.errors import Misconfigured


@pytest.fixture
def held() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::"])
def test_a_port_that_somebody_holds_is_not_free_and_he_is_named(held: int, host: str) -> None:
    with pytest.raises(Misconfigured, match=rf"is in use by .*\(pid {os.getpid()}\); stop it or choose another port"):
        require_free([Listen(host, held)])

    assert not is_free(Listen(host, held))


def test_who_holds_a_port_is_asked_only_to_be_told(held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(diag, "listeners", lambda ports: asked.append(ports) or [])

    assert not is_free(Listen("127.0.0.1", held))
    assert asked == []


def test_a_port_that_was_let_go_of_is_free() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]

    assert is_free(Listen("127.0.0.1", port))
    require_free([Listen("127.0.0.1", port)])


def test_an_address_of_another_machine_is_not_free() -> None:
    assert not is_free(Listen("203.0.113.1", 40001))
    with pytest.raises(Misconfigured, match="is not an address of this machine"):
        require_free([Listen("203.0.113.1", 40001)])
