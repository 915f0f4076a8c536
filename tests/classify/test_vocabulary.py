"""`Vocabulary`: the best genre or style, likely styles in order, sounds, and parameters out of range."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from genre_edge.classify.verdict import StyleProbability
from genre_edge.classify.vocabulary import SPECIFIC, Vocabulary
from genre_edge.errors import ModelError, ParameterError
from genre_edge.model.styles import Style
from tests.helpers.bundles import tiny

STYLES = [
    Style("electronic"),
    Style("techno", "electronic"),
    Style("minimal", "techno"),
    Style("jazz"),
    Style("swing", "jazz"),
]
BUNDLE = replace(tiny().bundle, styles=STYLES, sounds=["music", "speech", "noise"], not_music=0.7, style_threshold=0.25)


def probabilities(*styles: float, sounds: tuple[float, ...] = (1.0, 0.0, 0.0)) -> np.ndarray:
    """Return a vector of probabilities: of three labels, of the styles, of the sounds, and of no music."""
    return np.array([0.2, 0.5, 0.3, *styles, *sounds, 1 - sounds[0]])


def best_style(*styles: float, threshold: float | None = None) -> str | None:
    """Return the best style, or None if it does not reach the threshold."""
    vocabulary, p = Vocabulary(BUNDLE, "styles", threshold), probabilities(*styles)
    best = vocabulary.best(p)
    assert vocabulary.genre(p).genre == STYLES[best].name
    return STYLES[best].name if vocabulary.names(p, best) else None


@pytest.mark.parametrize(
    ("styles", "expected"),
    [
        ((0.9, 0.5, 0.1, 0.2, 0.1), "electronic"),
        ((0.9, 0.9, 0.1, 0.2, 0.1), "techno"),  # the child has its parent's probability
        ((0.9, 0.75, 0.1, 0.2, 0.1), "techno"),  # or nearly
        ((0.9, 0.7, 0.1, 0.8, 0.8), "electronic"),
        ((0.9, 0.8, 0.75, 0.2, 0.1), "minimal"),
        ((0.9, 0.8, 0.7, 0.2, 0.1), "techno"),  # nearly as probable as its parent, but not as the best one
        ((0.9, 0.8, 0.1, 0.95, 0.5), "jazz"),  # no style of another family
        ((0.3, 0.24, 0.1, 0.1, 0.1), "electronic"),  # the child does not reach the threshold
        ((0.24, 0.24, 0.1, 0.1, 0.1), None),
    ],
)
def test_vocabulary_styles_best(styles: tuple[float, ...], expected: str | None) -> None:
    """The most probable style is the genre, or its descendant that is nearly as probable."""
    assert best_style(*styles) == expected


def test_vocabulary_thresholds() -> None:
    """The threshold is the parameter, else the bundle's: `style_threshold` for styles, `threshold` for genres."""
    styles = (0.3, 0.1, 0.1, 0.1, 0.1)
    assert best_style(*styles) == "electronic" and best_style(*styles, threshold=0.31) is None
    p = probabilities(*styles)
    assert Vocabulary(replace(BUNDLE, threshold=0.5)).names(p, 1)
    assert not Vocabulary(replace(BUNDLE, threshold=0.51)).names(p, 1) and not Vocabulary(BUNDLE).names(p, 2)
    assert list(Vocabulary(BUNDLE).supported(p)) == [False, True, False]  # the best label only
    assert list(Vocabulary(BUNDLE, "styles", 0.1).supported(p)) == [True] * 5


def test_vocabulary_likely_styles() -> None:
    """Likely styles are in order of probability; of equal ones, the child is first."""
    p = probabilities(0.8, 0.8, 0.25, 0.9, 0.2)
    expected = [
        ("jazz", None, 0.9),
        ("techno", "electronic", 0.8),
        ("electronic", None, 0.8),
        ("minimal", "techno", 0.25),
    ]
    for n in (None, 9, 4, 1, 0):
        assert Vocabulary(BUNDLE, max_styles=n).styles(p) == [StyleProbability(*style) for style in expected[:n]]


def test_vocabulary_genres() -> None:
    """The genres are the labels, or the styles; all are listed."""
    p = probabilities(0.8, 0.8, 0.25, 0.9, 0.2)
    assert [entry.genre for entry in Vocabulary(BUNDLE).genres(p)] == ["middle", "high", "low"]
    styles = Vocabulary(BUNDLE, "styles", max_styles=0)
    assert styles.labels == [style.name for style in STYLES]
    assert [entry.genre for entry in styles.genres(p)] == ["jazz", "techno", "electronic", "minimal", "swing"]


def test_vocabulary_sound() -> None:
    """A sound is never music; a bundle without sounds has none."""
    p = probabilities(*[0.1] * 5, sounds=(0.5, 0.2, 0.3))
    assert Vocabulary(BUNDLE).sound(p) == "noise"
    assert Vocabulary(replace(BUNDLE, sounds=[])).sound(p) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "moods"}, "vocabulary must be one of genres, styles, got 'moods'"),
        ({"threshold": 1.5}, "threshold must be from 0 to 1, got 1.5"),
        ({"threshold": float("nan")}, "threshold must be from 0 to 1, got nan"),
        ({"max_styles": -1}, "styles must not be negative, got -1"),
    ],
)
def test_vocabulary_parameter_error(arguments: dict[str, Any], message: str) -> None:
    """A parameter out of range is an error that names it."""
    with pytest.raises(ParameterError, match=f"^{message}$"):
        Vocabulary(BUNDLE, **arguments)


def test_vocabulary_styles_missing() -> None:
    """A bundle without styles has no vocabulary "styles"."""
    with pytest.raises(ModelError, match='the model tiny 1 has no styles; the vocabulary "styles" needs another model'):
        Vocabulary(tiny().bundle, "styles")
    assert 0 < SPECIFIC <= 1
