"""Songs as a bundle's network represents them: the features that its last layer gets, patch by patch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genre_edge.audio.files import open_file
from genre_edge.classify.frontend import FrontEnd
from genre_edge.classify.inference import Gap, StreamPredictor
from genre_edge.classify.patches import MIN_DURATION_S, is_refused
from genre_edge.errors import AudioError
from genre_edge.mel.spectrogram import Frames, MelSpectrogram
from genre_edge.model import interpreter
from genre_edge.model.prediction import Model
from tools.training import tflite_head


@dataclass(frozen=True)
class Embedding:
    """A song's features.

    Attributes:
        features: float32 `(patches, features)`: the patches that vote on the song's genre, at least one.
        seconds: length of the song.
        is_music: False if the network takes every patch for something else than music; all of them are kept then.
    """

    features: np.ndarray
    seconds: float
    is_music: bool


class Embedder(Model):
    """A bundle's network that also records the features behind its outputs. Use one embedder in one thread at a time.

    Args:
        model: an installed bundle's name, or a bundle's directory.

    Attributes:
        tflite: content of the bundle's model.tflite.

    Raises:
        ModelError: the bundle is missing, damaged or inconsistent, or its last layer cannot be separated.
    """

    def __init__(self, model: str | Path) -> None:
        super().__init__(model)
        self.tflite = (self.path / "model.tflite").read_bytes()
        self._last_layer = tflite_head.last_layer(self.tflite)
        self._interpreter = interpreter.create(tflite_head.without_last_layer(self.tflite))
        self._output = self._interpreter.get_output_details()[0]
        self._recorded: list[np.ndarray] = []
        self._mel = MelSpectrogram(self.bundle.mel)

    def logits(self, patch_db: Frames) -> NDArray[np.float64]:
        """Record a patch's features and return its logits, not rounded to int8, `(n_outputs,)`."""
        features = super().logits(patch_db).ravel()  # of the network without its last layer, whose shape may be (1, n)
        self._recorded.append(features.astype(np.float32))
        logits: NDArray[np.float64] = self._last_layer(features)
        return logits

    def embed(self, path: Path) -> Embedding:
        """Compute the features of the patches that `Classifier.classify` cuts from a file.

        Raises:
            AudioError: the file cannot be read, is too short, or is silent.
            ModelError: the network cannot be run.
        """
        self._recorded = []
        with open_file(path) as source:
            front_end = FrontEnd(source, self._mel)
            items = list(StreamPredictor(self, front_end.chunks()).run())
        results = [result for item in items for result in (item.tail if isinstance(item, Gap) else [item])]
        outputs = [result.probabilities for result in results if result.probabilities is not None]
        if not outputs:
            raise AudioError(f"{path}: {'silent' if results else f'shorter than {MIN_DURATION_S:g} s'}")
        is_music = np.array([not is_refused(p, self.bundle) for p in outputs], dtype=bool)
        features = np.stack(self._recorded)
        return Embedding(
            features[is_music] if is_music.any() else features, round(front_end.end_s, 3), bool(is_music.any())
        )
