"""Heads that a student learns from its teacher: styles with calibrated probabilities, and sounds that are no music."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression

from genre_edge.model.preprocessing import logistic
from tools.training import head
from tools.training.distillation import audioset, efficientat, students, views
from tools.training.distillation.recordings import Recording
from tools.training.examples import Network
from tools.training.head import LinearLayer, Regression, WeightedExamples

BATCH, BATCHES = views.Batch(16, students.PATCH_FRAMES, 0.35), 80
NOT_MUSIC_BATCHES = 40
SOUNDS = ["music", "speech", "animal", "noise"]
SOUND_REGRESSION = Regression(0.03, least_deviation=0.5, dtype=np.float32)
STYLE_C = 100.0  # hardly any regularisation of two parameters
MAX_SLOPE = 30.0  # the slope for which regularisation costs as much as guessing


@dataclass(frozen=True)
class Examples:
    """Predictions of student and teacher for the same views.

    Attributes:
        features: the student's, `(k, features)`.
        logits: the student's estimate of the teacher's, `(k, 527)`.
        probabilities: the teacher's, `(k, 527)`.
        n_not_music: number of views, the last ones, that are not music.
    """

    features: np.ndarray
    logits: np.ndarray
    probabilities: np.ndarray
    n_not_music: int = 0


def predict(
    logits: LinearLayer,
    teacher: efficientat.Teacher,
    features: Network,
    recordings: Sequence[Recording],
    not_music: Sequence[Recording],
    seed: int,
) -> Examples:
    """Return the predictions for random views, some of them degraded for the student.

    Args:
        logits: from the student's features to its estimate of the teacher's logits.
        teacher: the teacher.
        features: from the student's normalised patches to its features, as the int8 network computes them.
        recordings: for two thirds of the views.
        not_music: those of the recordings that are not music, for the others.
        seed: of the views.
    """
    own, probabilities = [], []
    for x, y in random_views(recordings, not_music, seed):
        own.append(features(x))
        probabilities.append(logistic(np.asarray(teacher.outputs(y)[1], dtype=np.float64)))
    x = np.concatenate(own)
    return Examples(x, logits(x), np.concatenate(probabilities), NOT_MUSIC_BATCHES * BATCH.size)


def random_views(
    recordings: Sequence[Recording], not_music: Sequence[Recording], seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield batches of normalised views, the student's and the teacher's; the last NOT_MUSIC_BATCHES are no music."""
    rng = np.random.default_rng([seed, 2])
    for sounds, batches in ((recordings, BATCHES), (not_music, NOT_MUSIC_BATCHES)):
        maker = views.ViewMaker(sounds)
        for _ in range(batches):
            x, y = maker.batch(BATCH, rng)
            yield x.astype(np.float32), y.astype(np.float32)


def style_layer(logits: LinearLayer, examples: Examples) -> LinearLayer:
    """Return the log odds of the styles as the teacher would give them: the student's logits, scaled and shifted.

    Each style gets the slope and the offset with which its probabilities are likeliest (Platt 1999).

    Args:
        logits: from the student's features to its estimate of the teacher's logits.
        examples: predictions of both.
    """
    classes = list(audioset.STYLES)
    scaled = [_platt(examples.logits[:, c], examples.probabilities[:, c]) for c in classes]
    slope, offset = np.array(scaled).T
    return LinearLayer(logits.weights[:, classes] * slope, logits.bias[classes] * slope + offset)


def _platt(logits: np.ndarray, probabilities: np.ndarray) -> tuple[float, float]:
    """Return slope and offset with which logits give probabilities of the highest likelihood."""
    x = WeightedExamples.of_shares(logits[:, None], np.stack([1 - probabilities, probabilities], axis=1))
    model = LogisticRegression(C=STYLE_C).fit(x.features, x.classes, sample_weight=x.weight)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def sound_shares(probabilities: np.ndarray) -> np.ndarray:
    """Return the shares of SOUNDS in the teacher's probabilities, `(k, 4)`.

    Music has the probability of the classes "Music" or "Singing"; the other sounds share the rest in proportion to
    their most probable class. Instruments alone are neither.
    """
    known = (audioset.SPEECH, audioset.ANIMALS, audioset.SINGING, audioset.INSTRUMENTS, audioset.KINDS_OF_MUSIC)
    other = np.setdiff1d(np.arange(audioset.N_CLASSES), [audioset.MUSIC, *itertools.chain(*known)])
    most = [probabilities[:, classes].max(axis=1) for classes in (audioset.SPEECH, audioset.ANIMALS, other)]
    rest = np.stack(most, axis=1)
    music = probabilities[:, [audioset.MUSIC, audioset.SINGING.start]].max(axis=1, keepdims=True)
    return np.concatenate([music, (1 - music) * rest / rest.sum(axis=1, keepdims=True)], axis=1)


def sound_layer(examples: Examples, n_embedding: int) -> LinearLayer:
    """Return the log odds of SOUNDS, a regression on the first `n_embedding` features with the teacher's shares."""
    x = WeightedExamples.of_shares(examples.features[:, :n_embedding], sound_shares(examples.probabilities))
    layer = head.fit_regression(x.features, x.classes, SOUND_REGRESSION, x.weight)
    others = np.zeros((examples.features.shape[1] - n_embedding, len(SOUNDS)))
    return LinearLayer(np.concatenate([layer.weights, others]), layer.bias)


def fit_to_recordings(sounds: LinearLayer, music: np.ndarray, not_music: np.ndarray) -> LinearLayer:
    """Return the sounds' layer scaled, and its first output, music, shifted, as fits recordings that are known.

    The teacher's probability of music is 0.6 for some music and 0.1 for some noise: it means how many annotators would
    mention music. Music and other recordings weigh the same.

    Args:
        sounds: see `sound_layer`.
        music, not_music: features of patches, `(k, features)`.
    """
    outputs = [sounds(part.astype(np.float64)) for part in (music, not_music)]

    def loss(parameters: np.ndarray) -> float:
        slope, offset = parameters
        log_odds = [slope * z[:, 0] + offset - logsumexp(slope * z[:, 1:], axis=1) for z in outputs]
        means = [float(np.logaddexp(0, sign * z).mean()) for sign, z in zip((-1, 1), log_odds, strict=True)]
        return sum(means) + float(slope / MAX_SLOPE) ** 2  # the slope has no limit if both are perfectly separated

    slope, offset = minimize(loss, (1.0, 0.0), method="Nelder-Mead").x
    scaled = sounds.times(float(slope))
    return LinearLayer(scaled.weights, scaled.bias + np.eye(len(SOUNDS))[0] * float(offset))
