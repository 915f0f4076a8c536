"""A model bundle: load, verify, predict. Nothing else knows the format.

A bundle is a directory with `bundle.json`, `model.tflite` and `MODEL_CARD.md`. The network has int8 in and out, batch
1, input `(1, n_mels, frames, 1)`, output `(1, n_outputs)` logits: one a label, and if the bundle says `not_music` one
more, the log odds that it is no music at all. The loader believes nothing: hash, schema, shapes and front end are
checked, and a refusal says both values.
"""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genre_edge import interpreter
from genre_edge.audio.block import MAX_RATE, MIN_RATE
from genre_edge.errors import ModelError, ParameterError
from genre_edge.files import write_atomically
from genre_edge.mel import Frames
from genre_edge.mel_config import MelConfig

SCHEMA_VERSION = 1
MODELS = Path(__file__).parent / "models"
_JSON_LIMIT, _TFLITE_LIMIT = 1 << 20, 64 << 20  # bytes; far above any bundle of ours
NORMALISATIONS = ("minmax", "standard", "live")


def normalise(patch_db: Frames, kind: str, top_db: float) -> Frames:
    """One patch in dB, `(n_mels, n_frames)` -> the network's input, the same for every gain.

    The patch is first cut at `top_db` below its maximum. "minmax" then scales it to 0..1 (the paper's scaling),
    "standard" to mean 0 and standard deviation 1; "live" does that to the bands that change, and the others follow, so
    that what nothing reaches, like a telephone's treble, does not squeeze the rest. A constant patch gives zeros.
    """
    # In one memory order: numpy's sums depend on it, and a patch must not remember how its frames came.
    x = np.maximum(np.ascontiguousarray(patch_db) - patch_db.max(), np.float32(-top_db))
    if kind == "minmax":
        x -= x.min()
        scale = x.max()
    else:
        live = np.ptp(x, axis=1) > 0
        measured = x[live] if kind == "live" and live.any() else x
        centre, scale = measured.mean(), measured.std()
        x -= centre
    return x / scale if scale > 0 else np.zeros_like(x)


