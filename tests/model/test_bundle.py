"""`Bundle` and the verification of its files."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genre_edge.errors import ModelError
from genre_edge.mel.config import MelConfig
from genre_edge.model.bundle import Bundle, bundle_path, installed
from genre_edge.model.prediction import Model
from genre_edge.model.styles import Style
from tests.helpers.audio import run_python
from tests.helpers.bundles import FLOAT_TFLITE, STYLED, TINY, bundle_with_network, edited_bundle, variant

TFLITE = (TINY / "model.tflite").read_bytes()


def load_error(directory: Path) -> str:
    """Return the error of loading a bundle: one line, without the bundle's path at its start."""
    with pytest.raises(ModelError) as caught:
        Model(directory)
    text = str(caught.value)
    assert text.startswith(str(directory)) and "\n" not in text and len(text) < 600
    return text.removeprefix(str(directory))


def test_bundle_save_and_load(tmp_path: Path) -> None:
    """Saving sets the hash and writes three files; loading gives an equal bundle."""
    bundle = replace(Bundle.load(TINY), name="übung", metrics={"a": {"b": [1, None]}}, temperature=1.25, sha256="")
    saved = bundle.save(tmp_path / "deep" / "er", b"any bytes", "# card\n")
    assert saved == replace(bundle, sha256=hashlib.sha256(b"any bytes").hexdigest())
    assert Bundle.load(tmp_path / "deep" / "er") == saved
    assert {path.name for path in (tmp_path / "deep" / "er").iterdir()} == {
        "bundle.json",
        "model.tflite",
        "MODEL_CARD.md",
    }
    assert (tmp_path / "deep" / "er" / "MODEL_CARD.md").read_text() == "# card\n"


def test_bundle_save_replaces_files(tmp_path: Path) -> None:
    """Saving again replaces all three files."""
    bundle = Bundle.load(TINY)
    bundle.save(tmp_path, b"old", "old")
    bundle.save(tmp_path, TFLITE, "new")
    assert (
        asdict(Model(tmp_path).bundle)
        == asdict(Bundle.load(tmp_path))
        == json.loads((TINY / "bundle.json").read_text())
    )
    assert len(list(tmp_path.iterdir())) == 3


