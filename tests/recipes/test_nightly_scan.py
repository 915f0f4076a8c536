"""The systemd units of the nightly scan: docs/recipes.md."""

import configparser
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT, Cli

UNITS = {kind: ROOT / "packaging" / f"genre-edge-scan.{kind}" for kind in ("service", "timer")}


def unit(kind: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=True, delimiters=["="])
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(UNITS[kind])
    return parser


def test_command(cli: Cli, song: Path, tmp_path: Path) -> None:
    """The service's command scans a folder into a database in the state directory, and can be repeated."""
    service = unit("service")["Service"]
    program, *arguments = shlex.split(service["ExecStart"])
    assert program == "/opt/genre-edge/bin/genre-edge"
    state = f"/var/lib/{service['StateDirectory']}/"
    (tmp_path / "music").mkdir()
    shutil.copy(song, tmp_path / "music")
    places = {"/srv/music": str(tmp_path / "music"), state: f"{tmp_path}/"}
    for old, new in places.items():
        arguments = [argument.replace(old, new) for argument in arguments]
    assert cli(*arguments).stdout == "1 classified, 0 moved, 0 gone, 0 unchanged, 0 failed\n"
    assert cli(*arguments).stdout == "0 classified, 0 moved, 0 gone, 1 unchanged, 0 failed\n"
    assert (tmp_path / "music.db").exists()


def test_sandbox() -> None:
    """The music cannot be written, and a failed file is no failure of the service."""
    service = unit("service")["Service"]
    assert service["ProtectSystem"] == "strict" and "ReadWritePaths" not in service
    assert service["PrivateNetwork"] == "yes" and service["SuccessExitStatus"] == "1"
    timer = unit("timer")
    assert timer["Timer"]["Persistent"] == "yes" and timer["Install"]["WantedBy"] == "timers.target"


def test_systemd_accepts_units(tmp_path: Path) -> None:
    """systemd knows every option."""
    if (analyze := shutil.which("systemd-analyze")) is None:
        pytest.skip("systemd-analyze is missing (Debian package systemd)")
    for path in UNITS.values():  # the program is not installed where the unit expects it
        (tmp_path / path.name).write_text(path.read_text().replace("/opt/genre-edge/bin/genre-edge", "/bin/true"))
    names = [str(tmp_path / path.name) for path in UNITS.values()]
    done = subprocess.run([analyze, "verify", "--man=no", *names], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0 and not done.stderr, done.stderr
