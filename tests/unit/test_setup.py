"""Setting up on a machine that lacks something: what is done about it, and what the message says to do."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What the script calls of every Debian system's coreutils and util-linux.
ALWAYS_THERE = ("sh", "cat", "chmod", "cp", "cut", "dirname", "env", "flock", "ln", "mkdir", "rm", "sha256sum", "touch")

# Makes a virtual environment whose pip does what the test says, and notes every call.
PYTHON = """#!/bin/sh
echo "$*" >> {notes}
case "$*" in
-V) echo Python 3.11.2 ;;
"-m venv --clear .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
*"pip install"*"-e ."*) {on_install} && printf '#!/bin/sh\\n' > .venv/bin/keystead && chmod +x .venv/bin/keystead ;;
*"pip install"*) {on_install} ;;
*keystead.engines.xray.install*) {on_engine} ;;
esac
"""


class Machine:
    """A checkout, and a system of which a test says what it has."""

    def __init__(self, path: Path) -> None:
        self.checkout, self.bin, self.notes = path / "checkout", path / "bin", path / "notes"
        (self.checkout / "scripts").mkdir(parents=True)
        self.bin.mkdir()
        shutil.copy(ROOT / "scripts" / "setup", self.checkout / "scripts" / "setup")
        for file in [ROOT / "pyproject.toml", *ROOT.glob("requirements*.lock")]:
            shutil.copy(file, self.checkout)
        for name in ALWAYS_THERE:
            found = shutil.which(name)
            assert found is not None, name
            (self.bin / name).symlink_to(found)
        self.has("id", "echo 0")
        self.environment = {
            "PATH": str(self.bin),
            "HOME": str(path / "home"),
            "SSL_CERT_FILE": "/dev/null",
            "SETUP_AGAIN": "make run",
        }

    def has(self, program: str, script: str = "exit 0") -> None:
        """Put a program on the machine, made of shell."""
        path = self.bin / program
        path.unlink(missing_ok=True)
        path.write_text(script if script.startswith("#!") else f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def has_python(self, *, on_install: str = "true", on_engine: str = "true") -> None:
        script = PYTHON.format(notes=self.notes, on_install=on_install, on_engine=on_engine)
        self.has("python3", script)
        if (self.checkout / ".venv/bin/python").exists():
            shutil.copy(self.bin / "python3", self.checkout / ".venv/bin/python")

    def set_up(self, mode: str = "run") -> tuple[int, str]:
        """Run the set-up; return its exit code and what it said."""
        ended = subprocess.run(
            ["scripts/setup", mode],
            cwd=self.checkout,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return ended.returncode, ended.stdout

    def calls(self) -> list[str]:
        return self.notes.read_text().splitlines() if self.notes.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_machine_that_has_everything_is_set_up_once(machine: Machine) -> None:
    machine.has_python()
    machine.has("setpriv")

    code, said = machine.set_up()
    before = machine.calls()
    again_code, again = machine.set_up()

    assert (code, again_code) == (0, 0), said
    assert [f"[{step}/4]" in said for step in (1, 2, 3, 4)] == [True] * 4
    assert "[" not in again
    assert not [call for call in machine.calls()[len(before) :] if "pip install" in call or "venv" in call.split()]


def test_without_root_the_one_line_is_named_and_nothing_is_done(machine: Machine) -> None:
    machine.has("id", "echo 1000")
    machine.has("apt-get", f"echo apt-get >> {machine.notes}")

    code, said = machine.set_up()

    assert code == 1
    assert (
        "  Run:  sudo apt-get install -y --no-install-recommends python3 python3-venv util-linux\n  then:  make run\n"
        in said
    )
    assert machine.calls() == []


def test_with_root_it_is_installed(machine: Machine) -> None:
    machine.has_python()
    machine.has("apt-get", f'echo "apt-get $*" >> {machine.notes}; ln -sf "$(command -v env)" {machine.bin}/setpriv')

    code, said = machine.set_up()

    assert code == 0, said
    assert "Installing what the system lacks: util-linux" in said
    assert "apt-get install -y --no-install-recommends util-linux" in machine.calls()


def test_apt_get_without_network_is_told(machine: Machine) -> None:
    machine.has("apt-get", "echo 'Temporary failure resolving deb.debian.org' >&2; exit 100")

    code, said = machine.set_up()

    assert code == 1
    assert "Temporary failure resolving deb.debian.org" in said
    assert "Check the network and the package sources, then run:  make run" in said


def test_a_machine_without_apt_get_is_told_the_packages(machine: Machine) -> None:
    machine.has_python()

    code, said = machine.set_up()

    assert code == 1
    assert "this machine lacks, by their Debian names: util-linux\n  Install them, then run:  make run\n" in said


def test_without_network_it_stops_says_what_to_do_and_goes_on_from_there(machine: Machine) -> None:
    machine.has("setpriv")
    machine.has_python(on_install="{ echo 'Connection refused' >&2; false; }")

    code, said = machine.set_up()
    machine.has_python()
    again_code, again = machine.set_up()

    assert code == 1
    assert "Connection refused" in said
    assert "restore it (a proxy: HTTPS_PROXY; a mirror: PIP_INDEX_URL" in said
    assert "then run:  make run" in said
    assert again_code == 0, again
    assert "[1/4]" not in again
    assert "[3/4]" in again


def test_an_engine_that_cannot_be_built_leaves_the_packages_as_they_are(machine: Machine) -> None:
    machine.has("setpriv")
    machine.has_python(on_engine="{ echo 'error: check the network' >&2; exit 1; }")

    code, said = machine.set_up()
    machine.has_python()
    again_code, again = machine.set_up()

    assert code == 1
    assert "error: check the network\n\nSet-up stopped: the engine is not ready; the reason is above.\n" in said
    assert "  Then run:  make run\n" in said
    assert again_code == 0, again
    assert "[3/4]" not in again


def test_by_itself_it_names_itself(machine: Machine) -> None:
    del machine.environment["SETUP_AGAIN"]

    assert "then run:  scripts/setup demo" in machine.set_up("demo")[1]


def test_a_place_that_cannot_be_written_is_named(machine: Machine) -> None:
    (machine.checkout / ".cache").write_text("in the way")

    code, said = machine.set_up()

    assert (code, os.fspath(machine.checkout) in said) == (1, True)
