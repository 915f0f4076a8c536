"""A live source's blocks without those that are no sound: one damaged sample must not end months of listening."""

import logging

import numpy as np

from genre_edge.audio.block import Block

log = logging.getLogger("genre_edge")


class InvalidSampleFilter:
    """Leaves out blocks with samples that are no sound; they are dropped samples then, in their place.

    The log has a line when that begins, and one when there was nothing but sound for `steady_s`.
    """

    def __init__(self, name: str, steady_s: float) -> None:
        self._name, self._steady_s = name, steady_s
        self._left_out = 0  # samples, since it began
        self._last_s = 0.0  # clock at the last such block

    def part(self, block: Block) -> Block:
        """The block, or an empty one that tells the loss."""
        n = len(block.samples)
        if fault := block.fault():
            if not self._left_out:
                log.warning("%s: %s; left out, as all that is none", self._name, fault)
            self._left_out += n
            self._last_s = block.arrived_s
            nothing = np.empty(0, dtype=np.float32)
            return Block(nothing, block.rate, block.position + n, block.dropped + n, block.arrived_s)
        if self._left_out and n and block.arrived_s - self._last_s >= self._steady_s:
            log.warning("%s: nothing but sound again; %d samples were left out", self._name, self._left_out)
            self._left_out = 0
        return block
