"""packaging/genre-edge.service: verification by systemd-analyze, and commands under its system call filter."""

import ctypes
import errno
import json
import re
import shlex
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from genre_edge.errors import ParameterError, SourceLostError
from tests.conftest import ROOT, SONG, Cli

UNIT = ROOT / "packaging" / "genre-edge.service"
MAX_EXPOSURE = 2.0  # of 10; systemd-analyze calls up to 4 "OK"


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with /bin/true as its program, which exists on every machine."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    path = tmp_path / UNIT.name
    path.write_text(UNIT.read_text().replace("/opt/genre-edge/bin/genre-edge", shutil.which("true") or "/bin/true"))
    return path


def test_unit_verify(unit: Path) -> None:
    """`systemd-analyze verify` reports no problem."""
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    assert done.returncode == 0 and unit.name not in done.stderr, done.stderr


def test_unit_security(unit: Path) -> None:
    """The exposure level of `systemd-analyze security` is low."""
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze has no --offline")
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert exposure and float(exposure[1]) <= MAX_EXPOSURE, done.stdout + done.stderr


def test_unit_restart() -> None:
    """Wrong usage prevents a restart; a lost source does not."""
    (codes,) = re.findall(r"^RestartPreventExitStatus=(.+)$", UNIT.read_text(), re.MULTILINE)
    assert int(codes) == ParameterError.exit_code != SourceLostError.exit_code


def split_setting(line: str) -> list[str]:
    """Return the arguments that `$NAME` in ExecStart expands to, for a line of an EnvironmentFile.

    systemd's quoting is that of shlex. systemd.exec(5): a value's outer quotes are removed. systemd.service(5): a
    variable without braces is split at whitespace; quotes in it are respected, and then removed.
    """
    (assignment,) = shlex.split(line)
    return shlex.split(assignment.partition("=")[2])


def test_guide_settings() -> None:
    """The settings in docs/raspberry-pi.md expand to the intended arguments."""
    guide = (ROOT / "docs" / "raspberry-pi.md").read_text()
    settings = re.findall(r"`(GENRE_EDGE_\w+=[^`]+)`", guide)
    assert ["USB PnP", "--interval", "10"] in map(split_setting, settings)
    assert ["microphone", "--host", "0.0.0.0"] in map(split_setting, settings)
    assert any(setting.startswith("GENRE_EDGE_SOURCE=rtsp://user:password@") for setting in settings)
    assert all(len(split_setting(setting)) == 1 for setting in settings if "OPTIONS" not in setting)


# System calls

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2  # prctl(2)
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # opcodes of classic BPF, seccomp(2)
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000


def expand_group(name: str) -> set[str]:
    """Return the system calls of a systemd group, `@name`, including nested groups."""
    if not name.startswith("@"):
        return {name}
    shown = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True)
    members = [line.strip() for line in shown.stdout.splitlines()[1:]]
    return set().union(*(expand_group(member) for member in members if member and not member.startswith("#")))


def system_call_numbers() -> dict[str, int]:
    """Return {name: number} of this architecture's system calls."""
    done = subprocess.run(["gcc", "-E", "-dD", "-"], input="#include <sys/syscall.h>", capture_output=True, text=True)
    definitions = re.findall(r"^#define __NR_(\w+) (\d+)$", done.stdout, re.MULTILINE)
    return {name: int(number) for name, number in definitions}


@pytest.fixture(scope="module")
def restrict() -> Callable[[], None]:
    """Return a function that permanently restricts the calling process to the unit's system calls, for `preexec_fn`."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    text, allowed = UNIT.read_text(), set()
    for value in re.findall(r"^SystemCallFilter=(.+)$", text, re.MULTILINE):
        named = set().union(*map(expand_group, value.lstrip("~").split()))
        allowed = allowed - named if value.startswith("~") else allowed | named
    error = re.search(r"^SystemCallErrorNumber=(\w+)$", text, re.MULTILINE)
    action = ERRNO | getattr(errno, error[1]) if error else KILL
    program = [(LOAD, 0, 0, 0)]
    forbidden = [number for name, number in system_call_numbers().items() if name not in allowed]
    for number in forbidden:
        program += [(JUMP_IF_EQUAL, 0, 1, number), (RETURN, 0, 0, action)]
    program.append((RETURN, 0, 0, ALLOW))
    assert len(forbidden) > 50 and len(allowed) > 200
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    filter_ = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)

    def restrict_process() -> None:
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "PR_SET_NO_NEW_PRIVS")
        if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filter_), 0, 0):
            raise OSError(ctypes.get_errno(), "PR_SET_SECCOMP")

    restrict_process.keep = code  # type: ignore[attr-defined]
    return restrict_process


@pytest.mark.slow
def test_serve_with_system_call_filter(cli: Cli, restrict: Callable[[], None], song_wav: Path, tmp_path: Path) -> None:
    """LiteRT sets a scheduler and a memory policy: the filter must return an error instead of killing the process."""
    history = ("--history", tmp_path / "history.db")
    done = cli("serve", "-", "--port", "0", *history, input=song_wav.read_bytes(), preexec_fn=restrict)
    assert done.returncode == 0 and re.fullmatch(r"genre-edge: http://127\.0\.0\.1:\d+/\n", done.stderr)
    assert (tmp_path / "history.db").stat().st_size > 0


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not in PATH")
def test_ffmpeg_with_system_call_filter(cli: Cli, restrict: Callable[[], None], tmp_path: Path) -> None:
    """ffmpeg decodes under the unit's system call filter."""
    song = tmp_path / "song.m4a"
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-i", str(SONG), str(song)], check=True)
    done = cli("classify", song, "--format", "json", preexec_fn=restrict)
    assert done.returncode == 0 and json.loads(done.stdout)[0]["genre"] == "classical", done.stderr
