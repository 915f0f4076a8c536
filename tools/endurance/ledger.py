"""Where every verdict of a listener must lie, and what they say."""

import threading
from typing import Any

from genre_edge.model.bundle import Bundle

PATIENCE_S = 60.0  # for a verdict that is due
_ROUNDING_S = 0.0011  # of two times with three decimals


class ListenerError(Exception):
    """The process under watch has died, or hangs."""


class Ledger:
    """Checks verdicts one by one; one thread adds, another one asks.

    Verdict `k` begins with its first patch, `k` intervals of whole patches after the beginning, and ends with its last
    one. Only the rest at the end may be shorter.
    """

    def __init__(self, bundle: Bundle, interval_s: float) -> None:
        self.hop_s = bundle.hop_frames * bundle.mel.hop_length / bundle.mel.sr
        self.step_s = max(1, round(interval_s / self.hop_s)) * self.hop_s
        self._length_s = self.step_s - self.hop_s + bundle.patch_s
        self.count = self.misplaced = self.dropped = 0
        self.end_s = 0.0  # of the last one
        self._longest_lag_ms = 0.0
        self._rest = self._ended = False
        self._changed = threading.Condition()

    def add(self, verdict: dict[str, Any]) -> None:
        """The next verdict, as its JSON says."""
        with self._changed:
            start_s = self.count * self.step_s
            begins_well = abs(verdict["start_s"] - start_s) < _ROUNDING_S
            self.misplaced += self._rest or not begins_well
            self._rest = abs(verdict["end_s"] - start_s - self._length_s) >= _ROUNDING_S
            self.count += 1
            self.dropped, self.end_s = verdict["dropped_samples"], verdict["end_s"]
            self._longest_lag_ms = max(self._longest_lag_ms, verdict["lag_ms"])
            self._changed.notify()

    def end(self, fed_s: float) -> None:
        """No more will come; of `fed_s` seconds less than a hop may be left out, and nothing made up."""
        with self._changed:
            self.misplaced += not -_ROUNDING_S <= fed_s - self.end_s <= self.hop_s
            self._ended = True
            self._changed.notify()

    def longest_lag_ms(self) -> float:
        """Since it was asked the last time."""
        with self._changed:
            longest, self._longest_lag_ms = self._longest_lag_ms, 0.0
            return longest

    def wait_for_all(self, fed_s: float) -> None:
        """Until all verdicts that are due after `fed_s` seconds have come. Raises ListenerError."""
        due_s = fed_s - self.step_s - 1  # a second: blocks, resampler and frames know a little less than was fed
        with self._changed:
            if not self._changed.wait_for(lambda: self._ended or self.end_s >= due_s, PATIENCE_S):
                raise ListenerError(f"gives no verdict for {PATIENCE_S:g} s, the last one ends at {self.end_s} s")
            if self.end_s < due_s:
                raise ListenerError(f"ended at {self.end_s} s")
