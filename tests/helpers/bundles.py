"""The tiny bundle of tests/data and edited copies of it. Does not need TensorFlow."""

import functools
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from genre_edge.classify.classifier import Classifier
from genre_edge.mel.spectrogram import Frames
from genre_edge.model.bundle import Bundle

DATA = Path(__file__).parents[1] / "data"
TINY = DATA / "tiny"
STYLED = DATA / "styled"  # also with styles and sounds
FLOAT_TFLITE = DATA / "float.tflite"
RATE = 8000
PATCH_S, HOP_S = 8 * 128 / RATE, 4 * 128 / RATE


@functools.cache
def tiny() -> Classifier:
    """Return a classifier with the tiny bundle, which distinguishes low, middle and high tones; shared by all tests."""
    return Classifier(TINY)


def variant(directory: Path, base: Path = TINY, **changes: Any) -> Path:
    """Write a valid bundle with the network of `base` and some fields changed."""
    replace(Bundle.load(base), **changes).save(directory, (base / "model.tflite").read_bytes(), "")
    return directory


def edited_bundle(directory: Path, edit: Callable[[dict[str, Any]], Any], base: Path = TINY) -> Path:
    """Write the bundle `base` with its JSON edited, valid or not."""
    content = json.loads((base / "bundle.json").read_text())
    edit(content)
    directory.mkdir(exist_ok=True)
    (directory / "bundle.json").write_text(json.dumps(content))
    (directory / "model.tflite").write_bytes((base / "model.tflite").read_bytes())
    return directory


def bundle_with_network(directory: Path, tflite: bytes) -> Path:
    """Write the tiny bundle with another network and its right hash."""
    edited_bundle(directory, lambda content: content.update(sha256=hashlib.sha256(tflite).hexdigest()))
    (directory / "model.tflite").write_bytes(tflite)
    return directory


def random_patch(seed: int, spread: float = 15) -> Frames:
    """Return a patch `(16, 8)` in dB for the tiny model."""
    return np.random.default_rng(seed).normal(-40, spread, (16, 8)).astype(np.float32)
