"""tools/calibrate_styles.py: the styles change, all other outputs keep their bits."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("sklearn", reason="training needs the extra 'train'")
from genre_edge.model.bundle import MODELS, Bundle
from tests.helpers.audio import tone
from tests.helpers.bundles import TINY, variant
from tests.helpers.training import run_main
from tools import calibrate_styles
from tools.training import tflite_head
from tools.training.distillation.style_calibration import METRIC
from tools.training.embedding import Embedder

RATE = 16000
SPLITS = {"train": 5, "valid": 2}  # tracks of each genre


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table of tones, low for jazz and high for metal, and with two bundles that belong together."""
    folder = tmp_path_factory.mktemp("styles")
    with (folder / "tracks.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["row", "track", "genre", "split", "artist_group", "audio"])
        for genre, hz in (("jazz", 300), ("metal", 3000)):
            for split, n in SPLITS.items():
                for i in range(n):
                    name = f"{genre}-{split}-{i}.wav"
                    soundfile.write(folder / name, tone(hz + 40 * i + 10 * n, 5, RATE), RATE)
                    table.writerow([0, name, genre, split, "", name])
    metrics = Bundle.load(MODELS / "nano").metrics
    without = {key: value for key, value in metrics.items() if key != "refitted"}
    measured = variant(folder / "measured", MODELS / "nano", metrics=without)
    together = metrics | {"measured_sha256": Bundle.load(measured).sha256}
    bundle = variant(folder / "bundle", MODELS / "nano", metrics=together)
    for path in (measured, bundle):
        (path / "MODEL_CARD.md").write_text("```sh\npython -m tools.train_and_export --out nano\n```\n")
    return folder


def calibrate(data: Path, **changes: str) -> tuple[int | None, str]:
    """Run the program with the data's arguments; return its exit code and what it printed."""
    named = {"measured": "measured", "bundle": "bundle", "tracks": "tracks.csv", "out": "out"} | changes
    paths = {f"--{name}": str(data / value) for name, value in named.items()}
    arguments = [part for pair in paths.items() for part in pair]
    done = run_main(calibrate_styles, *arguments, "--audio", data, "--bundle-version", "new")
    return done.code, done.stdout + done.stderr


def test_calibrate_styles(data: Path) -> None:
    """Only styles change; metrics and card say so; a second calibration begins without the first."""
    code, text = calibrate(data)
    assert code == 0, text
    for name, base in (("measured", "measured"), ("bundle", "bundle")):
        old, new = ((path / "model.tflite").read_bytes() for path in (data / base, data / "out" / name))
        layers, part = (
            [tflite_head.last_layer(content) for content in (old, new)],
            Bundle.load(data / base).layout.styles,
        )
        is_style = np.arange(len(layers[0].bias)) == np.clip(np.arange(len(layers[0].bias)), part.start, part.stop - 1)
        assert layers[0].outputs == layers[1].outputs
        for before, after in ((layers[0].weights, layers[1].weights), (layers[0].bias, layers[1].bias)):
            assert np.array_equal(before[..., ~is_style], after[..., ~is_style])
            assert not np.array_equal(before[..., is_style], after[..., is_style])
        features = [
            Embedder(path).embed(data / "jazz-train-0.wav").features for path in (data / base, data / "out" / name)
        ]
        assert np.array_equal(*features)
    measured, bundle = (Bundle.load(data / "out" / name) for name in ("measured", "bundle"))
    assert measured.version == bundle.version == "new" and bundle.metrics["measured_sha256"] == measured.sha256
    assert METRIC in measured.metrics and METRIC in bundle.metrics["refitted"] and "refitted" not in measured.metrics
    assert measured.metrics["holdout"] == Bundle.load(MODELS / "nano").metrics["holdout"]
    card = (data / "out" / "bundle" / "MODEL_CARD.md").read_text()
    assert card.startswith("# nano new\n") and bundle.sha256 in card and str(data) not in card
    assert (
        "\npython -m tools.train_and_export --out nano\npython -m tools.calibrate_styles --measured measured " in card
    )
    assert "The styles were calibrated again" in card

    code, text = calibrate(data, measured="out/measured", bundle="out/bundle", out="again")
    assert code == 0, text
    for name in ("measured", "bundle"):
        first, second = (
            tflite_head.last_layer((data / out / name / "model.tflite").read_bytes()) for out in ("out", "again")
        )
        np.testing.assert_allclose(second.weights, first.weights, rtol=1e-4)
        np.testing.assert_allclose(second.bias, first.bias, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bundle": "measured"}, "was not measured with nano"),
        ({"tracks": "none.csv"}, "none.csv: "),
    ],
)
def test_calibrate_styles_checks_inputs(data: Path, changes: dict[str, str], message: str) -> None:
    """Bundles that do not belong together and missing files are refused; nothing is written."""
    code, text = calibrate(data, **changes, out="refused")
    assert code == 1 and message in text and not (data / "refused").exists()


def test_calibrate_styles_needs_styles_and_card(data: Path, tmp_path: Path) -> None:
    """A network without the distilled networks' styles, and a card without a command, are refused."""
    tiny = Bundle.load(TINY)
    with pytest.raises(SystemExit, match="tiny 1 has no styles"):
        calibrate_styles.check(tiny, Bundle.load(variant(tmp_path, TINY, metrics={"measured_sha256": tiny.sha256})))
    (tmp_path / "MODEL_CARD.md").write_text("none")
    with pytest.raises(SystemExit, match="the command that trained the bundle is missing"):
        calibrate_styles.training_command(tmp_path / "MODEL_CARD.md")
