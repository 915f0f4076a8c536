"""The package's public names, its fast import, and the deprecated module paths."""

import importlib
import subprocess
import sys

import pytest

import genre_edge
from genre_edge import _deprecated
from tests.conftest import TIMEOUT_S


def in_new_process(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=TIMEOUT_S, check=True
    )
    return done.stdout.strip()


def test_dir_lists_public_names() -> None:
    """`dir(genre_edge)` lists the public names before they are loaded."""
    program = "import genre_edge; print(set(genre_edge.__all__) <= set(dir(genre_edge)))"
    assert in_new_process(program) == "True"


@pytest.mark.parametrize("name", genre_edge.__all__)
def test_public_name_is_importable(name: str) -> None:
    """Each public name is an object of the package with that name."""
    value = getattr(genre_edge, name)
    assert value.__name__ == name and value.__module__.startswith("genre_edge.")


def test_unknown_name_raises() -> None:
    """An unknown name is an AttributeError."""
    with pytest.raises(AttributeError, match="module 'genre_edge' has no attribute 'nonsense'"):
        _ = genre_edge.nonsense  # type: ignore[attr-defined]


def test_import_loads_no_numpy() -> None:
    """`import genre_edge` loads no numerical package and no command line."""
    program = "import sys, genre_edge; print(sorted({'numpy', 'soundfile', 'genre_edge.cli'} & set(sys.modules)))"
    assert in_new_process(program) == "[]"


@pytest.mark.parametrize(("old", "new"), _deprecated._RENAMED.items())
def test_deprecated_module_warns(monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    """A module path of version 0.1 emits a DeprecationWarning, and has the same objects as the new module."""
    monkeypatch.delitem(sys.modules, old, raising=False)
    with pytest.warns(DeprecationWarning, match=f"^{old} is deprecated, import {new}$") as warnings:
        alias = importlib.import_module(old)
    module = importlib.import_module(new)
    names = [name for name in vars(module) if not name.startswith("__")]
    assert len(warnings) == 1 and len(names) > 1
    assert all(getattr(alias, name) is getattr(module, name) for name in names)


@pytest.mark.slow
@pytest.mark.parametrize(
    "statement",
    [
        "from genre_edge.classifier import Classifier",
        "from genre_edge.features import mfcc",
        "import genre_edge.mel_config; genre_edge.mel_config.MelConfig",
        "from genre_edge.audio.block import Block, Source",
        "from genre_edge.mel import Frames, MelSpectrogram, MelStream",
        "from genre_edge.model import Bundle, Model",
        "from genre_edge.verdict import Segment",
    ],
)
def test_old_import_works_in_new_process(statement: str) -> None:
    """Imports of version 0.1 work."""
    assert in_new_process(f"{statement}; print('imported')") == "imported"


def test_import_loads_no_deprecated_module() -> None:
    """The new code imports no deprecated module."""
    program = "import warnings; warnings.simplefilter('error'); import genre_edge.cli, genre_edge.classify.classifier"
    assert in_new_process(program + "; print('no warning')") == "no warning"
