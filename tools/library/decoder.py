"""Decoding and resampling alone, as a scan does them."""

from genre_edge.audio.files import open_file
from genre_edge.audio.resample import Resampler
from genre_edge.library.discovery import FoundFile


class Decoder:
    """Function that decodes a file and resamples it to `sr` Hz, as a scan does, and returns the number of samples."""

    def __init__(self, sr: float) -> None:
        self._sr = sr

    def __call__(self, file: FoundFile) -> int:
        """Return the number of resampled samples.

        Raises:
            AudioError: the file cannot be read.
        """
        with open_file(file.path) as source:
            resampler = Resampler(source.rate, self._sr)
            n_samples = sum(len(resampler.push(block.samples)) for block in source.blocks())
            return n_samples + len(resampler.flush())
