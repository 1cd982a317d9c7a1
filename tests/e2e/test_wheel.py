"""The wheel runs by itself: everything the product reads from its own package is in it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support import keystead

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def unpacked_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and unpack it as an installer would."""
    directory = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory],
        cwd=PROJECT,
        check=True,
        capture_output=True,
    )
    (wheel,) = directory.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(directory / "site")
    return directory / "site"


async def test_an_instance_from_the_wheel_issues_keys_and_shows_its_pages(unpacked_wheel: Path, tmp_path: Path) -> None:
    async with keystead.keystead(tmp_path, is_started=False) as instance:
        instance.environment["PYTHONPATH"] = str(unpacked_wheel)
        await instance.start()
        await instance.ready()

        key = await instance.create()
        page = await instance.http.get("/docs/assets/swagger-ui.css")

        assert await instance.dial(key["key_id"]) is not None
        assert page.status_code == 200


def test_the_program_in_the_wheel_is_the_one_that_runs(unpacked_wheel: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(unpacked_wheel)}

    located = subprocess.run(
        [sys.executable, "-c", "import keystead; print(keystead.__file__)"],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )

    assert located.stdout.startswith(str(unpacked_wheel))
