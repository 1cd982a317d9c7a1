"""What the repository promises outside of Python: locks, scripts, targets, pins and vendored files."""

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted([*ROOT.glob("requirements*.lock"), *ROOT.glob("src/**/go.lock")])
SCRIPTS = [ROOT / name for name in ("scripts/setup", "scripts/check", ".ci/run")]
ASSETS = ROOT / "src" / "keystead" / "http" / "assets"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_has_a_hash_for_each_package_and_names_no_host(lock: Path) -> None:
    text = lock.read_text()

    assert "://" not in text
    for requirement in re.split(r"\n(?=\S)", text.strip()):
        assert requirement.startswith("#") or "--hash=sha256:" in requirement, requirement


def test_the_resolver_of_one_tool_is_not_committed() -> None:
    assert not (ROOT / "uv.lock").exists()


def test_every_make_target_has_a_sentence() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))

    described = set(re.findall(r"^([a-z]+):.*## [A-Z].*\.$", makefile, re.MULTILINE))

    assert described == targets >= {"help", "run", "demo", "test", "check", "bench"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_executable_and_clean(script: Path) -> None:
    assert script.stat().st_mode & 0o111
    shell = "bash" if script.read_text().startswith("#!/usr/bin/env bash") else "sh"
    assert subprocess.run([shell, "-n", script], check=False, timeout=30).returncode == 0
    checker = shutil.which("shellcheck")
    if checker is not None:
        outcome = subprocess.run([checker, script], capture_output=True, text=True, check=False, timeout=60)
        assert outcome.returncode == 0, outcome.stdout


def test_vendored_files_are_the_ones_their_readme_names() -> None:
    named = dict(re.findall(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", (ASSETS / "README.md").read_text(), re.M))

    present = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in ASSETS.iterdir()
        if path.suffix in {".js", ".css", ".png"}
    }

    assert named == present
