"""The golden numbers: up to date, distinct, and reproduced by every SIMD width."""

import json
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

GOLDEN = ROOT / "src" / "genre_edge" / "diagnostics" / "golden.json"


@pytest.mark.parametrize("lanes", [1, 4, 8])
@pytest.mark.parametrize("key", golden.CONFIGS)
def test_mel_difference_all_lanes(monkeypatch: pytest.MonkeyPatch, key: str, lanes: int) -> None:
    """Every SIMD width reproduces the golden spectrograms."""
    try:
        MelSpectrogram(lanes=lanes)
    except GenreEdgeError:
        pytest.skip(f"this processor does not support {lanes} lanes")
    monkeypatch.setattr(golden, "MelSpectrogram", lambda config: MelSpectrogram(config, lanes=lanes))
    assert golden.mel_difference(key) <= golden.DB_LIMIT


@pytest.mark.slow
def test_golden_file_is_up_to_date(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`tools.golden --check` accepts the stored file, and reports a file with another number."""
    tool = pytest.importorskip("tools.golden", reason="the golden spectrograms are librosa's")
    current = tool.numbers()
    monkeypatch.setattr(tool, "numbers", lambda: current)
    monkeypatch.setattr(sys, "argv", ["golden", "--check", str(GOLDEN)])
    tool.main()
    for kind, key in (("db", "2048"), ("mfcc", "1023"), ("logits", next(iter(current["logits"])))):
        content = golden.numbers()
        content[kind][key][0][0] += 1e-3
        (tmp_path / "other.json").write_text(json.dumps(content))
        monkeypatch.setattr(sys, "argv", ["golden", "--check", str(tmp_path / "other.json")])
        with pytest.raises(SystemExit, match=r"other\.json is out of date"):
            tool.main()


def test_golden_write(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`tools.golden --write` writes the stored file's text for the stored numbers."""
    tool = pytest.importorskip("tools.golden", reason="the golden spectrograms are librosa's")
    monkeypatch.setattr(tool, "numbers", golden.numbers)
    monkeypatch.setattr(sys, "argv", ["golden", "--write", str(tmp_path / "new.json")])
    tool.main()
    assert (tmp_path / "new.json").read_text() == GOLDEN.read_text()


def test_golden_logits_distinguish_patches() -> None:
    """Every installed model has golden numbers, which differ from patch to patch with few exceptions."""
    stored = golden.numbers()["logits"]
    for name in installed():
        model = Model(name)
        expected = np.array(stored[model.bundle.sha256])
        assert expected.shape[1] == model.bundle.n_outputs
        differences = np.abs(expected[:, None] - expected[None]).max(axis=2)
        others = differences[~np.eye(len(expected), dtype=bool)]
        assert np.mean(others > golden.STEP_LIMIT * model.logit_step) > 0.95
