"""The genre head of a student: a regression, with the teacher's own genres as a prior."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tools.training import head
from tools.training.distillation import audioset
from tools.training.head import LinearLayer, Outputs, Regression, WeightedExamples

SETTINGS = Regression(0.1, balanced=True, dtype=np.float32)
PRIOR_WEIGHT = 0.5  # of the log odds of the genres' styles
FRAMES_ONLY_WEIGHT = 0.25  # of a track without audio

Examples = WeightedExamples | None


@dataclass(frozen=True)
class GenreHead:
    """Log odds of genres: a linear function of a student's features.

    The regression gets the features and the log odds of the styles that follow from them. Both are linear in the
    features, but the regression's regularisation prefers what depends on few styles.

    Attributes:
        styles: from the features to the log odds of the styles.
        prior: from the features to the weighted log odds of the styles of the genres' names.
    """

    styles: LinearLayer
    prior: LinearLayer

    @classmethod
    def of(cls, styles: LinearLayer, labels: list[str]) -> GenreHead:
        """Return the head for some labels; one that is no genre of the teacher has no prior."""
        known = np.array([label in audioset.GENRES for label in labels])
        classes = list(audioset.STYLES)
        own = [classes.index(audioset.GENRES[label]) if label in audioset.GENRES else 0 for label in labels]
        prior = LinearLayer(styles.weights[:, own] * known, styles.bias[own] * known)
        return cls(styles, prior.times(PRIOR_WEIGHT))

    def fit(
        self, copies: list[Outputs], classes: np.ndarray, weight: np.ndarray | None = None, others: Examples = None
    ) -> LinearLayer:
        """Return the layer from the features to the log odds, fitted to all tracks; see `head.fit_genre_layer`."""
        with_styles = [self._with_styles(outputs) for outputs in copies]
        layer = head.fit_genre_layer(with_styles, classes, SETTINGS, weight, self._examples_with_styles(others))
        n = len(self.styles.weights)
        direct, indirect = layer.weights[:n], layer.weights[n:]
        bias = layer.bias + self.styles.bias @ indirect
        return LinearLayer(direct + self.styles.weights @ indirect, bias).plus(self.prior)

    def _examples_with_styles(self, examples: Examples) -> Examples:
        return examples and replace(examples, features=self._with_styles([examples.features])[0])

    def _with_styles(self, outputs: Outputs) -> Outputs:
        return [np.concatenate([rows, self.styles(rows)], axis=1) for rows in outputs]
