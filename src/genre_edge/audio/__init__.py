"""Audio sources: one module for each kind, all yielding `Block`."""

from genre_edge.audio.block import Block
from genre_edge.audio.source import Source

__all__ = ["Block", "Source"]
