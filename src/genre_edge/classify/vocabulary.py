"""`Vocabulary`: names of genres, styles and sounds for a vector of probabilities."""

import numpy as np
from numpy.typing import NDArray

from genre_edge.classify.patches import Probabilities
from genre_edge.classify.verdict import GenreProbability, StyleProbability
from genre_edge.errors import ModelError, ParameterError
from genre_edge.model.bundle import Bundle

VOCABULARIES = ("genres", "styles")
SPECIFIC = 0.8  # share of the best style's probability from which a child is named instead


class Vocabulary:
    """Names that verdicts use: a genre is one of the bundle's labels or, with the vocabulary "styles", of its styles.

    Args:
        bundle: labels, styles, sounds and thresholds.
        name: "genres" or "styles".
        threshold: confidence, 0 to 1, from which a genre is named; None for the bundle's `threshold`, with "styles" its
            `style_threshold`.
        max_styles: maximum number of likely styles; None for all.

    Attributes:
        bundle: see above.
        labels: the names that a genre may have, in the order of the probabilities.

    Raises:
        ModelError: the bundle has no styles to use as genres.
        ParameterError: a value is out of range.
    """

    def __init__(
        self, bundle: Bundle, name: str = "genres", threshold: float | None = None, max_styles: int | None = None
    ) -> None:
        if name not in VOCABULARIES:
            raise ParameterError(f"vocabulary must be one of {', '.join(VOCABULARIES)}, got {name!r}")
        if threshold is not None and not 0 <= threshold <= 1:
            raise ParameterError(f"threshold must be from 0 to 1, got {threshold!r}")
        if max_styles is not None and max_styles < 0:
            raise ParameterError(f"styles must not be negative, got {max_styles!r}")
        self._uses_styles = name == "styles"
        if self._uses_styles and not bundle.styles:
            model = f"{bundle.name} {bundle.version}"
            raise ModelError(f'the model {model} has no styles; the vocabulary "styles" needs another model')
        self.bundle = bundle
        self._max_styles = max_styles
        self.labels = [style.name for style in bundle.styles] if self._uses_styles else bundle.labels
        self._part = bundle.layout.styles if self._uses_styles else bundle.layout.labels
        default = bundle.style_threshold if self._uses_styles else bundle.threshold
        self._threshold = default if threshold is None else threshold
        children = [child for child, _ in bundle.layout.style_links]
        self._children_first = list(dict.fromkeys([*children, *range(len(bundle.styles))]))

    def best(self, probabilities: Probabilities) -> int:
        """Return the index of the best genre.

        It is the most probable one. A style that includes others is replaced by its most probable child, as long as a
        child has at least `SPECIFIC` of the most probable style's probability and reaches the threshold.

        Args:
            probabilities: `(n_probabilities,)`.
        """
        part = probabilities[self._part]
        best = int(np.argmax(part))
        if not self._uses_styles:
            return best
        limit = max(SPECIFIC * part[best], self._threshold)
        links = self.bundle.layout.style_links
        while children := [child for child, parent in links if parent == best and part[child] >= limit]:
            best = max(children, key=lambda child: part[child])
        return best

    def genre(self, probabilities: Probabilities) -> GenreProbability:
        """Return the best genre with its probability."""
        return self._genre(probabilities[self._part], self.best(probabilities))

    def part(self, probabilities: Probabilities) -> Probabilities:
        """Return the probabilities of the labels."""
        part: Probabilities = probabilities[self._part]
        return part

    def distance(self, probabilities: Probabilities) -> float:
        """Return by how much the best genre's probability exceeds the threshold; below 0 if it does not reach it."""
        return float(probabilities[self._part][self.best(probabilities)]) - self._threshold

    def names(self, probabilities: Probabilities, label: int) -> bool:
        """Return True if a genre is the best one and reaches the threshold."""
        is_likely = probabilities[self._part][label] >= self._threshold
        return self.best(probabilities) == label and bool(is_likely)

    def supported(self, probabilities: Probabilities) -> NDArray[np.bool_]:
        """Return for each genre whether a patch supports it: the best label or any style that reaches the threshold."""
        is_likely: NDArray[np.bool_] = probabilities[self._part] >= self._threshold
        if not self._uses_styles:
            is_likely &= np.arange(len(is_likely)) == self.best(probabilities)
        return is_likely

    def genres(self, probabilities: Probabilities) -> list[GenreProbability]:
        """Return all genres with their probabilities, most probable first."""
        part = probabilities[self._part]
        order = self._ranked_styles(part) if self._uses_styles else np.argsort(-part, kind="stable")
        return [self._genre(part, i) for i in order]

    def _genre(self, part: Probabilities, label: int) -> GenreProbability:
        return GenreProbability(self.labels[label], round(float(part[label]), 4))

    def styles(self, probabilities: Probabilities) -> list[StyleProbability]:
        """Return the likely styles with their probabilities, most probable first."""
        part = probabilities[self.bundle.layout.styles]
        likely = [i for i in self._ranked_styles(part) if part[i] >= self.bundle.style_threshold]
        styles = self.bundle.styles
        return [
            StyleProbability(styles[i].name, styles[i].parent, round(float(part[i]), 4))
            for i in likely[: self._max_styles]
        ]

    def _ranked_styles(self, part: Probabilities) -> list[int]:
        """Return the indices of styles, most probable first; of equal ones, children first."""
        return sorted(self._children_first, key=lambda style: -part[style])

    def sound(self, probabilities: Probabilities) -> str | None:
        """Return the most probable sound other than music; None if the bundle has no sounds."""
        if not self.bundle.sounds:
            return None
        return self.bundle.sounds[1 + int(np.argmax(probabilities[self.bundle.layout.sounds][1:]))]
