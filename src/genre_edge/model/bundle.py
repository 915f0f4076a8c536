"""The model bundle format: reading, validation and writing. No other module depends on the format.

A bundle is a directory with `bundle.json`, `model.tflite` and `MODEL_CARD.md`. The network has int8 input
`(1, n_mels, patch_frames, 1)` and int8 output `(1, n_outputs)`: one logit for each label and, if `bundle.json` sets
`not_music`, one more, the log odds that the audio is not music. The loader checks hash, schema, shapes
and front end; an error message shows the actual and the expected value.
"""

import hashlib
import json
import math
import os
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import MISSING, Field, asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from genre_edge.audio.block import MAX_RATE, MIN_RATE
from genre_edge.errors import ModelError, ParameterError
from genre_edge.mel.config import MelConfig
from genre_edge.mel.validation import quoted
from genre_edge.model.preprocessing import NORMALISATIONS
from genre_edge.system.atomic_write import write_atomically
from genre_edge.system.regular_file import open_regular

SCHEMA_VERSION = 1
MODELS = Path(__file__).parents[1] / "models"
_JSON_LIMIT = 1 << 20  # bytes; far above the shipped bundles
_MAX_NAME = 100  # characters
_MAX_FRAMES = 1_000_000
_MAX_DEPTH = 20  # of objects and lists in `metrics`
_RENAMED_NORMALISATIONS = {"live": "active_bands"}  # earlier name -> name


