"""Checks that verdicts are contiguous and complete."""

import threading
from typing import Any

from genre_edge.model.bundle import Bundle

TIMEOUT_S = 60.0
_ROUNDING_S = 0.0011  # the difference of two times, each rounded to milliseconds


class ProcessError(Exception):
    """The process under test has died or hangs. The message continues a sentence that names the process."""


class VerdictChecker:
    """Checks the position of each verdict. Thread-safe: one thread adds verdicts while another one reads.

    Verdict `k` begins `k` intervals (whole patch hops) after the start of the stream and ends with the last patch of
    its interval. Only the last verdict may be shorter.

    Args:
        bundle: the model, which defines patch and hop length.
        interval_s: seconds of audio between verdicts.

    Attributes:
        hop_s: seconds from one patch to the next.
        step_s: seconds from one verdict to the next, a multiple of `hop_s`.
        count: number of verdicts.
        misplaced: number of verdicts at a wrong position.
        dropped: samples that the process reported as dropped.
        end_s: end of the last verdict, seconds.
    """

    def __init__(self, bundle: Bundle, interval_s: float) -> None:
        self.hop_s = bundle.hop_frames * bundle.mel.hop_length / bundle.mel.sr
        self.step_s = max(1, round(interval_s / self.hop_s)) * self.hop_s
        self._length_s = self.step_s - self.hop_s + bundle.patch_s
        self.count = self.misplaced = self.dropped = 0
        self.end_s = 0.0
        self._max_lag_ms = 0.0
        self._is_short = self._ended = False
        self._changed = threading.Condition()

    def add(self, verdict: dict[str, Any]) -> None:
        """Check the next verdict, a decoded JSON line of `genre-edge stream`."""
        with self._changed:
            start_s = self.count * self.step_s
            starts_on_time = abs(verdict["start_s"] - start_s) < _ROUNDING_S
            self.misplaced += self._is_short or not starts_on_time
            self._is_short = abs(verdict["end_s"] - start_s - self._length_s) >= _ROUNDING_S
            self.count += 1
            self.dropped, self.end_s = verdict["dropped_samples"], verdict["end_s"]
            self._max_lag_ms = max(self._max_lag_ms, verdict["lag_ms"])
            self._changed.notify()

    def end(self, fed_s: float) -> None:
        """Mark the end of the verdicts: they must cover the `fed_s` seconds of input, except for less than one hop."""
        with self._changed:
            self.misplaced += not -_ROUNDING_S <= fed_s - self.end_s <= self.hop_s
            self._ended = True
            self._changed.notify()

    def pop_max_lag_ms(self) -> float:
        """Return the maximum lag since the last call, in ms, and reset it."""
        with self._changed:
            max_lag_ms, self._max_lag_ms = self._max_lag_ms, 0.0
            return max_lag_ms

    def wait_until_caught_up(self, fed_s: float) -> None:
        """Wait for all verdicts that are due after `fed_s` seconds of input.

        Raises:
            ProcessError: the process has ended, or no verdict arrives for TIMEOUT_S seconds.
        """
        due_s = fed_s - self.step_s - 1  # one second of slack for blocks, resampler and frames in flight
        with self._changed:
            if not self._changed.wait_for(lambda: self._ended or self.end_s >= due_s, TIMEOUT_S):
                raise ProcessError(f"has sent no verdict for {TIMEOUT_S:g} s; the last one ends at {self.end_s} s")
            if self.end_s < due_s:
                raise ProcessError(f"ended at {self.end_s} s")
