"""packaging/genre-edge.service, as systemd's own judge sees it, and the program within its system calls."""

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
MOST_EXPOSED = 2.0  # of 10; "OK" ends at 4


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that exists everywhere."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    path = tmp_path / UNIT.name
    path.write_text(UNIT.read_text().replace("/opt/genre-edge/bin/genre-edge", shutil.which("true") or "/bin/true"))
    return path


def test_the_unit_is_well_formed(unit: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    assert done.returncode == 0 and unit.name not in done.stderr, done.stderr


def test_the_unit_is_hardened(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze judges running services only")
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found and float(found[1]) <= MOST_EXPOSED, done.stdout + done.stderr


def test_only_wrong_usage_ends_it_for_good() -> None:
    (codes,) = re.findall(r"^RestartPreventExitStatus=(.+)$", UNIT.read_text(), re.MULTILINE)
    assert int(codes) == ParameterError.exit_code != SourceLostError.exit_code


def words(line: str) -> list[str]:
    """What `$NAME` in ExecStart becomes of a line in an EnvironmentFile; shlex has systemd's quotes.

    systemd.exec(5): a value's outer quotes are taken away. systemd.service(5): a variable without braces is split at
    whitespace; quotes in it are respected, and then removed.
    """
    (assignment,) = shlex.split(line)
    return shlex.split(assignment.partition("=")[2])


def test_the_guide_s_settings_are_the_words_that_are_meant() -> None:
    guide = (ROOT / "docs" / "raspberry-pi.md").read_text()
    settings = re.findall(r"`(GENRE_EDGE_\w+=[^`]+)`", guide)
    assert ["USB PnP", "--interval", "10"] in map(words, settings)
    assert ["microphone", "--host", "0.0.0.0"] in map(words, settings)
    assert all(len(words(setting)) == 1 for setting in settings if "OPTIONS" not in setting)


# Its system calls

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2  # prctl(2)
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # of classic BPF, seccomp(2)
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000


def of_group(name: str) -> set[str]:
    """The system calls of one of systemd's groups, `@name`, and of the groups in it."""
    if not name.startswith("@"):
        return {name}
    shown = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True)
    members = [line.strip() for line in shown.stdout.splitlines()[1:]]
    return set().union(*(of_group(member) for member in members if member and not member.startswith("#")))


def numbers() -> dict[str, int]:
    """Of this processor's system calls."""
    done = subprocess.run(["gcc", "-E", "-dD", "-"], input="#include <sys/syscall.h>", capture_output=True, text=True)
    found = re.findall(r"^#define __NR_(\w+) (\d+)$", done.stdout, re.MULTILINE)
    return {name: int(number) for name, number in found}


@pytest.fixture(scope="module")
def confined() -> Callable[[], None]:
    """What confines the calling process, for good, to the system calls that the unit allows."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    text, allowed = UNIT.read_text(), set()
    for value in re.findall(r"^SystemCallFilter=(.+)$", text, re.MULTILINE):
        named = set().union(*map(of_group, value.lstrip("~").split()))
        allowed = allowed - named if value.startswith("~") else allowed | named
    refusal = re.search(r"^SystemCallErrorNumber=(\w+)$", text, re.MULTILINE)
    verdict = REFUSE | getattr(errno, refusal[1]) if refusal else KILL
    program = [(LOAD, 0, 0, 0)]
    forbidden = [number for name, number in numbers().items() if name not in allowed]
    for number in forbidden:
        program += [(JUMP_IF_EQUAL, 0, 1, number), (RETURN, 0, 0, verdict)]
    program.append((RETURN, 0, 0, ALLOW))
    assert len(forbidden) > 50 and len(allowed) > 200
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    filter_ = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)

    def confine() -> None:
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "PR_SET_NO_NEW_PRIVS")
        if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filter_), 0, 0):
            raise OSError(ctypes.get_errno(), "PR_SET_SECCOMP")

    confine.keep = code  # type: ignore[attr-defined]
    return confine


def test_it_serves_within_the_unit_s_system_calls(
    cli: Cli, confined: Callable[[], None], song_wav: Path, tmp_path: Path
) -> None:
    """Killed at its start once: LiteRT's thread pool and allocator ask for a scheduler and a memory policy."""
    history = ("--history", tmp_path / "history.db")
    done = cli("serve", "-", "--port", "0", *history, input=song_wav.read_bytes(), preexec_fn=confined)
    assert done.returncode == 0 and re.fullmatch(r"genre-edge: http://127\.0\.0\.1:\d+/\n", done.stderr)
    assert (tmp_path / "history.db").stat().st_size > 0


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not in PATH")
def test_its_ffmpeg_lives_within_them_too(cli: Cli, confined: Callable[[], None], tmp_path: Path) -> None:
    song = tmp_path / "song.m4a"
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-i", str(SONG), str(song)], check=True)
    done = cli("classify", song, "--format", "json", preexec_fn=confined)
    assert done.returncode == 0 and json.loads(done.stdout)[0]["genre"] == "classical", done.stderr