def _is_integer(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_number(value: Any, low: float, high: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not any("\ud800" <= c <= "\udfff" for c in value)  # a lone surrogate


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= _MAX_NAME and value.isprintable()  # it is printed on terminals


def _are_labels(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_name, value)) and len(set(value)) == len(value) >= 2


def _is_json(value: Any, depth: int) -> bool:
    """Return True for finite numbers, text and so on, in objects and lists of at most `depth` levels."""
    if isinstance(value, dict):
        return depth > 0 and all(_is_text(key) and _is_json(item, depth - 1) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return depth > 0 and all(_is_json(item, depth - 1) for item in value)
    return value is None or isinstance(value, bool) or _is_text(value) or _is_number(value, -1e300, 1e300)


def _are_metrics(value: Any) -> bool:
    """Return True for an object whose `holdout` accuracy, which `genre-edge models` lists, is a share if given."""
    holdout = value.get("holdout", {}) if isinstance(value, dict) else None
    accuracy = holdout.get("accuracy") if isinstance(holdout, dict) else math.nan
    return (accuracy is None or _is_number(accuracy, 0, 1)) and _is_json(value, _MAX_DEPTH)


_NAME = f"a printable string of 1 to {_MAX_NAME} characters"
_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "schema_version": (lambda v: _is_integer(v, SCHEMA_VERSION, SCHEMA_VERSION), f"{SCHEMA_VERSION}"),
    "name": (_is_name, _NAME),
    "version": (_is_name, _NAME),
    "labels": (_are_labels, f"a list of two or more different printable strings of 1 to {_MAX_NAME} characters"),
    "patch_frames": (lambda v: _is_integer(v, 1, _MAX_FRAMES), f"an integer from 1 to {_MAX_FRAMES}"),
    "hop_frames": (lambda v: _is_integer(v, 1, _MAX_FRAMES), f"an integer from 1 to {_MAX_FRAMES}"),
    "normalisation": (NORMALISATIONS.__contains__, f"one of {', '.join(NORMALISATIONS)}"),
    "top_db": (lambda v: _is_number(v, 1, 1000), "a number from 1 to 1000"),
    "temperature": (lambda v: _is_number(v, 1e-3, 1e3), "a number from 0.001 to 1000"),
    "threshold": (lambda v: _is_number(v, 0, 1), "a number from 0 to 1"),
    "silence_db": (lambda v: _is_number(v, -1000, 1000), "a number from -1000 to 1000"),
    "not_music": (lambda v: v is None or _is_number(v, 0, 1), "null or a number from 0 to 1"),
    "metrics": (_are_metrics, f"an object with finite numbers, at most {_MAX_DEPTH} levels"),
    "data": (_is_text, "a string"),
    "licence": (_is_text, "a string"),
    "sha256": (lambda v: _is_text(v) and re.fullmatch("([0-9a-f]{64})?", v) is not None, "64 hexadecimal digits"),
}


@dataclass(frozen=True)
class Bundle:
    """The content of `bundle.json`. Lengths are in frames of `mel`, levels in dB of mel power (full scale +-1).

    Args:
        name, version: of the model; printable.
        labels: genres, in the order of the network's outputs.
        mel: the front end.
        patch_frames, hop_frames: length of the network's input, and frames from one patch to the next.
        normalisation, top_db: see `normalise`.
        temperature: divides the logits before softmax.
        threshold: confidence below which the reason is "low_confidence".
        silence_db: a patch whose maximum is below this level is silence.
        not_music: if a number, the network's last output is the log odds that the audio is not music, and from this
            probability on the reason is "not_music"; None if the network has no such output.
        metrics: measured figures, each with the split that it was measured on.
        data, licence: training data and licence, as text.
        sha256: hash of `model.tflite`, in hexadecimal.

    Raises:
        ModelError: a value has the wrong type or is out of range.
    """

    name: str
    version: str
    labels: list[str]
    mel: MelConfig
    patch_frames: int
    hop_frames: int
    normalisation: str
    top_db: float = 80.0
    temperature: float = 1.0
    threshold: float = 0.0
    silence_db: float = -60.0
    not_music: float | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    data: str = ""
    licence: str = ""
    sha256: str = ""
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        for name, (is_valid, allowed) in _FIELDS.items():
            value = getattr(self, name)
            if not is_valid(value):
                raise ModelError(f"{name} must be {allowed}, got {quoted(value)}")
        if not MIN_RATE <= self.mel.sr <= MAX_RATE:
            raise ModelError(f"mel's sr must be from {MIN_RATE} to {MAX_RATE}, got {self.mel.sr!r}")
        if self.hop_frames > self.patch_frames:
            raise ModelError(f"hop_frames must be at most patch_frames = {self.patch_frames}, got {self.hop_frames}")

    @property
    def n_outputs(self) -> int:
        """Number of values in the network's output."""
        return len(self.labels) + (self.not_music is not None)

    @property
    def patch_s(self) -> float:
        """Length of a patch in seconds."""
        return self.patch_frames * self.mel.hop_length / self.mel.sr

    def save(self, directory: Path, tflite: bytes, card: str) -> "Bundle":
        """Write the three files, each atomically, and return the bundle with the hash of `tflite`.

        Args:
            directory: created if missing.
            tflite: content of `model.tflite`.
            card: content of `MODEL_CARD.md`.

        Raises:
            OSError: a file cannot be written.
        """
        directory.mkdir(parents=True, exist_ok=True)
        hashed = replace(self, sha256=hashlib.sha256(tflite).hexdigest())
        write_atomically(directory / "model.tflite", tflite)
        write_atomically(directory / "bundle.json", (json.dumps(asdict(hashed), indent=2) + "\n").encode())
        write_atomically(directory / "MODEL_CARD.md", card.encode())
        return hashed

    @classmethod
    def load(cls, directory: Path) -> "Bundle":
        """Read and validate `bundle.json` in a bundle's directory.

        Raises:
            ModelError: the file is missing, is not valid JSON, or has a wrong or missing value.
        """
        path = directory / "bundle.json"
        text = read_limited(path, _JSON_LIMIT)
        try:
            return cls(**_parse(text))
        except RecursionError:
            raise ModelError(f"{path}: nested too deeply") from None
        except (ValueError, ModelError, ParameterError) as error:
            raise ModelError(f"{path}: {error}") from None


def _parse(text: bytes) -> dict[str, Any]:
    """Return the arguments of `Bundle`. Raises ValueError, RecursionError, ModelError or ParameterError."""
    content = json.loads(text, object_pairs_hook=_unique)
    if not isinstance(content, dict):
        raise ModelError("not a JSON object")
    version = content.get("schema_version")
    if not _is_integer(version, SCHEMA_VERSION, SCHEMA_VERSION):  # another version may have other fields
        raise ModelError(f"schema_version is {quoted(version)}, supported: {SCHEMA_VERSION}")
    optional = {name for name, value in Bundle.__dataclass_fields__.items() if not _is_required(value)}
    _check_names("bundle", set(content) | optional, set(Bundle.__dataclass_fields__))
    content["mel"] = _front_end(content["mel"])
    if isinstance(name := content["normalisation"], str):
        content["normalisation"] = _RENAMED_NORMALISATIONS.get(name, name)
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object. Raises ModelError if a name occurs twice: programs differ in which value they take."""
    content = dict(pairs)
    if len(content) < len(pairs):
        ((name, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ModelError(f"duplicate field {quoted(name)}")
    return content


def _is_required(field: "Field[Any]") -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _check_names(owner: str, actual: set[str], expected: set[str]) -> None:
    if differing := sorted(actual ^ expected):
        raise ModelError(f"{owner} has missing or unknown fields: {quoted(differing)}")


def _front_end(content: Any) -> MelConfig:
    """Return the front end. All its fields are required, so that a later default cannot change an existing model."""
    if not isinstance(content, dict):
        raise ModelError(f"mel must be an object, got {quoted(content)}")
    _check_names("mel", set(content), set(MelConfig.__dataclass_fields__))
    return MelConfig(**content)


def read_limited(path: Path, limit: int) -> bytes:
    """Read a file of at most `limit` bytes.

    Raises:
        ModelError: the file cannot be read, is no regular file, or is larger.
    """
    try:
        with open_regular(path) as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from None
    if len(content) > limit:
        raise ModelError(f"{path}: larger than {limit} bytes")
    return content


def installed() -> list[str]:
    """Return the names of the bundles that are installed with the package, sorted."""
    return sorted(path.parent.name for path in MODELS.glob("*/bundle.json"))


def bundle_path(model: str | Path) -> Path:
    """Return the directory of a bundle, given the name of an installed one or a path.

    Raises:
        ModelError: `model` is neither.
    """
    if str(model) in installed():
        return MODELS / str(model)
    path = Path(model)
    if not os.path.isdir(path):  # noqa: PTH112 (never raises, for any name)
        raise ModelError(f"no model {quoted(str(model))}: neither a directory nor one of {', '.join(installed())}")
    return path
