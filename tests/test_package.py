"""The sdist and the wheel: their content, and the wheel in a new environment."""

import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.native


def run(*command: object, cwd: Path | None = None) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, command)), env=environment, capture_output=True, text=True, cwd=cwd, timeout=1800
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Build the sdist, and the wheel from it; return both paths."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", out, ROOT)
    return next(out.glob("*.tar.gz")), next(out.glob("*.whl"))


def test_sdist_content(distributions: tuple[Path, Path]) -> None:
    """The sdist has the sources and no build products."""
    with tarfile.open(distributions[0]) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert {
        "csrc/logmel.h",
        "src/genre_edge/mel/_logmel.pyx",
        "src/genre_edge/models/edge/model.tflite",
        "demo/song.ogg",
    } <= names
    assert not [name for name in names if name.endswith((".so", ".pyc", "/_logmel.c"))]


def test_wheel_content(distributions: tuple[Path, Path]) -> None:
    """The wheel has models, type information and licence, but no FFTW and no sources."""
    with zipfile.ZipFile(distributions[1]) as archive:
        names = set(archive.namelist())
    expected = (
        "models/edge/model.tflite",
        "models/nano/model.tflite",
        "models/paper/bundle.json",
        "py.typed",
        "mel/_logmel.pyi",
        "diagnostics/golden.json",
        "station/http/openapi.json",
        "station/http/static/page.js",
    )
    for name in expected:
        assert f"genre_edge/{name}" in names
    for unit in ("genre-edge.service", "genre-edge-scan.service", "genre-edge-scan.timer"):
        assert any(name.endswith(f".data/data/share/genre-edge/{unit}") for name in names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if "fftw3" in name or name.endswith((".c", ".pyx"))]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the wheel is for this version of Python only")
def test_wheel_is_abi3(distributions: tuple[Path, Path]) -> None:
    """The wheel serves Python 3.12 and all later versions: it uses nothing but the limited API."""
    assert "-cp312-abi3-" in distributions[1].name
    done = run(sys.executable, "-m", "abi3audit", "--strict", "--report", distributions[1])
    (wheel,) = json.loads(done)["specs"].values()
    (extension,) = [part["result"] for part in wheel["wheel"]]
    assert extension["is_abi3"] and extension["is_abi3_baseline_compatible"] and not extension["non_abi3_symbols"]


def test_wheel_in_new_environment(distributions: tuple[Path, Path], tmp_path: Path, song: Path) -> None:
    """The installed wheel classifies, lists models and passes its checks, without TensorFlow."""
    venv.create(tmp_path / "venv", with_pip=True)
    program = tmp_path / "venv" / "bin"
    run(program / "pip", "install", "--quiet", distributions[1])
    assert str(song) in run(program / "genre-edge", "classify", song, cwd=tmp_path)
    assert "edge" in run(program / "genre-edge", "models", cwd=tmp_path)
    assert "golden" in run(program / "genre-edge", "doctor", cwd=tmp_path)
    installed = run(program / "pip", "list")
    assert "tensorflow" not in installed.lower()