def softmax(logits: NDArray[np.float64], temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities along the last axis."""
    odds = np.exp((logits - logits.max(axis=-1, keepdims=True)) / temperature)
    result: NDArray[np.float64] = odds / odds.sum(axis=-1, keepdims=True)
    return result


def probabilities(logits: NDArray[np.float64], n_labels: int, temperature: float) -> NDArray[np.float64]:
    """Softmax over the genres, and the logistic function of what follows them, along the last axis."""
    genres = softmax(logits[..., :n_labels], temperature)
    return np.concatenate([genres, 1 / (1 + np.exp(-logits[..., n_labels:]))], axis=-1)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != "" and value.isprintable()  # it goes to terminals


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_number(value: Any, low: float, high: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


def _are_labels(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value)) and len(set(value)) == len(value) >= 2


_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (_is_text, "a text"),
    "version": (_is_text, "a text"),
    "labels": (_are_labels, "a list of two or more different texts"),
    "patch_frames": (_is_count, "a positive integer"),
    "hop_frames": (_is_count, "a positive integer"),
    "normalisation": (NORMALISATIONS.__contains__, f"one of {', '.join(NORMALISATIONS)}"),
    "top_db": (lambda v: _is_number(v, 1, 1000), "a number from 1 to 1000"),
    "temperature": (lambda v: _is_number(v, 1e-3, 1e3), "a number from 0.001 to 1000"),
    "threshold": (lambda v: _is_number(v, 0, 1), "a number from 0 to 1"),
    "silence_db": (lambda v: _is_number(v, -1000, 1000), "a number from -1000 to 1000"),
    "not_music": (lambda v: v is None or _is_number(v, 0, 1), "null or a number from 0 to 1"),
    "metrics": (lambda v: isinstance(v, dict), "an object"),
    "data": (lambda v: isinstance(v, str), "a text"),
    "licence": (lambda v: isinstance(v, str), "a text"),
    "sha256": (lambda v: isinstance(v, str), "a text"),
}


@dataclass(frozen=True)
class Bundle:
    """What `bundle.json` says. Lengths are in frames of `mel`, levels in dB of mel power (full scale +-1).

    Args:
        patch_frames, hop_frames: length of the network's input, and the distance from patch to patch.
        normalisation, top_db: see `normalise`.
        temperature: divides the logits before softmax.
        threshold: below this confidence the answer is "low_confidence".
        silence_db: a patch with no value above this is silence.
        not_music: with a number, the network's last output is the log odds that this is no music, and from this
            probability on the answer is "not_music".
        metrics: measured figures, each with the split that it was measured on.
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
        for name, (fine, allowed) in _FIELDS.items():
            value = getattr(self, name)
            if not fine(value):
                raise ModelError(f"{name} must be {allowed}, got {value!r:.100}")
        if not MIN_RATE <= self.mel.sr <= MAX_RATE:
            raise ModelError(f"mel's sr must be from {MIN_RATE} to {MAX_RATE}, got {self.mel.sr!r}")
        if self.hop_frames > self.patch_frames:
            raise ModelError(f"hop_frames {self.hop_frames} is more than patch_frames {self.patch_frames}")

    @property
    def n_outputs(self) -> int:
        """How many values the network gives."""
        return len(self.labels) + (self.not_music is not None)

    @property
    def patch_s(self) -> float:
        """How many seconds the network listens to at a time."""
        return self.patch_frames * self.mel.hop_length / self.mel.sr

    def save(self, directory: Path, tflite: bytes, card: str) -> "Bundle":
        """Write the three files, each whole or not at all, and return the bundle with `tflite`'s hash."""
        directory.mkdir(parents=True, exist_ok=True)
        hashed = replace(self, sha256=hashlib.sha256(tflite).hexdigest())
        write_atomically(directory / "model.tflite", tflite)
        write_atomically(directory / "bundle.json", (json.dumps(asdict(hashed), indent=2) + "\n").encode())
        write_atomically(directory / "MODEL_CARD.md", card.encode())
        return hashed

    @classmethod
    def load(cls, directory: Path) -> "Bundle":
        """Read and check `bundle.json`. Raises ModelError."""
        path = directory / "bundle.json"
        text = _read(path, _JSON_LIMIT)
        try:
            content = json.loads(text)
            if not isinstance(content, dict):
                raise ModelError("it is not a JSON object")
            if content.get("schema_version") != SCHEMA_VERSION:
                raise ModelError(f"schema_version is {content.get('schema_version')!r}, known: {SCHEMA_VERSION}")
            return cls(**content | {"mel": _front_end(content.get("mel"))})
        except (ValueError, TypeError, RecursionError, ModelError, ParameterError) as error:
            raise ModelError(f"{path}: {error}") from None


def _front_end(content: Any) -> MelConfig:
    """The complete MelConfig: a default of ours that changes must not change somebody's model."""
    if not isinstance(content, dict):
        raise ModelError(f"mel must be an object, got {content!r:.100}")
    if differing := set(content) ^ set(MelConfig.__dataclass_fields__):
        raise ModelError(f"mel lacks, or should not have, {', '.join(sorted(differing))}")
    return MelConfig(**content)


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from None
    if len(content) > limit:
        raise ModelError(f"{path}: larger than {limit} bytes")
    return content


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def installed() -> list[str]:
    """Names of the bundles that came with the package."""
    return sorted(path.parent.name for path in MODELS.glob("*/bundle.json"))


def bundle_path(model: str | Path) -> Path:
    """The directory of an installed bundle's name, or of a path. Raises ModelError."""
    if str(model) in installed():
        return MODELS / str(model)
    path = Path(model)
    if not os.path.isdir(path):  # noqa: PTH112 (never raises, whatever the name)
        raise ModelError(f"no model {str(model)!r}: neither a directory nor one of {', '.join(installed())}")
    return path


class Model:
    """A verified bundle, ready to predict. Use one in one thread at a time.

    Args:
        model: an installed bundle's name, or a bundle's directory.
        reference: run the network by the runtime's plain kernels, as a measure for the fast ones.

    Raises:
        ModelError: the bundle is missing, damaged or does not fit.
    """

    def __init__(self, model: str | Path = "edge", *, reference: bool = False) -> None:
        self.path = path = bundle_path(model)
        self.bundle = Bundle.load(path)
        content = _read(path / "model.tflite", _TFLITE_LIMIT)
        digest = hashlib.sha256(content).hexdigest()
        if digest != self.bundle.sha256:
            raise ModelError(f"{path}: model.tflite has SHA-256 {digest}, bundle.json says {self.bundle.sha256}")
        try:
            self._interpreter = interpreter.create(content, reference=reference)
            self._input = self._interpreter.get_input_details()[0]
            self._output = self._interpreter.get_output_details()[0]
        except (ValueError, RuntimeError, IndexError) as error:
            raise ModelError(f"{path}: model.tflite cannot be run: {_line(error)}") from None
        self._check(path)

    def _check(self, path: Path) -> None:
        bundle = self.bundle
        expected = {
            "input": (self._input, (1, bundle.mel.n_mels, bundle.patch_frames, 1)),
            "output": (self._output, (1, bundle.n_outputs)),
        }
        for name, (tensor, shape) in expected.items():
            actual = tuple(int(n) for n in tensor["shape"])
            if actual != shape or tensor["dtype"] != np.int8 or not tensor["quantization"][0] > 0:
                raise ModelError(
                    f"{path}: the network's {name} is {np.dtype(tensor['dtype']).name} {actual}, "
                    f"bundle.json needs quantised int8 {shape}"
                )

    @property
    def logit_step(self) -> float:
        """What one int8 step of the output is worth."""
        return float(self._output["quantization"][0])

    def probabilities(self, patch_db: Frames) -> NDArray[np.float64]:
        """Calibrated probabilities, float64 `(n_outputs,)`, for a patch `(n_mels, patch_frames)` in dB.

        The genres' sum is 1: what they would be if it were music. A last one says how likely it is none.
        """
        return probabilities(self.logits(patch_db), len(self.bundle.labels), self.bundle.temperature)

    def logits(self, patch_db: Frames) -> NDArray[np.float64]:
        """What the network says of a patch, float64 `(n_outputs,)`, before temperature and softmax."""
        bundle = self.bundle
        x = normalise(patch_db, bundle.normalisation, bundle.top_db)
        scale, zero = self._input["quantization"]
        quantised = np.clip(np.rint(x / scale + zero), -128, 127).astype(np.int8)
        self._interpreter.set_tensor(self._input["index"], quantised[None, :, :, None])
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise ModelError(f"{self.path}: model.tflite cannot be run: {_line(error)}") from None
        scale, zero = self._output["quantization"]
        logits: NDArray[np.float64] = (
            self._interpreter.get_tensor(self._output["index"])[0].astype(np.float64) - zero
        ) * scale
        return logits
