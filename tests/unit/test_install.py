"""The installer against a Go made of shell script: what it reuses, what it rebuilds and what it says."""

import os
import stat
import time
from pathlib import Path

import pytest

from keystead.engines.xray import install as installer
from keystead.engines.xray import toolchain
from keystead.engines.xray.install import XRAY, EnginePin, binary_path, install, installed
from keystead.kit.errors import Broken, Misconfigured

# Answers `env`, `list` and `build` as Go does; the "engine" it builds prints the given version. It notes each build.
GO_SCRIPT = """#!/bin/sh
case "$1 $2" in
"env GOVERSION") echo {go_version} ;;
"env "*) echo "" ;;
"list "*) {on_list} ;;
"build "*)
    echo "$GOPROXY $GOFLAGS $GOTOOLCHAIN $GOMODCACHE" >> {notes}
    while [ "$1" != "-o" ]; do shift; done
    {on_build}
    printf '#!/bin/sh\\necho Engine {engine_version} built\\n' > "$2" && chmod +x "$2" ;;
esac
"""


class FakeGo:
    """A Go toolchain in a directory of its own, whose behaviour a test chooses."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "go"
        self.notes = directory / "builds"
        self.write()

    def write(self, **behaviour: str) -> "FakeGo":
        """Change what the toolchain does from now on."""
        script = {"go_version": "go1.26.9", "engine_version": "1.2.3", "on_list": "true", "on_build": "true"}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(GO_SCRIPT.format(**(script | behaviour), notes=self.notes))
        self.path.chmod(0o755)
        return self

    @property
    def builds(self) -> int:
        """Count the builds so far."""
        return len(self.notes.read_text().splitlines()) if self.notes.exists() else 0


@pytest.fixture
def go(tmp_path: Path) -> FakeGo:
    return FakeGo(tmp_path / "fake-go")


@pytest.fixture
def pin(tmp_path: Path) -> EnginePin:
    module = tmp_path / "module"
    module.mkdir()
    (module / "go.mod").write_text("module example\n")
    (module / "go.sum").write_text("")
    return EnginePin("engine", "1.2.3", "example.org/engine", "engine", module, tags=("with_x",))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def leftovers(pin: EnginePin, cache: Path) -> list[str]:
    return sorted(path.name for path in binary_path(pin, cache).parent.iterdir())


def test_a_second_install_reuses_the_first(pin: EnginePin, cache: Path, go: FakeGo) -> None:
    first = install(pin, cache, go=go.path)

    second = install(pin, cache, go=go.path)

    assert first == second == installed(pin, cache)
    assert go.builds == 1
    assert leftovers(pin, cache) == ["engine", "engine.build.json"]


def test_compiling_uses_no_network_and_only_the_pinned_modules(pin: EnginePin, cache: Path, go: FakeGo) -> None:
    install(pin, cache, go=go.path)

    assert go.notes.read_text() == f"off -mod=readonly -buildvcs=false -modcacherw local {cache}/go/mod\n"


def test_a_changed_binary_is_rebuilt(pin: EnginePin, cache: Path, go: FakeGo) -> None:
    binary = install(pin, cache, go=go.path)
    binary.write_bytes(binary.read_bytes() + b"# changed\n")
    assert installed(pin, cache) is None

    install(pin, cache, go=go.path)

    assert go.builds == 2
    assert not binary.read_bytes().endswith(b"# changed\n")


def test_a_changed_pin_is_rebuilt(pin: EnginePin, cache: Path, go: FakeGo) -> None:
    install(pin, cache, go=go.path)
    (pin.module_dir / "go.sum").write_text("another h1:=\n")

    install(pin, cache, go=go.path)

    assert go.builds == 2


def test_a_binary_without_a_record_is_not_trusted(pin: EnginePin, cache: Path, go: FakeGo) -> None:
    binary = binary_path(pin, cache)
    binary.parent.mkdir(parents=True)
    binary.write_text("#!/bin/sh\necho Engine 1.2.3\n")

    install(pin, cache, go=go.path)

    assert go.builds == 1


def test_a_cut_build_leaves_nothing_and_the_next_one_succeeds(pin: EnginePin, cache: Path, go: FakeGo) -> None:
    go.write(on_build="echo half > $2; kill -9 $$")
    with pytest.raises(Misconfigured, match=r"engine 1\.2\.3 did not compile"):
        install(pin, cache, go=go.path)
    assert leftovers(pin, cache) == []

    go.write()

    assert install(pin, cache, go=go.path).stat().st_mode & stat.S_IXUSR


def test_what_a_killed_installer_left_is_removed(pin: EnginePin, cache: Path, go: FakeGo) -> None:
    abandoned = binary_path(pin, cache).parent / ".building-abandoned"
    abandoned.mkdir(parents=True)
    (abandoned / "engine").write_bytes(b"half")

    install(pin, cache, go=go.path)

    assert not abandoned.exists()


def test_a_failed_download_names_the_network_and_what_go_said(pin: EnginePin, cache: Path, go: FakeGo) -> None:
    go.write(on_list="echo 'dial tcp: lookup proxy: no such host' >&2; exit 1")

    with pytest.raises(Misconfigured, match=r"Check the network.*run the same command again.*no such host"):
        install(pin, cache, go=go.path)

    assert go.builds == 0


def test_a_binary_of_another_version_is_refused(pin: EnginePin, cache: Path, go: FakeGo) -> None:
    go.write(engine_version="1.2.30")

    with pytest.raises(Broken, match=r"calls itself \['Engine 1\.2\.30 built'\]"):
        install(pin, cache, go=go.path)

    assert leftovers(pin, cache) == []


def test_a_cache_that_cannot_be_made_names_the_setting(pin: EnginePin, tmp_path: Path, go: FakeGo) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(Misconfigured, match="set KEYSTEAD_CACHE_DIR"):
        install(pin, tmp_path / "file" / "below", go=go.path)


def test_a_go_that_is_too_old_is_replaced_by_the_pinned_toolchain(
    pin: EnginePin, cache: Path, go: FakeGo, tmp_path: Path
) -> None:
    go.write(go_version="go1.19.8")
    lock = (toolchain._TOOLCHAIN_LOCK).read_text().split("==")[1].split()[0]
    fetched = FakeGo(cache / "go" / f"toolchain-{lock}" / "go" / "bin")

    install(pin, cache, go=go.path)

    assert (go.builds, fetched.builds) == (0, 1)


def test_without_go_and_network_the_message_says_what_to_do(
    pin: EnginePin, cache: Path, go: FakeGo, monkeypatch: pytest.MonkeyPatch
) -> None:
    go.write(go_version="go1.19.8")
    # An installer that finds no network; the real one would wait for it.
    monkeypatch.setattr(toolchain, "_installer", lambda: ["sh", "-c", "echo Name or service not known; exit 1"])

    with pytest.raises(Misconfigured, match=r"needs Go 1\.26 or newer.*Check the network.*or install Go.*not known"):
        install(pin, cache, go=go.path)


def test_without_go_and_any_installer_the_message_names_both(
    pin: EnginePin, cache: Path, go: FakeGo, monkeypatch: pytest.MonkeyPatch
) -> None:
    go.write(go_version="go1.19.8")
    # The machine running the tests has an installer.
    monkeypatch.setattr(toolchain, "_installer", lambda: None)

    with pytest.raises(Misconfigured, match=r"install Go \(go\.dev/dl\), or run .* -m ensurepip"):
        install(pin, cache, go=go.path)


def test_progress_tells_each_step_from_its_beginning(pin: EnginePin, cache: Path, go: FakeGo) -> None:
    told: list[tuple[str, int]] = []

    install(pin, cache, go=go.path, progress=lambda text, elapsed_s: told.append((text, elapsed_s)))

    assert [text for text, elapsed_s in told if elapsed_s == 0] == [
        "engine 1.2.3: downloading its source",
        "engine 1.2.3: compiling (1 to 3 minutes)",
    ]


def test_a_command_that_does_not_end_is_killed_with_its_children(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    command = ["sh", "-c", f"sleep 60 & echo $! > {pid_file}; wait"]

    with pytest.raises(Misconfigured, match="not done after 1 seconds"):
        toolchain.run(command, tmp_path, toolchain.silent, "sleeping", 1)

    child = Path(f"/proc/{pid_file.read_text().strip()}/stat")
    ends_s = time.monotonic() + 5
    while is_alive(child) and time.monotonic() < ends_s:
        time.sleep(0.01)  # a killed process may take a moment to go
    assert not is_alive(child)


def is_alive(stat: Path) -> bool:
    try:
        return stat.read_text().split(")")[1].split()[0] != "Z"
    except OSError:
        return False


def test_the_pinned_xray_is_inside_the_package_with_its_sums() -> None:
    package = Path(installer.__file__).parent

    assert XRAY.module_dir.is_relative_to(package)
    assert "v1.260327.1-0.20260728075948-5ca6f4b7d4dc" in (XRAY.module_dir / "go.mod").read_text()
    assert os.path.getsize(XRAY.module_dir / "go.sum") > 0
