"""Limits of a child process, as the kernel enforces them and as a thread does on systems without them."""

import subprocess
import sys

import pytest

from genre_edge.system import self_limits
from tests.conftest import TIMEOUT_S

NO_PRCTL = "import ctypes, types\nctypes.CDLL = lambda name: types.SimpleNamespace()\n"
NO_PROC = "from pathlib import Path\nfrom genre_edge.system import process\nprocess._PROC = Path('/nowhere')\n"
LIMITED = "from genre_edge.system import self_limits\nself_limits.limit_memory(200 << 20)\n"


def run(code: str) -> "subprocess.CompletedProcess[str]":
    """Run code as a child of a small process: on Linux, it inherits the peak memory of its parent."""
    command = ["sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)


@pytest.mark.parametrize("prelude", ["", NO_PRCTL], ids=["prctl", "thread"])
def test_end_with_parent(prelude: str) -> None:
    """A process ends when its parent is killed: its end of a pipe is closed."""
    child = f"{prelude}from genre_edge.system import self_limits\nself_limits.end_with_parent()\n"
    child += "import time\nprint('ready', flush=True)\ntime.sleep(600)"
    parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.kill()
        assert process.communicate(timeout=TIMEOUT_S)[0] == ""


def test_limit_memory() -> None:
    """On Linux an allocation beyond the limit fails; a smaller one succeeds."""
    code = f"{LIMITED}x = bytearray(20 << 20)\nprint('small')\nx = bytearray(300 << 20)"
    done = run(code)
    assert done.stdout == "small\n" and "MemoryError" in done.stderr


def test_limit_memory_without_proc() -> None:
    """Elsewhere the process exits after it has used more than the limit; a smaller allocation is no reason."""
    code = f"{NO_PROC}{LIMITED}import time\nx = bytearray(20 << 20)\ntime.sleep(1)\nprint('small', flush=True)\n"
    done = run(code + "x = bytearray(300 << 20)\ntime.sleep(600)")
    assert (done.stdout, done.returncode) == ("small\n", self_limits.MEMORY_EXIT_CODE), done.stderr
