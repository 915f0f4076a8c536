"""A trained network -> a checked bundle: quantise, compare with float on the holdout, calibrate, write."""

import hashlib
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from genre_edge.model import Bundle, Model
from training import card, export, fit, report
from training.architectures import Architecture
from training.data import Track

LICENCE = "Weights: MIT, like the code. No recording that they were trained on is part of the project."
# Confidence is calibrated, so this asks for an answer that is right at least one time in three.
THRESHOLD = 0.33
CALIBRATION_TRACKS, CALIBRATION_PATCHES = 150, 3


@dataclass(frozen=True)
class About:
    """What the bundle and its card say besides the figures."""

    name: str
    version: str
    description: str
    data: str
    holdout_split: str
    command: str


def ship(
    network: Any,
    architecture: Architecture,
    labels: list[str],
    train: list[Track],
    holdout: list[Track],
    about: About,
    metrics: dict[str, Any],
    directory: Path,
) -> Bundle:
    """Write the bundle to `directory` and return it; `metrics` are the figures of the training itself."""
    tflite = export.to_int8(network, _calibration_patches(train, architecture))
    draft = Bundle(
        name=about.name,
        version=about.version,
        labels=labels,
        mel=architecture.mel,
        patch_frames=architecture.patch_frames,
        hop_frames=architecture.hop_frames,
        normalisation=architecture.normalisation,
        top_db=fit.TOP_DB,
        data=about.data,
        licence=LICENCE,
    )
    with tempfile.TemporaryDirectory() as folder:  # nothing half-made in `directory`
        draft.save(Path(folder), tflite, "")
        logits = _int8_logits(Model(folder), holdout)
    true = np.array([labels.index(track.genre) for track in holdout])
    temperature = report.fit_temperature(logits, true)
    p = report.track_means(logits, temperature)
    metrics = metrics | {
        "holdout_split": about.holdout_split,
        "holdout": report.figures(labels, [t.genre for t in holdout], [labels[i] for i in p.argmax(axis=1)]),
        **_against_float(p, fit.track_probabilities(network, holdout, architecture), true),
        "calibration_error": report.calibration_error(p, true),
        **report.coverage(p, true, THRESHOLD),
    }
    _check_loss(metrics)
    bundle = replace(draft, temperature=temperature, threshold=THRESHOLD, metrics=metrics)
    bundle = replace(bundle, sha256=hashlib.sha256(tflite).hexdigest())
    return bundle.save(directory, tflite, card.model_card(bundle, len(tflite), about.description, about.command))


def _calibration_patches(train: list[Track], architecture: Architecture) -> np.ndarray:
    """Patches of tracks spread evenly over the training set."""
    some = train[:: max(1, len(train) // CALIBRATION_TRACKS)]
    return np.concatenate([fit.track_patches(t.frames, architecture)[:CALIBRATION_PATCHES] for t in some])


def _int8_logits(model: Model, tracks: list[Track]) -> list[np.ndarray]:
    """What the exported file says of each track's patches."""
    return [np.stack([model.logits(patch) for patch in fit.cut(track.frames, model.bundle)]) for track in tracks]


def _check_loss(metrics: dict[str, Any]) -> None:
    """Refuse a network that quantisation has broken: more than 5 % of the tracks lost, and more than three."""
    n, exact, int8 = metrics["holdout"]["n"], metrics["float_accuracy"], metrics["holdout"]["accuracy"]
    if (exact - int8) * n > max(3, 0.05 * n):
        raise SystemExit(f"int8 loses too much: {int8:.3f} instead of {exact:.3f} of {n} tracks; nothing was written")


def _against_float(p: np.ndarray, float_p: np.ndarray, true: np.ndarray) -> dict[str, float]:
    return {
        "float_accuracy": round(float((float_p.argmax(axis=1) == true).mean()), 4),
        "int8_agreement": round(float((float_p.argmax(axis=1) == p.argmax(axis=1)).mean()), 4),
    }
