"""What a child process writes on its standard error, of which only the end is wanted."""

import os

_KEPT_BYTES = 4096


class StderrTail:
    """A pipe that the child never waits for: what it cannot hold is lost. Nothing is on a disk, and nothing grows.

    Attributes:
        child_end: give it to the child, then call `child_has_it`.
    """

    def __init__(self) -> None:
        ours, self.child_end = os.pipe()
        for end in (ours, self.child_end):
            os.set_blocking(end, False)
        self._ours = os.fdopen(ours, "rb", buffering=0)
        self._child_has_it = False
        self._last = b""

    def child_has_it(self) -> None:
        """The child was started: its end is its own."""
        if not self._child_has_it:
            os.close(self.child_end)
            self._child_has_it = True

    def read(self) -> None:
        """Make room for more."""
        while part := self._ours.read(1 << 16):  # None where there is nothing for now
            self._last = (self._last + part)[-_KEPT_BYTES:]

    def last_line(self) -> str:
        """The last line so far, "" where there is none."""
        self.read()
        lines = self._last.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def close(self) -> None:
        """Allowed twice."""
        self.child_has_it()
        self._ours.close()
