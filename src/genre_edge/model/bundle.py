"""The model bundle format: reading, validation and writing. No other module depends on the format.

A bundle is a directory with `bundle.json`, `model.tflite` and `MODEL_CARD.md`. The network has int8 input
`(1, n_mels, patch_frames, 1)` and int8 output `(1, n_outputs)`: one logit for each label, each style and each sound
(`OutputLayout`). If `bundle.json` sets `not_music` and has no sounds, the last logit is the log odds that the audio is
not music. The loader checks hash, schema, shapes and front end; an error message shows the actual and the expected
value. It also reads schema 1, which has no styles and no sounds.
"""

import hashlib
import json
import os
from collections import Counter
from dataclasses import MISSING, Field, asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from genre_edge.audio.block import MAX_RATE, MIN_RATE
from genre_edge.errors import ModelError, ParameterError
from genre_edge.mel.config import MelConfig
from genre_edge.mel.validation import quoted
from genre_edge.model.bundle_fields import FIELDS, SCHEMA_VERSION, is_integer
from genre_edge.model.layout import OutputLayout
from genre_edge.model.styles import Style, links
from genre_edge.system.atomic_write import write_atomically
from genre_edge.system.regular_file import open_regular

MODELS = Path(__file__).parents[1] / "models"
_JSON_LIMIT = 1 << 20  # bytes; far above the shipped bundles
_ADDED_FIELDS = {"styles", "style_threshold", "sounds"}  # in schema 2
_RENAMED_NORMALISATIONS = {"live": "active_bands"}  # earlier name -> name


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
        not_music: probability that the audio is not music from which the reason is "not_music"; None if the network
            has no output for it.
        styles: kinds of music, in the order of the network's outputs; several may apply to the same audio.
        style_threshold: probability from which a style is reported.
        sounds: kinds of sound, in the order of the network's outputs; the first is "music". Empty if the network does
            not tell apart what is not music.
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
    styles: list[Style] = field(default_factory=list)
    style_threshold: float = 0.3
    sounds: list[str] = field(default_factory=list)
    metrics: dict[str, Any] = field(default_factory=dict)
    data: str = ""
    licence: str = ""
    sha256: str = ""
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        for name, (is_valid, allowed) in FIELDS.items():
            value = getattr(self, name)
            if not is_valid(value):
                raise ModelError(f"{name} must be {allowed}, got {quoted(value)}")
        if not MIN_RATE <= self.mel.sr <= MAX_RATE:
            raise ModelError(f"mel's sr must be from {MIN_RATE} to {MAX_RATE}, got {self.mel.sr!r}")
        if self.hop_frames > self.patch_frames:
            raise ModelError(f"hop_frames must be at most patch_frames = {self.patch_frames}, got {self.hop_frames}")
        if self.sounds and self.not_music is None:
            raise ModelError("not_music must be a number from 0 to 1 if there are sounds, got None")
        _ = self.layout  # checks the parents of the styles

    @cached_property
    def layout(self) -> OutputLayout:
        """Positions in the network's output and in the vector of probabilities."""
        has_not_music = self.not_music is not None
        return OutputLayout(len(self.labels), len(self.styles), len(self.sounds), has_not_music, links(self.styles))

    @property
    def n_outputs(self) -> int:
        """Number of values in the network's output."""
        return self.layout.n_logits

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
    if not is_integer(version, 1, SCHEMA_VERSION):  # another version may have other fields
        raise ModelError(f"schema_version is {quoted(version)}, supported: 1 to {SCHEMA_VERSION}")
    known = set(Bundle.__dataclass_fields__) - (_ADDED_FIELDS if version == 1 else set())
    optional = {name for name in known if not _is_required(Bundle.__dataclass_fields__[name])}
    _check_names("bundle", set(content) | optional, known)
    content["schema_version"] = SCHEMA_VERSION
    content["mel"] = _front_end(content["mel"])
    content["styles"] = _styles(content.get("styles", []))
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


def _styles(content: Any) -> list[Style]:
    if not isinstance(content, list) or not all(isinstance(style, dict) for style in content):
        raise ModelError(f"styles must be a list of objects, got {quoted(content)}")
    for style in content:
        _check_names("a style", {"parent", *style}, set(Style.__dataclass_fields__))
    return [Style(**style) for style in content]


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
