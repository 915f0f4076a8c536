"""The classifiers that the study compares, trained on log-mel frames `(n_mels, n)` of tracks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from genre_edge.mel.spectrogram import Frames
from tools.paper import features

# Usual values, chosen once and not tuned.
BASELINE_C, NEIGHBOURS, UNITS, DECAY, GAUSSIANS, SVM_C = 0.1, 5, 64, 0.1, 8, 10

Tracks = Sequence[Frames]
Predictor = Callable[[Tracks], np.ndarray]  # tracks -> classes
Fit = Callable[[Tracks, np.ndarray, int], Predictor]  # tracks, classes, seed


@dataclass(frozen=True)
class Method:
    """A classifier.

    Attributes:
        name: name in tables.
        source: publication that introduced it or a similar method.
        about: its implementation here, for the page.
        fit: trains on tracks, class indices and a seed, and returns a predictor.
    """

    name: str
    source: str
    about: str
    fit: Fit


def _of_vectors(vector: Callable[[Frames], np.ndarray], classifier: Callable[[int], Any]) -> Fit:
    """Return a `fit` that trains a scikit-learn classifier on one standardised feature vector per track."""

    def fit(tracks: Tracks, classes: np.ndarray, seed: int) -> Predictor:
        model = make_pipeline(StandardScaler(), classifier(seed))
        model.fit(np.stack([vector(frames) for frames in tracks]), classes)
        return lambda others: np.asarray(model.predict(np.stack([vector(frames) for frames in others])))

    return fit


def _mixtures(tracks: Tracks, classes: np.ndarray, seed: int) -> Predictor:
    """Fit one Gaussian mixture per class to the MFCC of frames; the class with the largest mean log-likelihood wins."""
    coefficients = [features.mfcc(frames).T for frames in tracks]
    scaler = StandardScaler().fit(np.concatenate(coefficients))
    mixtures = {}
    for c in np.unique(classes):
        own = np.concatenate([x for x, label in zip(coefficients, classes, strict=True) if label == c])
        mixture = GaussianMixture(GAUSSIANS, covariance_type="diag", reg_covar=1e-3, random_state=seed)
        mixtures[c] = mixture.fit(scaler.transform(own))
    labels = np.array(list(mixtures))

    def predict(others: Tracks) -> np.ndarray:
        scaled = [scaler.transform(features.mfcc(frames).T) for frames in others]
        scores = np.array([[mixture.score(x) for mixture in mixtures.values()] for x in scaled])
        return np.asarray(labels[scores.argmax(axis=1)])

    return predict


def _mel_vector(frames: Frames) -> np.ndarray:
    return np.concatenate([frames.mean(axis=1), frames.std(axis=1)])


def _mfcc_vector(frames: Frames) -> np.ndarray:
    return features.statistics(features.mfcc(frames))


def _mfcc_energy_vector(frames: Frames) -> np.ndarray:
    return features.statistics(np.concatenate([features.mfcc(frames), features.energy(frames)]))


def _perceptron(seed: int) -> MLPClassifier:
    return MLPClassifier(UNITS, alpha=DECAY, max_iter=1000, random_state=seed)


METHODS = (
    Method(
        "logistic regression",
        "baseline",
        f"mean and standard deviation of each mel band; logistic regression, C = {BASELINE_C:g}",
        _of_vectors(_mel_vector, lambda seed: LogisticRegression(C=BASELINE_C, max_iter=2000)),
    ),
    Method(
        "MFCC, nearest neighbours",
        "Foote 1997",
        f"statistics of {features.N_MFCC} MFCC and the energy; the {NEIGHBOURS} nearest tracks, weighted by distance",
        _of_vectors(_mfcc_energy_vector, lambda seed: KNeighborsClassifier(NEIGHBOURS, weights="distance")),
    ),
    Method(
        "MFCC, perceptron",
        "after Matityaho and Furst 1995",
        f"statistics of {features.N_MFCC} MFCC; one hidden layer of {UNITS} units, weight decay {DECAY:g}",
        _of_vectors(_mfcc_vector, _perceptron),
    ),
    Method(
        "MFCC, Gaussian mixtures",
        "Yang et al. 2006",
        f"{GAUSSIANS} Gaussians with diagonal covariance per genre, over the MFCC of single frames",
        _mixtures,
    ),
    Method(
        "MFCC, support vector machine",
        "Yang et al. 2006",
        f"statistics of {features.N_MFCC} MFCC; radial basis functions, C = {SVM_C:g}",
        _of_vectors(_mfcc_vector, lambda seed: SVC(C=SVM_C, random_state=seed)),
    ),
)
