"""The systemd units of the nightly scan: docs/recipes.md."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT, Cli
from tests.helpers.recipes import block

SERVICE = "genre-edge-scan.service"
TIMER = "genre-edge-scan.timer"
PROGRAM = "/opt/genre-edge/bin/genre-edge"
INSTALLED = "/opt/genre-edge/share/genre-edge/"  # where pip installs the files of packaging/


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home in which the recipe's commands have installed the units."""
    lines = block("sh", "systemd/user").splitlines()
    commands = [line for line in lines if line.startswith(("mkdir", "cp"))]
    assert len(commands) == 2
    environment = os.environ | {"HOME": str(tmp_path)}
    script = "\n".join(commands).replace(INSTALLED, "packaging/")
    subprocess.run(["sh", "-e", "-c", script], cwd=ROOT, env=environment, check=True)
    return tmp_path


def units(home: Path) -> Path:
    """Return the folder of a user's units."""
    return home / ".config" / "systemd" / "user"


def add_drop_in(home: Path) -> Path:
    """Write the page's drop-in where `systemctl edit` does."""
    path = units(home) / f"{SERVICE}.d" / "override.conf"
    path.parent.mkdir()
    path.write_text(block("ini", "ExecStart="))
    return path


def scan_arguments(unit: Path, home: Path) -> list[str]:
    """Return the arguments of the last command of a unit."""
    command = [line for line in unit.read_text().splitlines() if line.startswith("ExecStart=/")][-1]
    program, *arguments = shlex.split(command.removeprefix("ExecStart=").replace("%h", str(home)))
    assert program == PROGRAM
    return arguments


@pytest.mark.parametrize("has_drop_in", [False, True])
def test_scan_command(has_drop_in: bool, home: Path, cli: Cli, song: Path) -> None:
    """The service's command scans a folder into the database that the recipe's other commands read."""
    unit = add_drop_in(home) if has_drop_in else units(home) / SERVICE
    music = home / "Music"
    music.mkdir()
    shutil.copy(song, music)
    arguments = [argument.replace("/mnt/nas/My Music", str(music)) for argument in scan_arguments(unit, home)]
    assert cli(*arguments).stdout == "1 classified, 0 moved, 0 gone, 0 unchanged, 0 failed\n"
    assert cli(*arguments).stdout == "0 classified, 0 moved, 0 gone, 1 unchanged, 0 failed\n"
    assert cli("report", "--db", home / "music.db").stdout.startswith("1 files, ")
    assert cli("tag", "plan", "--db", home / "music.db", "--out", home / "plan.tsv").returncode == 0


def test_scan_exit_code(home: Path, cli: Cli, song: Path) -> None:
    """A file that cannot be read fails the service once; the next night skips it. A missing folder always does."""
    arguments = scan_arguments(units(home) / SERVICE, home)
    assert "SuccessExitStatus" not in (units(home) / SERVICE).read_text()
    assert cli(*arguments).returncode == 1
    (home / "Music").mkdir()
    shutil.copy(song, home / "Music")
    (home / "Music" / "text.mp3").write_text("this is not music")
    assert [cli(*arguments).returncode for _ in range(2)] == [1, 0]


@pytest.mark.parametrize("has_drop_in", [False, True])
def test_systemd_accepts_units(has_drop_in: bool, home: Path) -> None:
    """A user's systemd knows every option of the units and of the drop-in, and refuses a wrong one."""
    if (analyze := shutil.which("systemd-analyze")) is None:
        pytest.skip("systemd-analyze is missing (Debian package systemd)")
    written = [units(home) / SERVICE, *([add_drop_in(home)] if has_drop_in else [])]
    for path in written:  # the program is not installed where the unit expects it
        path.write_text(path.read_text().replace(PROGRAM, "/bin/true"))
    environment = os.environ | {"HOME": str(home), "XDG_RUNTIME_DIR": str(home)}
    command = [analyze, "--user", "verify", "--man=no", *(str(units(home) / name) for name in (SERVICE, TIMER))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0 and not done.stderr, done.stderr
    written[-1].write_text(written[-1].read_text() + "\n[Service]\nRestrictRealtimes=yes\n")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert "RestrictRealtimes" in done.stderr
