"""`PartView`: random access to pieces of a file and literal bytes."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from genre_edge.audio.containers.layout import Part, PartView, Range

CONTENT = np.random.default_rng(0).bytes(5000)
Piece = bytes | Range


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "x"
    path.write_bytes(CONTENT)
    descriptor = os.open(path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def test_random_access(descriptor: int) -> None:
    """Any range reads as in the joined pieces, empty and reversed ones included."""
    rng = np.random.default_rng(1)
    pieces: list[Piece] = [b"", (9, 3)]
    for _ in range(300):
        start, length = int(rng.integers(4900)), int(rng.integers(20))
        pieces += [(start, start + length), CONTENT[start : start + length % 5], b"", (7, 7)]
    whole = b"".join(piece if isinstance(piece, bytes) else CONTENT[slice(*piece)] for piece in pieces)
    view = PartView(descriptor, Part(tuple(pieces)))
    assert view.read() == whole
    for at in [0, len(whole) - 1, len(whole), len(whole) + 9, *rng.integers(0, len(whole), 200)]:
        n = int(rng.integers(100))
        assert view.seek(int(at)) == at and view.read(n) == whole[at : at + n]


class CountedPieces(tuple[Piece, ...]):
    """Pieces that count how often one is looked at."""

    n_used = 0

    def __iter__(self) -> Iterator[Piece]:
        for piece in super().__iter__():
            self.n_used += 1
            yield piece

    def __getitem__(self, i: int) -> Piece:  # type: ignore[override]
        self.n_used += 1
        return super().__getitem__(i)


def test_access_does_not_search_all_pieces(descriptor: int) -> None:
    """Reading a piece looks at no others, so that many pieces cost no time."""
    pieces = CountedPieces([(i, i + 1) for i in range(5000)])
    view = PartView(descriptor, Part(pieces))
    view.seek(-1, os.SEEK_END)
    pieces.n_used = 0
    assert view.read(1) == CONTENT[-1:] and pieces.n_used < 10
