"""Export a trained network as a bundle: quantise, compare with float, calibrate, measure, write."""

import hashlib
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from genre_edge.model.bundle import Bundle
from genre_edge.model.prediction import Model
from genre_edge.model.preprocessing import softmax
from tools.training import card, examples, quantise, report
from tools.training.architectures import Architecture
from tools.training.data import Track
from tools.training.jobs import TrainedNetwork, TrainingJob

LICENCE = "Weights: MIT, like the code. No recording that they were trained on is part of the project."
# Confidence is calibrated: an answer at the threshold is correct with a probability of one third.
THRESHOLD = 0.33
CALIBRATION_TRACKS, CALIBRATION_PATCHES = 300, 5


@dataclass(frozen=True)
class BundleInfo:
    """The texts of a bundle and its model card."""

    name: str
    version: str
    data: str
    holdout_split: str
    command: str


@dataclass(frozen=True)
class QuantisedNetwork:
    """An int8 network with its outputs for some tracks.

    `logits` are the int8 network's genre logits, `(patches, labels)` for each track; `float_p` the float network's mean
    probabilities, `(tracks, labels)`.
    """

    bundle: Bundle
    tflite: bytes
    logits: list[np.ndarray]
    float_p: np.ndarray


def export_measured(
    trained: TrainedNetwork,
    job: TrainingJob,
    train: list[Track],
    holdout: list[Track],
    info: BundleInfo,
    further_metrics: dict[str, Any],
    directory: Path,
) -> Bundle:
    """Write a bundle to `directory` with its metrics on the holdout, and return it.

    Raises:
        SystemExit: the int8 network is much less accurate than the float network.
    """
    quantised = _quantise(trained, job, train, holdout, info)
    true = job.classes(holdout)
    temperature = trained.temperature or report.fit_temperature(quantised.logits, true)
    p = report.track_means(quantised.logits, temperature)
    metrics = {
        **further_metrics,
        **trained.metrics,
        "holdout_split": info.holdout_split,
        "holdout": report.classification_metrics(
            job.labels, [t.genre for t in holdout], [job.labels[i] for i in p.argmax(axis=1)]
        ),
        **_compare_with_float(p, quantised.float_p, true),
        "temperature": temperature,
        "temperature_from": "holdout" if trained.temperature is None else "folds",
        "calibration_error": report.calibration_error(p, true),
        "calibration_error_by_chance": report.calibration_error_by_chance(p)[0],
        "single_patches": _single_patches(quantised.logits, temperature, true),
        "reliability": report.reliability(p, true),
        "coverage_curve": report.coverage_curve(p, true),
        **report.coverage(p, true, THRESHOLD),
    }
    _check_loss(metrics["float_accuracy"], metrics["holdout"]["accuracy"], len(holdout))
    return _save(quantised, temperature, metrics, info, job, directory)


def export_refitted(
    trained: TrainedNetwork,
    job: TrainingJob,
    tracks: list[Track],
    info: BundleInfo,
    measured: dict[str, Any],
    directory: Path,
) -> Bundle:
    """Write a bundle whose head was fitted to all `tracks`, and return it.

    No track is left to measure it on, so its metrics are `measured`: those of the bundle fitted without the holdout.

    Raises:
        SystemExit: the int8 network is much less accurate than the float network.
    """
    quantised = _quantise(trained, job, tracks, tracks, info)
    true = job.classes(tracks)
    assert trained.temperature is not None  # distilled networks have one; there is no holdout to fit it to
    temperature = trained.temperature
    p = report.track_means(quantised.logits, temperature)
    compared = _compare_with_float(p, quantised.float_p, true)
    _check_loss(compared["float_accuracy"], float((p.argmax(axis=1) == true).mean()), len(tracks))
    refitted = {"tracks": len(tracks), "int8_agreement": compared["int8_agreement"], **trained.metrics}
    return _save(quantised, temperature, measured | {"refitted": refitted}, info, job, directory)


