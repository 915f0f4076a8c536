"""The genre head of a student: a regression on labelled tracks, with the teacher's own genres as a prior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.training import head
from tools.training.distillation import audioset
from tools.training.distillation.student import Student
from tools.training.head import LinearLayer, Outputs, Regression

SETTINGS = Regression(0.03, "balanced")
PRIOR_WEIGHT = 0.5  # the square root of the odds of the teacher's own genres


@dataclass(frozen=True)
class GenreHead:
    """Log odds of genres: a linear function of a student's embedding.

    The regression gets the embedding and the kinds of music that follow from it. Both are linear in the embedding, but
    the regression's regularisation prefers what depends on few kinds of music.

    Attributes:
        music: from the embedding to the teacher's logits of kinds of music.
        prior: from the embedding to the weighted logits of the teacher's classes of the genres' names.
    """

    music: LinearLayer
    prior: LinearLayer

    @classmethod
    def of(cls, student: Student, labels: list[str]) -> GenreHead:
        """Return the head for some labels; one that is no genre of the teacher has no prior."""
        known = np.array([label in audioset.GENRES for label in labels])
        own = student.logits_of(np.array([audioset.GENRES.get(label, 0) for label in labels]))
        prior = LinearLayer(own.weights * known, own.bias * known)
        return cls(student.logits_of(audioset.is_music()), prior.times(PRIOR_WEIGHT))

    def fit(self, copies: list[Outputs], classes: np.ndarray) -> LinearLayer:
        """Return the layer from the embedding to the log odds, fitted to all tracks; see `head.fit_genre_layer`."""
        layer = head.fit_genre_layer([self._features(copy) for copy in copies], classes, SETTINGS)
        n = len(self.music.weights)
        direct, indirect = layer.weights[:n], layer.weights[n:]
        bias = layer.bias + self.music.bias @ indirect
        return LinearLayer(direct + self.music.weights @ indirect, bias).plus(self.prior)

    def cross_validated_logits(self, copies: list[Outputs], classes: np.ndarray, fold: np.ndarray) -> list[np.ndarray]:
        """Return log odds of each track's first copy, fitted without its fold; see `head.cross_validated_logits`."""
        features = [self._features(copy) for copy in copies]
        logits = head.cross_validated_logits(features, classes, fold, SETTINGS)
        return [rows + self.prior(embedding) for rows, embedding in zip(logits, copies[0], strict=True)]

    def _features(self, embeddings: Outputs) -> Outputs:
        return [np.concatenate([rows, self.music(rows)], axis=1) for rows in embeddings]
