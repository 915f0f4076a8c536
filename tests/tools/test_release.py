"""The release: the workflow, the guide's commands, sdists with equal bytes, and the check of an installation."""

import gzip
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.conftest import ROOT, TIMEOUT_S
from tools.release.guide import commands
from tools.release.repack_sdist import repack

WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"
GUIDE = (ROOT / "docs" / "raspberry-pi.md").read_text()
MACHINE = (ROOT / "tools" / "release" / "machine.sh").read_text()


def run(*command: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=ROOT, timeout=TIMEOUT_S)


def test_workflow_schema() -> None:
    """The workflow is valid: its keys, values and expressions."""
    done = run(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", WORKFLOW)
    assert done.returncode == 0, done.stdout + done.stderr


def test_workflow_security() -> None:
    """zizmor finds nothing: all actions are pinned to a commit, and no job has rights that it does not need."""
    done = run(Path(sys.executable).parent / "zizmor", "--offline", "--no-progress", WORKFLOW)
    assert done.returncode == 0, done.stdout + done.stderr


def test_workflow_runs_existing_files() -> None:
    """The programs and make targets of the workflow exist."""
    text = WORKFLOW.read_text()
    for path in re.findall(r"(?:tools|demo)/[\w/.]+\w", text):
        assert (ROOT / path).is_file(), path
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"run: make (\w+)", text)) <= set(targets)


@pytest.mark.parametrize("script", ["tools/release.sh", "tools/arm64.sh", "tools/release/machine.sh"])
def test_shell_script(script: str) -> None:
    """shellcheck finds nothing."""
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    done = run("shellcheck", "-x", script)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("script", ["tools/release.sh", "tools/arm64.sh"])
def test_shell_script_usage(script: str) -> None:
    """A wrong option prints the usage and builds nothing."""
    done = run("bash", script, "--help")
    assert done.returncode == 2 and script in done.stdout and "set -e" not in done.stdout


def test_guide_commands() -> None:
    """Each section that the emulated machine runs exists, and has no command that a newcomer would compile with."""
    sections = re.findall(r'^section "([^"]+)"(?: --only (\d))?$', MACHINE, re.MULTILINE)
    assert len(sections) == 5
    lines = [line for name, number in sections for line in commands(GUIDE, name, int(number) if number else None)]
    assert "/opt/genre-edge/bin/genre-edge doctor" in lines
    assert not [line for line in lines if re.search(r"\b(gcc|make|git)\b|python3-dev", line)]


def test_guide_unknown_section() -> None:
    """An unknown section or block is an error that names the sections."""
    with pytest.raises(ValueError, match=r"no section '9\. Fly'; sections: .*3\. Install"):
        commands(GUIDE, "9. Fly")
    with pytest.raises(ValueError, match="has 1 blocks"):
        commands(GUIDE, "2. Install the prerequisites", 1)


def make_sdist(path: Path, names: list[str], time_s: int, user: str) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.uname, member.uid = 3, time_s, user, time_s
            member.mode = 0o775 if name.endswith(".sh") else 0o660
            archive.addfile(member, io.BytesIO(b"abc"))
    path.write_bytes(gzip.compress(content.getvalue(), mtime=time_s))


def test_repack_sdist(tmp_path: Path) -> None:
    """Archives of the same files, written in another order, at another time and by another user, become equal."""
    make_sdist(tmp_path / "a.tar.gz", ["p/b.sh", "p/a.py"], 1000, "root")
    make_sdist(tmp_path / "b.tar.gz", ["p/a.py", "p/b.sh"], 2000, "someone")
    for name in ("a", "b"):
        repack(tmp_path / f"{name}.tar.gz", 1_700_000_000)
    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()
    with tarfile.open(tmp_path / "a.tar.gz") as archive:
        members = archive.getmembers()
        assert [(m.name, m.mode, m.mtime, m.uname) for m in members] == [
            ("p/a.py", 0o644, 1_700_000_000, ""),
            ("p/b.sh", 0o755, 1_700_000_000, ""),
        ]
        content = archive.extractfile("p/a.py")
        assert content is not None and content.read() == b"abc"


@pytest.mark.slow
def test_check_install(song: Path, tmp_path: Path) -> None:
    """The check passes here, with this machine's verdicts as the expected ones, and fails with others."""
    verdicts = ""
    for model in ("edge", "nano", "paper"):
        done = run(sys.executable, "-m", "genre_edge", "classify", "--model", model, "--format", "jsonl", song)
        verdicts += done.stdout
    (tmp_path / "right.json").write_text(verdicts)
    program = ROOT / "tools" / "release" / "check_install.py"
    done = run(sys.executable, program, song, tmp_path / "right.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("differs by 0.0000") == 3
    wrong = json.loads(verdicts.splitlines()[0]) | {"genre": "metal"}
    (tmp_path / "wrong.json").write_text(json.dumps(wrong) + "\n")
    done = run(sys.executable, program, song, tmp_path / "wrong.json")
    assert done.returncode == 1 and "FAILED: verdicts differ in ['genre']" in done.stderr
