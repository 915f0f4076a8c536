"""The live view of `genre-edge stream` on a terminal."""
