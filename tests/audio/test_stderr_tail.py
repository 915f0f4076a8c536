"""StderrTail: keeps the end of a child's standard error without blocking the child."""

import fcntl
import os
import subprocess
import sys

import pytest

from genre_edge.audio.stderr_tail import StderrTail
from tests.conftest import TIMEOUT_S


def start(program: str, stderr: StderrTail) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen([sys.executable, "-c", program], stderr=stderr.write_fd)
    stderr.close_write_fd()
    return process


def test_last_line() -> None:
    """The last non-empty line is returned, with invalid UTF-8 replaced."""
    stderr = StderrTail()
    assert stderr.last_line() == ""
    with start("import sys; sys.stderr.write('one\\ntwo \\xff\\n\\n')", stderr) as process:
        process.wait()
    assert stderr.last_line() == "two ÿ"
    assert stderr.last_line() == "two ÿ"
    stderr.close()


def test_full_pipe_does_not_block_child() -> None:
    """A child that writes more than the pipe's capacity is not blocked."""
    stderr = StderrTail()
    program = "import os\nfor i in range(1000):\n try: os.write(2, b'x' * 999 + b'\\n')\n except BlockingIOError: pass"
    with start(program, stderr) as process:
        assert process.wait(TIMEOUT_S) == 0
    assert stderr.last_line() == "x" * 999
    stderr.close()


def test_pipe_of_default_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pipes cannot be enlarged, the child is not blocked either, and what the pipe holds is kept."""
    monkeypatch.delattr(fcntl, "F_SETPIPE_SZ")
    stderr = StderrTail()
    with pytest.raises(BlockingIOError):
        for i in range(10_000):
            os.write(stderr.write_fd, b"%0999d\n" % i)
    assert 10 < i < 1000 and stderr.last_line() == f"{i - 1:0999d}"
    stderr.close()


def test_drain_keeps_last_bytes() -> None:
    """A pipe that is drained often loses nothing, and keeps the last 64 KiB."""
    stderr = StderrTail()
    for i in range(1000):
        os.write(stderr.write_fd, b"%0999d\n" % i)
        stderr.drain()
    assert stderr.last_line() == f"{999:0999d}"
    assert len(stderr._tail) == 1 << 16
    stderr.close()


def test_close_twice() -> None:
    """A second `close` does nothing; no descriptor stays open."""
    before = sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208
    stderr = StderrTail()
    stderr.close()
    stderr.close()
    assert sorted(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    with pytest.raises(ValueError, match="closed"):  # and it never reads another file that has the same descriptor
        stderr.drain()