def test_model_hash_mismatch(tmp_path: Path) -> None:
    """A changed model.tflite raises an error with both hashes."""
    bundle = edited_bundle(tmp_path / "b", lambda content: None)
    (bundle / "model.tflite").write_bytes(TFLITE[:-1] + bytes([TFLITE[-1] ^ 1]))
    actual = hashlib.sha256((bundle / "model.tflite").read_bytes()).hexdigest()
    expected = hashlib.sha256(TFLITE).hexdigest()
    assert load_error(bundle) == f": model.tflite has SHA-256 {actual}, bundle.json requires {expected}"
    (bundle / "model.tflite").write_bytes(TFLITE[: len(TFLITE) // 2])
    assert f"bundle.json requires {expected}" in load_error(bundle)


Edit = Callable[[dict[str, Any]], Any]


def nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


REQUIRED = ("name", "version", "labels", "mel", "patch_frames", "hop_frames", "normalisation")
INVALID: dict[str, tuple[Edit, list[str]]] = {
    "unknown schema": (lambda c: c.update(schema_version=3), ["schema_version", "3", "1 to 2"]),
    "schema a string": (lambda c: c.update(schema_version="1"), ["schema_version", "'1'", "1"]),
    "schema true": (lambda c: c.update(schema_version=True), ["schema_version", "True", "1"]),
    "schema a fraction": (lambda c: c.update(schema_version=1.0), ["schema_version", "1.0"]),
    "schema nested": (lambda c: c.update(schema_version=[[[]]] * 50_000), ["schema_version", "..."]),
    "no schema": (lambda c: c.pop("schema_version"), ["schema_version", "None", "1"]),
    "unknown field": (lambda c: c.update(nonsense=1), ["nonsense"]),
    "unknown mel field": (lambda c: c["mel"].update(nonsense=1), ["nonsense"]),
    **{f"no {name}": (lambda c, name=name: c.pop(name), [name]) for name in REQUIRED},
    "front end incomplete": (lambda c: c["mel"].pop("htk"), ["mel", "htk"]),
    "front end out of range": (lambda c: c["mel"].update(n_fft=1), ["n_fft", "1", "65536"]),
    "front end rate too high": (lambda c: c["mel"].update(sr=1e30), ["sr", "1e+30"]),
    "front end rate too low": (lambda c: c["mel"].update(sr=1.0), ["sr", "1.0"]),
    "front end rate a string": (lambda c: c["mel"].update(sr="8000"), ["sr", "'8000'"]),
    "front end a list": (lambda c: c.update(mel=[1]), ["mel"]),
    "name a number": (lambda c: c.update(name=5), ["name", "5"]),
    "version a number": (lambda c: c.update(version=1), ["version", "1"]),
    "labels a string": (lambda c: c.update(labels="abc"), ["labels", "abc"]),
    "labels an object": (lambda c: c.update(labels={"a": 1, "b": 2, "c": 3}), ["labels"]),
    "labels of numbers": (lambda c: c.update(labels=[1, 2, 3]), ["labels", "[1, 2, 3]"]),
    "labels of lists": (lambda c: c.update(labels=[["a"], ["b"], ["c"]]), ["labels"]),
    "labels null": (lambda c: c.update(labels=None), ["labels"]),
    "duplicate label": (lambda c: c.update(labels=["a", "b", "a"]), ["labels", "['a', 'b', 'a']"]),
    "empty label": (lambda c: c.update(labels=["a", "b", ""]), ["labels"]),
    "patch_frames a fraction": (lambda c: c.update(patch_frames=8.0), ["patch_frames", "8.0"]),
    "hop_frames a fraction": (lambda c: c.update(hop_frames=2.5), ["hop_frames", "2.5"]),
    "hop_frames true": (lambda c: c.update(hop_frames=True), ["hop_frames", "True"]),
    "hop_frames null": (lambda c: c.update(hop_frames=None), ["hop_frames", "None"]),
    "hop_frames zero": (lambda c: c.update(hop_frames=0), ["hop_frames", "0"]),
    "hop longer than patch": (lambda c: c.update(hop_frames=9), ["hop_frames", "patch_frames = 8, got 9"]),
    "normalisation unknown": (lambda c: c.update(normalisation="max"), ["'max'", "minmax", "standard"]),
    "normalisation a list": (lambda c: c.update(normalisation=["minmax"]), ["normalisation"]),
    "temperature zero": (lambda c: c.update(temperature=0), ["temperature", "0"]),
    "temperature a string": (lambda c: c.update(temperature="1"), ["temperature", "'1'"]),
    "temperature not a number": (lambda c: c.update(temperature=float("nan")), ["temperature", "nan"]),
    "temperature infinite": (lambda c: c.update(temperature=float("inf")), ["temperature", "inf"]),
    "top_db negative": (lambda c: c.update(top_db=-80), ["top_db", "-80"]),
    "top_db null": (lambda c: c.update(top_db=None), ["top_db", "None"]),
    "threshold above one": (lambda c: c.update(threshold=1.5), ["threshold", "1.5"]),
    "threshold a list": (lambda c: c.update(threshold=[0.5]), ["threshold", "[0.5]"]),
    "silence_db a string": (lambda c: c.update(silence_db="-60"), ["silence_db", "'-60'"]),
    "not_music a boolean": (lambda c: c.update(not_music=True), ["not_music", "True"]),
    "not_music above 1": (lambda c: c.update(not_music=1.5), ["not_music", "1.5"]),
    "not_music without an output": (lambda c: c.update(not_music=0.5), ["(1, 3)", "(1, 4)"]),
    "styles null": (lambda c: c.update(styles=None), ["styles", "None"]),
    "styles names": (lambda c: c.update(styles=["techno"]), ["styles", "list of objects", "['techno']"]),
    "style without a name": (lambda c: c.update(styles=[{"parent": None}]), ["a style", "['name']"]),
    "style with more": (lambda c: c.update(styles=[{"name": "a", "x": 1}]), ["a style", "['x']"]),
    "style name empty": (lambda c: c.update(styles=[{"name": ""}]), ["styles", "1 to 100 characters", "name=''"]),
    "style name a number": (lambda c: c.update(styles=[{"name": [1]}]), ["styles", "name=[1]"]),
    "style parent a number": (lambda c: c.update(styles=[{"name": "a", "parent": 1}]), ["styles", "parent=1"]),
    "style parent unknown": (lambda c: c.update(styles=[{"name": "a", "parent": "b"}]), ["'b' of 'a'", "not a style"]),
    "style its own parent": (lambda c: c.update(styles=[{"name": "a", "parent": "a"}]), ["'a'", "ancestor"]),
    "styles duplicate": (lambda c: c.update(styles=[{"name": "a"}] * 2), ["styles", "different names", "'a' twice"]),
    "styles without outputs": (lambda c: c.update(styles=[{"name": "a"}]), ["(1, 3)", "(1, 4)"]),
    "style_threshold above 1": (lambda c: c.update(style_threshold=2), ["style_threshold", "2"]),
    "sounds without music": (lambda c: c.update(sounds=["noise", "music"], not_music=0.5), ["sounds", '"music"']),
    "sounds one": (lambda c: c.update(sounds=["music"], not_music=0.5), ["sounds", "two or more", "['music']"]),
    "sounds duplicate": (lambda c: c.update(sounds=["music"] * 2, not_music=0.5), ["sounds", "different"]),
    "sounds null": (lambda c: c.update(sounds=None), ["sounds", "None"]),
    "sounds without not_music": (lambda c: c.update(sounds=["music", "noise"]), ["not_music", "None", "sounds"]),
    "sounds without outputs": (
        lambda c: c.update(sounds=["music", "noise"], not_music=0.5),
        ["(1, 3)", "(1, 5)"],
    ),
    "styles in schema 1": (lambda c: c.update(schema_version=1), ["unknown fields", "'styles'"]),
    "silence_db not a number": (lambda c: c.update(silence_db=float("nan")), ["silence_db", "nan"]),
    "metrics not finite": (lambda c: c.update(metrics={"a": [float("inf")]}), ["metrics", "inf"]),
    "accuracy a string": (lambda c: c.update(metrics={"holdout": {"accuracy": "high"}}), ["metrics", "'high'"]),
    "holdout a number": (lambda c: c.update(metrics={"holdout": 0.7}), ["metrics", "0.7"]),
    "metrics nested": (lambda c: c.update(metrics={"a": nested(800)}), ["metrics", "20 levels"]),
    "patch_frames huge": (lambda c: c.update(patch_frames=10**4000), ["patch_frames", "1000000", "..."]),
    "mel integer true": (lambda c: c["mel"].update(hop_length=True), ["hop_length", "True"]),
    "mel number infinite": (lambda c: c["mel"].update(fmax=float("inf")), ["fmax", "inf"]),
    "name long": (lambda c: c.update(name="x" * 100_000), ["name", "xxx..."]),
    "name with control characters": (lambda c: c.update(name="\x1b[31m\n"), ["name", r"'\x1b[31m\n'"]),
    "unknown field long": (lambda c: c.update({"y\n" * 100_000: 1}), ["unknown fields", r"y\ny\n", "..."]),
    "unknown mel field long": (lambda c: c["mel"].update({"y\n" * 100_000: 1}), ["mel", r"y\ny\n", "..."]),
    "sha256 long": (lambda c: c.update(sha256="0" * 100_000), ["sha256", "64", "000..."]),
    "licence a lone surrogate": (lambda c: c.update(licence="\ud800"), ["licence", r"'\ud800'"]),
    "metrics a list": (lambda c: c.update(metrics=[1]), ["metrics", "[1]"]),
    "sha256 null": (lambda c: c.update(sha256=None), ["sha256", "None"]),
    "too few labels": (lambda c: c.update(labels=["a", "b"]), ["output", "int8 (1, 3)", "int8 (1, 2)"]),
    "too many bands": (lambda c: c["mel"].update(n_mels=17), ["input", "int8 (1, 16, 8, 1)", "int8 (1, 17, 8, 1)"]),
    "too long a patch": (lambda c: c.update(patch_frames=9), ["input", "int8 (1, 16, 8, 1)", "int8 (1, 16, 9, 1)"]),
}


@pytest.mark.parametrize("case", INVALID)
def test_bundle_invalid_json_value(tmp_path: Path, case: str) -> None:
    """An inconsistent bundle raises an error with the actual and the expected value."""
    edit, parts = INVALID[case]
    text = load_error(edited_bundle(tmp_path / "b", edit))
    assert [part for part in parts if part not in text] == [], text


@pytest.mark.parametrize(
    "content",
    [b"", b"no json", b"[1]", b"null", b'"x"', b"{", b"\xff\xfe", b"[" * 100_000, b'{"schema_version": 1', b"1" * 5000],
    ids=range(10),
)
def test_bundle_invalid_json(tmp_path: Path, content: bytes) -> None:
    """A bundle.json that is not a JSON object is an error of one line."""
    bundle = edited_bundle(tmp_path / "b", lambda content: None)
    (bundle / "bundle.json").write_bytes(content)
    assert load_error(bundle).startswith("/bundle.json: ")


def test_bundle_duplicate_field(tmp_path: Path) -> None:
    """A field that occurs twice is an error, at the top and inside, in linear time."""
    bundle = edited_bundle(tmp_path / "b", lambda content: None)
    text = (bundle / "bundle.json").read_text()
    (bundle / "bundle.json").write_text(text.replace("{", '{"threshold": 0.5, ', 1))
    assert load_error(bundle) == "/bundle.json: duplicate field 'threshold'"
    (bundle / "bundle.json").write_text(text.replace('"mel": {', '"mel": {"sr": 1, '))
    assert load_error(bundle) == "/bundle.json: duplicate field 'sr'"
    many = ", ".join(f'"{i}": 0' for i in range(80_000))
    (bundle / "bundle.json").write_text(f'{{{many}, "79999": 0}}')
    assert load_error(bundle) == "/bundle.json: duplicate field '79999'"


@pytest.mark.parametrize("name", ["bundle.json", "model.tflite"])
def test_bundle_special_file(tmp_path: Path, name: str) -> None:
    """A FIFO or a device in a bundle is an error at once; nothing waits for a writer."""
    bundle = edited_bundle(tmp_path / "b", lambda content: None)
    (bundle / name).unlink()
    os.mkfifo(bundle / name)
    assert load_error(bundle) == f"/{name}: not a regular file"
    (bundle / name).unlink()
    (bundle / name).symlink_to("/dev/zero")
    assert load_error(bundle) == f"/{name}: not a regular file"


def test_bundle_path_long_name() -> None:
    """The name of a model that does not exist is shortened and escaped."""
    with pytest.raises(ModelError, match=r"^no model 'x.*: neither a directory nor one of ") as caught:
        bundle_path("x\n" * 50_000)
    assert len(str(caught.value)) < 400 and "\n" not in str(caught.value)


def test_bundle_missing_or_huge_files(tmp_path: Path) -> None:
    """A missing or unreasonably large file is an error that names it."""
    bundle = edited_bundle(tmp_path / "b", lambda content: None)
    with (bundle / "model.tflite").open("wb") as file:
        file.truncate((64 << 20) + 1)  # a sparse file
    assert load_error(bundle) == f"/model.tflite: larger than {64 << 20} bytes"
    (bundle / "model.tflite").unlink()
    assert load_error(bundle) == "/model.tflite: No such file or directory"
    (bundle / "model.tflite").mkdir()
    assert load_error(bundle) == "/model.tflite: Is a directory"
    with (bundle / "bundle.json").open("wb") as file:
        file.truncate((1 << 20) + 1)
    assert load_error(bundle) == f"/bundle.json: larger than {1 << 20} bytes"
    (bundle / "bundle.json").unlink()
    assert load_error(bundle) == "/bundle.json: No such file or directory"


@pytest.mark.parametrize("name", ["nosuch", "", "a/b/c", "nul\0byte"])
def test_model_unknown_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A name that is no model is a ModelError."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError):
        Model(name)


def test_bundle_path_of_file() -> None:
    """A file is not a bundle; a directory may be a path or a string."""
    with pytest.raises(ModelError, match="neither a directory nor one of"):
        bundle_path(TINY / "bundle.json")
    assert bundle_path(TINY) == bundle_path(str(TINY)) == TINY
    assert installed() == sorted(installed())


def test_model_float_network(tmp_path: Path) -> None:
    """A float32 network raises an error."""
    text = load_error(bundle_with_network(tmp_path / "b", FLOAT_TFLITE.read_bytes()))
    assert text == ": the network's input is float32 (1, 16, 8, 1), bundle.json requires quantised int8 (1, 16, 8, 1)"


LOAD_ALL = """
import sys
from pathlib import Path
import numpy as np
from genre_edge.errors import ModelError
from genre_edge.model.prediction import Model
from genre_edge.model.styles import Style
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        p = Model(path).probabilities(np.zeros((16, 8), dtype=np.float32))
        print("runs", p.shape == (3,) and abs(p.sum() - 1) < 1e-9)
    except ModelError as error:
        print("error", str(error).startswith(str(path)) and "\\n" not in str(error))
"""


def test_model_damaged_network(tmp_path: Path) -> None:
    """A damaged network with the right hash raises an error. In a child process, since the C++ runtime could crash."""
    rng = np.random.default_rng(0)
    networks = [b"", b"TFL3", rng.bytes(2000), rng.bytes(4) + b"TFL3" + rng.bytes(2000)]
    networks += [TFLITE[:n] for n in (10, 100, 500, 1000, 1700, len(TFLITE) - 1)]
    # Bytes of model.tflite: the schema version, a tensor's name (then not UTF-8), a weight's buffer.
    networks += [TFLITE[:at] + b"\xff" + TFLITE[at + 1 :] for at in (60, TFLITE.index(b"Stateful"), 465)]
    for i, content in enumerate(networks):
        bundle_with_network(tmp_path / f"{i:03}", content)
    done = run_python(LOAD_ALL, tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == ["error True"] * len(networks)


def test_model_loads_without_stderr() -> None:
    """A service without standard error can load a model."""
    program = "import os, sys; os.close(2); sys.stderr = None; from genre_edge.model import Model; Model(sys.argv[1])"
    done = run_python(program + "; print('loaded')", TINY)
    assert (done.returncode, done.stdout) == (0, "loaded\n")


def test_tiny_bundle(tmp_path: Path) -> None:
    """The tests' tiny bundle is complete and small."""
    shutil.copytree(TINY, tmp_path / "copy")
    assert Model(tmp_path / "copy").bundle == Model(TINY).bundle
    assert Model(TINY).bundle.mel == MelConfig(sr=8000, n_fft=256, hop_length=128, n_mels=16)
    assert sum(path.stat().st_size for path in TINY.iterdir()) < 10_000


@pytest.mark.parametrize(("name", "normalisation"), [("live", "active_bands"), ("standard", "standard")])
def test_bundle_old_normalisation_name(tmp_path: Path, name: str, normalisation: str) -> None:
    """Bundles of version 0.1 call the normalisation "active_bands" "live"; saving writes the new name."""
    bundle = Bundle.load(edited_bundle(tmp_path / "old", lambda content: content.update(normalisation=name)))
    assert bundle.normalisation == normalisation
    bundle.save(tmp_path / "new", TFLITE, "")
    assert json.loads((tmp_path / "new" / "bundle.json").read_text())["normalisation"] == normalisation
    patch = np.random.default_rng(0).normal(-40, 10, (16, 8)).astype(np.float32)
    old, new = (Model(tmp_path / folder).probabilities(patch) for folder in ("old", "new"))
    assert np.array_equal(old, new)


def test_bundle_schema_1(tmp_path: Path) -> None:
    """A bundle of schema 1 has no styles and no sounds; saving writes schema 2."""
    added = {"styles": [], "style_threshold": 0.3, "sounds": []}

    def as_schema_1(content: dict[str, Any]) -> None:
        content.update(schema_version=1)
        for name in added:
            del content[name]

    old = edited_bundle(tmp_path / "old", as_schema_1)
    assert Model(old).bundle == Bundle.load(TINY)
    Bundle.load(old).save(tmp_path / "new", TFLITE, "")
    content = json.loads((tmp_path / "new" / "bundle.json").read_text())
    assert {"schema_version": 2} | added == {name: content[name] for name in ("schema_version", *added)}


def test_bundle_styles_and_sounds(tmp_path: Path) -> None:
    """Styles and sounds are read, count as outputs of the network and are saved unchanged."""
    bundle = Model(STYLED).bundle
    assert bundle.styles == [Style("dark"), Style("bass", "dark"), Style("bright")]
    assert bundle.sounds == ["music", "speech", "noise"]
    assert bundle.n_outputs == 3 + 3 + 3 and bundle.layout.n_probabilities == 10
    saved = json.loads((variant(tmp_path / "saved", STYLED) / "bundle.json").read_text())
    assert saved == json.loads((STYLED / "bundle.json").read_text())
    assert saved["styles"][1] == {"name": "bass", "parent": "dark"}


def test_bundle_style_parent_is_optional(tmp_path: Path) -> None:
    """A style without `parent` has none."""
    bundle = Bundle.load(edited_bundle(tmp_path / "b", lambda c: c.update(styles=[{"name": "a"}])))
    assert bundle.styles == [Style("a", None)]
