"""The corpus of the fuzzer: file number N of a seed, a mutated audio file or a playlist named as audio."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tools.audio_corpus.encode import EncodingError
from tools.audio_corpus.formats import FORMATS, Format
from tools.audio_corpus.mutate import mutate
from tools.audio_corpus.traps import PLAYLISTS, playlist

SECONDS = 2.5  # of the files before mutation: short, so that all parts of a file are hit often
SUFFIXES = sorted({format.suffix for format in FORMATS})
ODD_NAMES = [
    b"", b"", b"", b"", b"", b" ", b"'\"", b"%d", b"%", b"[x]", b"*", b"a:b", b"file:", b"\n", b"\x1b[31m",
    b"\xff\xfe", b"\xc3\x28", "é".encode(), "\u202e".encode(), b"x" * 200,
    b"|id", b"$(id)", b"\t", b"\r", b"-", b"#", b"?x=1", b"\\",
]  # fmt: skip


@dataclass(frozen=True)
class FuzzFile:
    """A file of the corpus.

    Attributes:
        index: its number, which its name begins with.
        name: its name, arbitrary bytes.
        content: its bytes.
        recipe: format and mutations.
    """

    index: int
    name: bytes
    content: bytes
    recipe: str


class Corpus:
    """Files of the corpus, each made from the seed and its number alone.

    Args:
        seed: seed of the corpus.
        bases: intact files by format.
    """

    def __init__(self, seed: int, bases: dict[Format, bytes]) -> None:
        self._seed = seed
        self._bases = list(bases.items())

    def file(self, index: int, folder: Path, url: str) -> FuzzFile:
        """Return file number `index`; `folder` and `url` are the canary's, for playlists."""
        rng = np.random.default_rng([self._seed, index])
        kind = int(rng.integers(20))
        if kind == 0:
            trap = list(PLAYLISTS)[int(rng.integers(len(PLAYLISTS)))]
            content, recipe, suffix = playlist(trap, folder, url), f"playlist ({trap})", _random_suffix(rng)
            if rng.integers(4) == 0:
                content, names = mutate(content, rng, self._base(rng)[1])
                recipe += f": {', '.join(names)}"
        else:
            format, base = self._base(rng)
            content, names = mutate(base, rng, self._base(rng)[1])
            recipe, suffix = f"{format.name}: {', '.join(names)}", format.suffix
            if kind == 1:
                suffix = _random_suffix(rng)
        odd = ODD_NAMES[int(rng.integers(len(ODD_NAMES)))]
        return FuzzFile(index, b"%06d%s%s" % (index, odd, os.fsencode(suffix)), content, recipe)

    def _base(self, rng: np.random.Generator) -> tuple[Format, bytes]:
        return self._bases[int(rng.integers(len(self._bases)))]


def _random_suffix(rng: np.random.Generator) -> str:
    return SUFFIXES[int(rng.integers(len(SUFFIXES)))]


def encode_bases(folder: Path, formats: list[Format] = FORMATS) -> dict[Format, bytes]:
    """Encode the intact files in a temporary folder. Formats whose encoder is missing are left out."""
    bases = {}
    for format in formats:
        path = folder / f"base{format.suffix}"
        try:
            format.encode(format.audio(SECONDS), path)
            bases[format] = path.read_bytes()
        except EncodingError:
            continue
        finally:
            path.unlink(missing_ok=True)
    return bases
