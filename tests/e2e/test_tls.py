"""The API's own port over TLS: a certificate made at the first start and kept, or files of the operator's."""

import ssl
from pathlib import Path

import httpx2
import pytest

from tests.support import xray
from tests.support.keystead import Keystead, keystead


async def started_over_tls(instance: Keystead) -> bytes:
    """Start an instance that speaks TLS; return the certificate it shows."""
    await instance.start()
    return ssl.get_server_certificate(("127.0.0.1", instance.port)).encode()


async def test_a_self_signed_certificate_is_made_once_and_serves(tmp_path: Path) -> None:
    async with keystead(tmp_path, is_started=False, KEYSTEAD_TLS="self-signed") as instance:
        first = await started_over_tls(instance)
        await instance.stop()
        second = await started_over_tls(instance)

        directory = instance.data_dir / "tls"
        assert first == second
        assert first.strip() == (directory / "certificate.pem").read_bytes().strip()
        assert (directory / "key.pem").stat().st_mode & 0o777 == 0o600


async def test_files_of_the_operator_serve_and_plain_http_is_not_spoken(tmp_path: Path) -> None:
    certificate, key = xray.write_certificate(tmp_path, "api.test")
    settings = {"KEYSTEAD_TLS": "files", "KEYSTEAD_TLS_CERTIFICATE": str(certificate), "KEYSTEAD_TLS_KEY": str(key)}
    (tmp_path / "instance").mkdir()
    async with keystead(tmp_path / "instance", is_started=False, **settings) as instance:
        shown = await started_over_tls(instance)

        assert shown.strip() == certificate.read_bytes().strip()
        async with httpx2.AsyncClient() as plain:
            with pytest.raises(httpx2.HTTPError):
                await plain.get(f"http://127.0.0.1:{instance.port}/")
