"""`InvalidSampleFilter`: drops blocks with invalid samples, which would otherwise end a live stream."""

import logging

import numpy as np

from genre_edge.audio.block import Block

log = logging.getLogger("genre_edge")


class InvalidSampleFilter:
    """Filter that replaces blocks with invalid samples with empty blocks that count them as dropped.

    Logs one line at the first such block, and one when all samples were valid for `stable_s`.

    Args:
        name: name of the source in log lines.
        stable_s: seconds of valid samples after which drops are logged again.
    """

    def __init__(self, name: str, stable_s: float) -> None:
        self._name, self._stable_s = name, stable_s
        self._dropped = 0  # samples since the first logged drop
        self._last_invalid_s = 0.0  # clock at the last invalid block

    def process(self, block: Block) -> Block:
        """Return the block, or an empty block that counts its samples as dropped."""
        n = len(block.samples)
        if problem := block.invalid_sample():
            if not self._dropped:
                log.warning("%s: %s; dropping invalid samples; further drops are not logged", self._name, problem)
            self._dropped += n
            self._last_invalid_s = block.arrived_s
            empty = np.empty(0, dtype=np.float32)
            return Block(empty, block.rate, block.position + n, block.dropped + n, block.arrived_s)
        if self._dropped and n and block.arrived_s - self._last_invalid_s >= self._stable_s:
            log.warning("%s: all samples are valid again; dropped %d samples", self._name, self._dropped)
            self._dropped = 0
        return block
