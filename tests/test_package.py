"""sdist and wheel: what is in them, and that they work in an empty environment."""

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT


def run(*command: object, cwd: Path | None = None) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=cwd, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(sdist, wheel): the wheel is built from the sdist."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", out, ROOT)
    return next(out.glob("*.tar.gz")), next(out.glob("*.whl"))


def test_the_sdist_has_the_sources_and_no_build_products(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[0]) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert {
        "csrc/logmel.h",
        "src/genre_edge/mel/_logmel.pyx",
        "src/genre_edge/models/edge/model.tflite",
        "demo/song.ogg",
    } <= names
    assert not [name for name in names if name.endswith((".so", ".pyc", "/_logmel.c"))]


def test_the_wheel_has_models_types_and_licence_and_no_fftw(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[1]) as archive:
        names = set(archive.namelist())
    wanted = (
        "models/edge/model.tflite",
        "models/paper/bundle.json",
        "py.typed",
        "mel/_logmel.pyi",
        "diagnostics/golden.json",
        "station/http/static/page.js",
    )
    for name in wanted:
        assert f"genre_edge/{name}" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if "fftw3" in name or name.endswith((".c", ".pyx"))]


def test_the_wheel_works_in_an_empty_environment(built: tuple[Path, Path], tmp_path: Path, song: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    program = tmp_path / "venv" / "bin"
    run(program / "pip", "install", "--quiet", built[1])
    assert str(song) in run(program / "genre-edge", "classify", song, cwd=tmp_path)
    assert "edge" in run(program / "genre-edge", "models", cwd=tmp_path)
    assert "golden" in run(program / "genre-edge", "doctor", cwd=tmp_path)
    installed = run(program / "pip", "list")
    assert "tensorflow" not in installed.lower()
