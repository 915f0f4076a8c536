"""Where samples come from: one file per kind of source, all yielding `Block`."""

from genre_edge.audio.block import Block, Source

__all__ = ["Block", "Source"]
