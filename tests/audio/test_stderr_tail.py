"""What a child says on its standard error: its end is known, and the child never waits."""

import os
import subprocess
import sys

import pytest

from genre_edge.audio.stderr_tail import StderrTail


def child(program: str, complaints: StderrTail) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen([sys.executable, "-c", program], stderr=complaints.child_end)
    complaints.child_has_it()
    return process


def test_the_last_line() -> None:
    complaints = StderrTail()
    assert complaints.last_line() == ""
    with child("import sys; sys.stderr.write('one\\ntwo \\xff\\n\\n')", complaints) as process:
        process.wait()
    assert complaints.last_line() == "two ÿ"
    assert complaints.last_line() == "two ÿ"
    complaints.close()


def test_a_child_that_complains_without_end_does_not_wait() -> None:
    complaints = StderrTail()
    program = "import os\nfor i in range(1000):\n try: os.write(2, b'x' * 999 + b'\\n')\n except BlockingIOError: pass"
    with child(program, complaints) as process:
        assert process.wait(60) == 0
    assert complaints.last_line() == "x" * 999
    complaints.close()


def test_who_reads_often_misses_nothing() -> None:
    complaints = StderrTail()
    for i in range(1000):
        os.write(complaints.child_end, b"%0999d\n" % i)
        complaints.read()
    assert complaints.last_line() == f"{999:0999d}"
    assert len(complaints._last) == 4096
    complaints.close()


def test_closing_twice_leaves_nothing_open() -> None:
    before = sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208
    complaints = StderrTail()
    complaints.close()
    complaints.close()
    assert sorted(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    with pytest.raises(ValueError, match="closed"):  # and never another file of the same number
        complaints.read()
