"""Answers of a bundle for audio files: the best genre, and the probabilities of single patches."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from genre_edge.audio.files import open_file
from genre_edge.classify.frontend import FrontEnd
from genre_edge.classify.patches import PatchExtractor
from genre_edge.classify.verdict import Segment
from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import Frames, MelSpectrogram
from genre_edge.model.prediction import Model


def top_genre(segment: Segment) -> str | None:
    """Return the most probable genre whatever its confidence, None if there is none (silence)."""
    return segment.genres[0].genre if segment.genres else None


def genre_probabilities(answers: Sequence[Segment], labels: list[str]) -> np.ndarray:
    """Return the probabilities of the labels, `(answers, labels)`; zeros for silence."""
    by_name = [{entry.genre: entry.probability for entry in answer.genres} for answer in answers]
    return np.array([[genres.get(label, 0.0) for label in labels] for genres in by_name])


def patches(path: Path, mel: MelConfig, patch_frames: int, hop_frames: int, silence_db: float) -> Iterator[Frames]:
    """Yield the patches of a file as a classifier cuts them, `(n_mels, patch_frames)` in dB, without silent ones.

    Raises:
        AudioError: the file is not readable.
    """
    extractor = PatchExtractor(mel.n_mels, patch_frames, hop_frames)
    with open_file(path) as source:
        for chunk in FrontEnd(source, MelSpectrogram(mel)).chunks():
            for _, patch in extractor.push(chunk.frames):
                if patch.max() >= silence_db:
                    yield patch
    for _, patch in extractor.flush():
        if patch.max() >= silence_db:
            yield patch


def patch_probabilities(model: Model, path: Path) -> np.ndarray:
    """Return the probabilities of a file's patches that are not silent, `(patches, n_probabilities)`."""
    bundle = model.bundle
    found = patches(path, bundle.mel, bundle.patch_frames, bundle.hop_frames, bundle.silence_db)
    rows = [model.probabilities(patch) for patch in found]
    return np.array(rows).reshape(-1, bundle.layout.n_probabilities)