def _quantise(
    trained: TrainedNetwork, job: TrainingJob, train: list[Track], compared: list[Track], info: BundleInfo
) -> QuantisedNetwork:
    architecture = job.architecture
    tflite = trained.tflite or quantise.to_int8(trained.network, _calibration_patches(train, architecture))
    draft = Bundle(
        name=info.name,
        version=info.version,
        labels=job.labels,
        mel=architecture.mel,
        patch_frames=architecture.patch_frames,
        hop_frames=architecture.hop_frames,
        normalisation=architecture.normalisation,
        top_db=architecture.top_db,
        not_music=trained.not_music,
        styles=trained.styles,
        style_threshold=trained.style_threshold,
        sounds=trained.sounds,
        data=info.data,
        licence=LICENCE,
    )
    with tempfile.TemporaryDirectory() as folder:  # the target directory must not hold an incomplete bundle
        draft.save(Path(folder), tflite, "")
        logits = _int8_logits(Model(folder), compared)
    float_p = examples.track_probabilities(trained.network, compared, architecture, len(job.labels))
    return QuantisedNetwork(draft, tflite, logits, float_p)


def _save(
    quantised: QuantisedNetwork,
    temperature: float,
    metrics: dict[str, Any],
    info: BundleInfo,
    job: TrainingJob,
    directory: Path,
) -> Bundle:
    bundle = replace(quantised.bundle, temperature=temperature, threshold=THRESHOLD, metrics=metrics)
    bundle = replace(bundle, sha256=hashlib.sha256(quantised.tflite).hexdigest())
    text = card.model_card(bundle, len(quantised.tflite), job.architecture.about, info.command)
    return bundle.save(directory, quantised.tflite, text)


def _calibration_patches(train: list[Track], architecture: Architecture) -> np.ndarray:
    """Return patches of tracks spread evenly over the training set, `(k, n_mels, patch_frames, 1)`."""
    chosen = train[:: max(1, len(train) // CALIBRATION_TRACKS)]
    patches = (examples.track_patches(track.frames, architecture) for track in chosen)
    return np.concatenate([part[:: max(1, len(part) // CALIBRATION_PATCHES)] for part in patches])


def _int8_logits(model: Model, tracks: list[Track]) -> list[np.ndarray]:
    """Return the int8 network's genre logits of each track's patches, each `(patches, labels)`."""
    n_labels = len(model.bundle.labels)
    return [
        np.stack([model.logits(patch)[:n_labels] for patch in examples.cut_patches(track.frames, model.bundle)])
        for track in tracks
    ]


def _single_patches(logits: list[np.ndarray], temperature: float, true: np.ndarray) -> dict[str, float]:
    """Return the metrics of single patches: those of a live verdict over one patch."""
    p = np.concatenate([softmax(rows, temperature) for rows in logits])
    classes = np.repeat(true, [len(rows) for rows in logits])
    return {
        "number": len(p),
        "accuracy": round(float((p.argmax(axis=1) == classes).mean()), 4),
        "confidence": round(float(p.max(axis=1).mean()), 4),
        "calibration_error": report.calibration_error(p, classes),
    }


def _check_loss(exact: float, int8: float, n: int) -> None:
    """Refuse a network that loses more than 5 % of the tracks, and more than three tracks, by quantisation."""
    if (exact - int8) * n > max(3, 0.05 * n):
        raise SystemExit(
            f"quantisation to int8 loses too much accuracy: {int8:.3f} instead of {exact:.3f} on {n} tracks; "
            "no bundle was written"
        )


def _compare_with_float(p: np.ndarray, float_p: np.ndarray, true: np.ndarray) -> dict[str, float]:
    return {
        "float_accuracy": round(float((float_p.argmax(axis=1) == true).mean()), 4),
        "int8_agreement": round(float((float_p.argmax(axis=1) == p.argmax(axis=1)).mean()), 4),
    }
