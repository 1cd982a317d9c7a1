"""The relays of ``deploy/relay`` at work on loopback: the files as they are, with what a person fills in filled in.

The servers are those of the system (``scripts/setup`` sees to them); a missing one fails, on purpose.
"""

import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from keystead.keeper.ports import free_loopback_port
from tests.support.xray import write_certificate

DEPLOYED = Path(__file__).parents[2] / "deploy" / "relay"
NAME = "relay.example.com"
USER, PASSWORD = "keystead", "CANARY-relay"
# The password above by bcrypt, at the lowest cost: at the one of `caddy hash-password` a check takes a second.
_BCRYPT = "$2b$04$Jpz5LF9vsRhkmHu9eaQe6.aAsTnvdisdJgnE5XiFin83mzjlbFeZO"
_START_S = 20.0
_NGINX = """
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/nginx-error.log info;
events {{}}
http {{
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include {directory}/relay.conf;
}}
"""


class Kind(StrEnum):
    """The servers whose files are tried; no package has Traefik."""

    NGINX = "nginx"
    CADDY = "caddy"


@dataclass(frozen=True)
class Upstream:
    """Where the relay finds its provider, and the certificate it believes in."""

    port: int
    certificate: Path


@dataclass(frozen=True)
class Relay:
    """A relay at work."""

    kind: Kind
    port: int
    directory: Path
    certificate: Path

    @property
    def log(self) -> Path:
        """Return the file of the access log."""
        return self.directory / "access.log"

    def tls(self) -> ssl.SSLContext:
        """Return a context that believes in the relay's certificate."""
        return ssl.create_default_context(cafile=str(self.certificate))

    def status(
        self, target: str, *, auth: str | None, host: str = "", sni: str | None = NAME, source: str = "127.0.0.1"
    ) -> int:
        """Ask for something from an address of this machine and return the status; 0 when it hung up without one."""
        headers = [f"Host: {host or f'{NAME}:{self.port}'}", "Connection: close"]
        headers += [] if auth is None else [f"Authorization: {auth}"]
        context = self.tls()
        context.check_hostname = sni is not None
        address = ("127.0.0.1", self.port)
        with (
            socket.create_connection(address, 30, (source, 0)) as bare,
            context.wrap_socket(bare, server_hostname=sni) as wire,
        ):
            wire.sendall("\r\n".join([f"GET {target} HTTP/1.1", *headers, "", ""]).encode())
            first = wire.makefile("rb").readline().split()
        return int(first[1]) if first else 0


@contextmanager
def relaying(kind: Kind, directory: Path, upstream: Upstream) -> Iterator[Relay]:
    """Run a relay for the duration."""
    directory.mkdir()
    certificate, key = write_certificate(directory, NAME)
    relay = Relay(kind, free_loopback_port(), directory, certificate)
    command = {Kind.NGINX: _nginx, Kind.CADDY: _caddy}[kind](relay, key, upstream)
    with (directory / "output.log").open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=directory,
            env={"PATH": os.environ["PATH"], "HOME": str(directory)},
        )
    try:
        _wait(process, relay)
        yield relay
    finally:
        process.terminate()
        process.wait()


def _nginx(relay: Relay, key: Path, upstream: Upstream) -> list[str]:
    """Write the configuration and a password file as the README has it; return the command."""
    hashed = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"], input=PASSWORD, capture_output=True, text=True, check=True
    ).stdout
    passwords = relay.directory / "htpasswd"
    passwords.write_text(f"{USER}:{hashed}")
    written = _filled(
        (DEPLOYED / "nginx.conf").read_text(),
        {
            "listen 443": f"listen 127.0.0.1:{relay.port}",
            "/etc/letsencrypt/live/relay.example.com/fullchain.pem": str(relay.certificate),
            "/etc/letsencrypt/live/relay.example.com/privkey.pem": str(key),
            "/var/log/nginx/keystead-relay.log": str(relay.log),
            "/etc/nginx/keystead-relay.htpasswd": str(passwords),
            "allow 203.0.113.7;": "allow 127.0.0.1;",
            "set $namecheap api.namecheap.com;": f"set $namecheap 127.0.0.1:{upstream.port};",
            "/etc/ssl/certs/ca-certificates.crt": str(upstream.certificate),
        },
    )
    (relay.directory / "relay.conf").write_text(written)
    (relay.directory / "nginx.conf").write_text(_NGINX.format(directory=relay.directory))
    return [_server("nginx"), "-c", str(relay.directory / "nginx.conf"), "-p", str(relay.directory), "-e", "stderr"]


def _caddy(relay: Relay, key: Path, upstream: Upstream) -> list[str]:
    written = _filled(
        (DEPLOYED / "Caddyfile").read_text(),
        {
            "\tlog {\n\t\texclude": "\tadmin off\n\tauto_https disable_redirects\n\tlog {\n\t\texclude",
            "relay.example.com {": (
                f"https://{NAME}:{relay.port} {{\n\tbind 127.0.0.1\n\ttls {relay.certificate} {key}"
            ),
            "/var/log/caddy/keystead-relay.log": str(relay.log),
            "remote_ip 203.0.113.7": "remote_ip 127.0.0.1",
            "$2a$14$the-hash-of-the-password": _BCRYPT,
            "tcp4/api.namecheap.com:443": f"tcp4/127.0.0.1:{upstream.port}",
            "tls_server_name api.namecheap.com": (
                f"tls_server_name api.namecheap.com\n\t\t\t\ttls_trusted_ca_certs {upstream.certificate}"
            ),
        },
    )
    path = relay.directory / "Caddyfile"
    path.write_text(written)
    return [_server("caddy"), "run", "--config", str(path), "--adapter", "caddyfile"]


def _filled(text: str, values: dict[str, str]) -> str:
    """Return a configuration with its places filled in, each of which has to be there."""
    for place, value in values.items():
        assert place in text, place
        text = text.replace(place, value)
    return text


def _server(name: str) -> str:
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    assert path is not None, f"{name} is missing; scripts/setup dev installs it"
    return path


def _wait(process: "subprocess.Popen[bytes]", relay: Relay) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        assert process.poll() is None, (relay.directory / "output.log").read_text()
        with socket.socket() as wire:
            if wire.connect_ex(("127.0.0.1", relay.port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"{relay.kind} did not open its port")
