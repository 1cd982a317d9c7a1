"""The sockets of all doors are opened, or none is and the setting that is in the way is named."""

import socket

import pytest

from keystead import settings
from keystead.http import listening
from keystead.keeper.ports import free_loopback_port
from keystead.kit.errors import Misconfigured
from keystead.settings.places import Address


def test_every_door_gets_its_listener() -> None:
    first, second = free_loopback_port(), free_loopback_port()
    opened = listening.listen_all(settings.load(port=first, doors=f"vpnkeys=127.0.0.1:{second}"))

    try:
        assert [listener.getsockname() for listener in opened.values()] == [("127.0.0.1", first), ("127.0.0.1", second)]
        assert set(opened) == {Address("127.0.0.1", first), Address("127.0.0.1", second)}
    finally:
        for listener in opened.values():
            listener.close()


def test_a_door_whose_port_is_taken_is_refused_by_its_setting_and_nothing_stays_open() -> None:
    port = free_loopback_port()
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]

        with pytest.raises(Misconfigured, match=f"KEYSTEAD_DOORS: cannot listen on 127.0.0.1 port {taken}"):
            listening.listen_all(settings.load(port=port, doors=f"vpnkeys=127.0.0.1:{taken}"))

    socket.create_server(("127.0.0.1", port)).close()
