"""The tiny bundle of tests/data, as it is and spoilt in many ways; nothing here needs TensorFlow."""

import functools
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from genre_edge.classify.classifier import Classifier
from genre_edge.model.bundle import Bundle

DATA = Path(__file__).parents[1] / "data"
TINY = DATA / "tiny"
FLOAT_TFLITE = DATA / "float.tflite"
RATE = 8000
PATCH_S, HOP_S = 8 * 128 / RATE, 4 * 128 / RATE


@functools.cache
def tiny() -> Classifier:
    """A classifier with the tiny bundle: low, middle or high; one for all tests, for it keeps nothing of a source."""
    return Classifier(TINY)


def variant(directory: Path, **changes: Any) -> Path:
    """A sound bundle with the tiny network and some fields changed."""
    replace(Bundle.load(TINY), **changes).save(directory, (TINY / "model.tflite").read_bytes(), "")
    return directory


def spoilt(directory: Path, edit: Callable[[dict[str, Any]], Any]) -> Path:
    """The tiny bundle with its JSON edited, whatever comes of it."""
    content = json.loads((TINY / "bundle.json").read_text())
    edit(content)
    directory.mkdir(exist_ok=True)
    (directory / "bundle.json").write_text(json.dumps(content))
    (directory / "model.tflite").write_bytes((TINY / "model.tflite").read_bytes())
    return directory


def with_network(directory: Path, tflite: bytes) -> Path:
    """The tiny bundle's JSON with another network and its right hash."""
    spoilt(directory, lambda content: content.update(sha256=hashlib.sha256(tflite).hexdigest()))
    (directory / "model.tflite").write_bytes(tflite)
    return directory
