"""The golden numbers: up to date, telling, and met by every width of vector."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from genre_edge.diagnostics import golden
from genre_edge.errors import GenreEdgeError
from genre_edge.mel.spectrogram import MelSpectrogram
from genre_edge.model.bundle import installed
from genre_edge.model.prediction import Model
from tests.conftest import ROOT

GOLDEN = ROOT / "src" / "genre_edge" / "health" / "golden.json"


@pytest.mark.parametrize("lanes", [1, 4, 8])
def test_every_width_of_vector_passes(monkeypatch: pytest.MonkeyPatch, lanes: int) -> None:
    try:
        MelSpectrogram(lanes=lanes)
    except GenreEdgeError:
        pytest.skip(f"this processor has no {lanes} lanes")
    monkeypatch.setattr(golden, "MelSpectrogram", lambda config: MelSpectrogram(config, lanes=lanes))
    assert golden.mel_difference("own") <= golden.DB_LIMIT


def test_the_golden_numbers_are_what_the_tool_makes_today(tmp_path: Path) -> None:
    pytest.importorskip("librosa", reason="the golden spectrograms are librosa's")
    command = [sys.executable, str(ROOT / "tools" / "golden.py"), "--check"]
    subprocess.run([*command, str(GOLDEN)], check=True, capture_output=True)
    content = golden.numbers()
    content["db"]["own"][0][0] += 1e-3
    (tmp_path / "other.json").write_text(json.dumps(content))
    done = subprocess.run([*command, str(tmp_path / "other.json")], capture_output=True, text=True)
    assert done.returncode == 1 and "out of date" in done.stderr


def test_every_shipped_model_has_golden_numbers_that_tell_patches_apart() -> None:
    known = golden.numbers()["logits"]
    for name in installed():
        model = Model(name)
        expected = np.array(known[model.bundle.sha256])
        assert expected.shape[1] == model.bundle.n_outputs
        apart = np.abs(expected[:, None] - expected[None]).max(axis=2)
        assert apart[~np.eye(len(expected), dtype=bool)].min() > golden.STEP_LIMIT * model.logit_step
