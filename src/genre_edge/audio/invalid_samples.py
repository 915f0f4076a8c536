"""`InvalidSampleReplacer`: replaces the few samples of a damaged float recording that are no audio."""

import logging
from dataclasses import replace

import numpy as np

from genre_edge.audio.block import MAX_AMPLITUDE, Block
from genre_edge.errors import AudioError

log = logging.getLogger("genre_edge")

_MAX_INVALID_S = 1.0
_MAX_INVALID_SHARE = 0.1
_WARNING_DELAY_S = 60.0  # a stream that does not end reports its first invalid sample after this time


class InvalidSampleReplacer:
    """Replacer of samples that are not finite or exceed `MAX_AMPLITUDE` with zeros.

    One flipped bit in a float sample must not cost the whole recording; a stream with many such samples is no audio.

    Args:
        name: name of the source in messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._n_samples = self._n_invalid = 0
        self._problem = ""  # describes the first invalid sample
        self._first_s = 0.0
        self._is_reported = False

    def process(self, block: Block) -> Block:
        """Return the block with valid samples.

        Raises:
            AudioError: more than a second of samples, and more than 10 % of all, were invalid.
        """
        self._n_samples += len(block.samples)
        time_s = block.position / block.rate
        problem = block.invalid_sample()
        if problem is not None:
            if not self._problem:
                self._problem, self._first_s = problem, time_s
            valid = np.abs(block.samples) <= MAX_AMPLITUDE
            self._n_invalid += int(np.count_nonzero(~valid))
            self._check(_MAX_INVALID_S * block.rate)
            block = replace(block, samples=np.where(valid, block.samples, np.float32(0)))
        if self._problem and time_s >= self._first_s + _WARNING_DELAY_S:
            self._report()
        return block

    def finish(self) -> None:
        """End the stream; log a warning if samples were replaced.

        Raises:
            AudioError: more than 10 % of the samples were invalid.
        """
        self._check(0)
        if self._problem:
            self._report()

    def _check(self, n_allowed: float) -> None:
        if self._n_invalid > max(n_allowed, _MAX_INVALID_SHARE * self._n_samples):
            raise AudioError(f"{self._name}: {self._problem}")

    def _report(self) -> None:
        if not self._is_reported:
            self._is_reported = True
            log.warning("%s: %s; such samples (%d so far) become silence", self._name, self._problem, self._n_invalid)
