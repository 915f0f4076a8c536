"""A trained network -> a checked bundle: quantise, compare with float, calibrate, write."""

import hashlib
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from genre_edge.model.bundle import Bundle
from genre_edge.model.prediction import Model
from genre_edge.model.preprocessing import softmax
from tools.training import card, examples, export, report
from tools.training.architectures import Architecture
from tools.training.data import Track
from tools.training.recipes import Job, Trained

LICENCE = "Weights: MIT, like the code. No recording that they were trained on is part of the project."
# Confidence is calibrated, so this asks for an answer that is right at least one time in three.
THRESHOLD = 0.33
CALIBRATION_TRACKS, CALIBRATION_PATCHES = 300, 5


@dataclass(frozen=True)
class About:
    """What the bundle and its card say besides the figures."""

    name: str
    version: str
    data: str
    holdout_split: str
    command: str


@dataclass(frozen=True)
class Quantised:
    """An int8 network, what it says of some tracks (the genres' logits of their patches), and what float says."""

    bundle: Bundle
    tflite: bytes
    logits: list[np.ndarray]
    float_p: np.ndarray


def ship(
    trained: Trained,
    job: Job,
    train: list[Track],
    holdout: list[Track],
    about: About,
    figures: dict[str, Any],
    directory: Path,
) -> Bundle:
    """Write the bundle to `directory` and return it, measured on the holdout."""
    quantised = _quantise(trained, job, train, holdout, about)
    true = job.classes(holdout)
    temperature = trained.temperature or report.fit_temperature(quantised.logits, true)
    p = report.track_means(quantised.logits, temperature)
    metrics = {
        **figures,
        **trained.metrics,
        "holdout_split": about.holdout_split,
        "holdout": report.figures(job.labels, [t.genre for t in holdout], [job.labels[i] for i in p.argmax(axis=1)]),
        **_against_float(p, quantised.float_p, true),
        "temperature": temperature,
        "temperature_from": "holdout" if trained.temperature is None else "folds",
        "calibration_error": report.calibration_error(p, true),
        "single_patches": _single_patches(quantised.logits, temperature, true),
        "reliability": report.reliability(p, true),
        "coverage_curve": report.coverage_curve(p, true),
        **report.coverage(p, true, THRESHOLD),
    }
    _check_loss(metrics["float_accuracy"], metrics["holdout"]["accuracy"], len(holdout))
    return _save(quantised, temperature, metrics, about, job, directory)


def ship_on(
    trained: Trained, job: Job, tracks: list[Track], about: About, stated: dict[str, Any], directory: Path
) -> Bundle:
    """Write a bundle whose last layer knows all `tracks`; its figures are `stated`, those of one that knew a part."""
    quantised = _quantise(trained, job, tracks, tracks, about)
    true = job.classes(tracks)
    assert trained.temperature is not None  # no track is left to find one on
    temperature = trained.temperature
    p = report.track_means(quantised.logits, temperature)
    found = _against_float(p, quantised.float_p, true)
    _check_loss(found["float_accuracy"], float((p.argmax(axis=1) == true).mean()), len(tracks))
    again = {"tracks": len(tracks), "int8_agreement": found["int8_agreement"], **trained.metrics}
    return _save(quantised, temperature, stated | {"refitted": again}, about, job, directory)


def _quantise(trained: Trained, job: Job, train: list[Track], compared: list[Track], about: About) -> Quantised:
    architecture = job.architecture
    tflite = export.to_int8(trained.network, _calibration_patches(train, architecture))
    draft = Bundle(
        name=about.name,
        version=about.version,
        labels=job.labels,
        mel=architecture.mel,
        patch_frames=architecture.patch_frames,
        hop_frames=architecture.hop_frames,
        normalisation=architecture.normalisation,
        top_db=examples.TOP_DB,
        not_music=trained.not_music,
        data=about.data,
        licence=LICENCE,
    )
    with tempfile.TemporaryDirectory() as folder:  # nothing half-made in the bundle's directory
        draft.save(Path(folder), tflite, "")
        logits = _int8_logits(Model(folder), compared)
    float_p = examples.track_probabilities(trained.network, compared, architecture, len(job.labels))
    return Quantised(draft, tflite, logits, float_p)


def _save(
    quantised: Quantised, temperature: float, metrics: dict[str, Any], about: About, job: Job, directory: Path
) -> Bundle:
    bundle = replace(quantised.bundle, temperature=temperature, threshold=THRESHOLD, metrics=metrics)
    bundle = replace(bundle, sha256=hashlib.sha256(quantised.tflite).hexdigest())
    text = card.model_card(bundle, len(quantised.tflite), job.architecture.about, about.command)
    return bundle.save(directory, quantised.tflite, text)


def _calibration_patches(train: list[Track], architecture: Architecture) -> np.ndarray:
    """Patches of tracks spread evenly over the training set."""
    some = train[:: max(1, len(train) // CALIBRATION_TRACKS)]
    patches = (examples.track_patches(track.frames, architecture) for track in some)
    return np.concatenate([all_[:: max(1, len(all_) // CALIBRATION_PATCHES)] for all_ in patches])


def _int8_logits(model: Model, tracks: list[Track]) -> list[np.ndarray]:
    """What the exported file says of each track's patches, of the genres."""
    n_labels = len(model.bundle.labels)
    return [
        np.stack([model.logits(patch)[:n_labels] for patch in examples.cut(track.frames, model.bundle)])
        for track in tracks
    ]


def _single_patches(logits: list[np.ndarray], temperature: float, true: np.ndarray) -> dict[str, float]:
    """The same figures of patches on their own, as a live verdict over one patch has them."""
    p = np.concatenate([softmax(rows, temperature) for rows in logits])
    classes = np.repeat(true, [len(rows) for rows in logits])
    return {
        "number": len(p),
        "accuracy": round(float((p.argmax(axis=1) == classes).mean()), 4),
        "confidence": round(float(p.max(axis=1).mean()), 4),
        "calibration_error": report.calibration_error(p, classes),
    }


def _check_loss(exact: float, int8: float, n: int) -> None:
    """Refuse a network that quantisation has broken: more than 5 % of the tracks lost, and more than three."""
    if (exact - int8) * n > max(3, 0.05 * n):
        raise SystemExit(f"int8 loses too much: {int8:.3f} instead of {exact:.3f} of {n} tracks; nothing was written")


def _against_float(p: np.ndarray, float_p: np.ndarray, true: np.ndarray) -> dict[str, float]:
    return {
        "float_accuracy": round(float((float_p.argmax(axis=1) == true).mean()), 4),
        "int8_agreement": round(float((float_p.argmax(axis=1) == p.argmax(axis=1)).mean()), 4),
    }
