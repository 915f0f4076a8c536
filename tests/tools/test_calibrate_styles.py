"""tools/calibrate_styles.py: the styles change, all other outputs keep their bits."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("sklearn", reason="training needs the extra 'train'")
from genre_edge.model.bundle import MODELS, Bundle
from tests.helpers.audio import tone
from tests.helpers.bundles import variant
from tests.helpers.training import run_main
from tools import calibrate_styles
from tools.training import tflite_head
from tools.training.distillation.style_calibration import METRIC
from tools.training.embedding import Embedder
from tools.training.genre_folders import GenreFolders, Song

RATE = 16000
TONES = {"jazz": 300, "metal": 3000}  # Hz
N = {"train": 5, "valid": 2}  # tracks of each genre
NAMES = ("measured", "bundle")
CARD = "```sh\npython -m tools.train_and_export --out nano\n```\n"


def write_tracks(folder: Path, valid_hz: int = 0) -> None:
    """Write tones and their table; the tones of split valid are higher by `valid_hz`."""
    folder.mkdir(exist_ok=True)
    with (folder / "tracks.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["row", "track", "genre", "split", "artist_group", "audio"])
        for split, n in N.items():
            for genre, hz in TONES.items():
                for i in range(n):
                    name = f"{genre}-{split}-{i}.wav"
                    shift = 40 * i + (20 + valid_hz) * (split == "valid")
                    soundfile.write(folder / name, tone(hz + shift, 5, RATE), RATE)
                    table.writerow([0, name, genre, split, "", name])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tracks and two bundles that belong together: the network of nano without an earlier calibration."""
    folder = tmp_path_factory.mktemp("styles")
    write_tracks(folder)
    metrics = Bundle.load(MODELS / "nano").metrics
    own = {key: value for key, value in metrics.items() if key not in (METRIC, "refitted")}
    measured = variant(folder / "measured", MODELS / "nano", metrics=own)
    refitted = {key: value for key, value in metrics["refitted"].items() if key != METRIC}
    together = own | {"refitted": refitted, "measured_sha256": Bundle.load(measured).sha256}
    bundle = variant(folder / "bundle", MODELS / "nano", metrics=together)
    for path in (measured, bundle):
        (path / "MODEL_CARD.md").write_text(CARD)
    return folder


def calibrate(audio: Path, bundles: Path, out: Path) -> tuple[int, str]:
    """Run the program; return its exit code and what it printed."""
    arguments = [part for name in NAMES for part in (f"--{name}", bundles / name)]
    arguments += ["--audio", audio, "--tracks", audio / "tracks.csv", "--bundle-version", "new", "--out", out]
    done = run_main(calibrate_styles, *arguments)
    return done.code, done.stdout + done.stderr


@pytest.fixture(scope="module")
def out(data: Path) -> Path:
    """The program's output."""
    code, text = calibrate(data, data, data / "out")
    assert code == 0 and text.count("calibration error of the styles on folds 0.") == 2, text
    return data / "out"


def layer(bundle: Path) -> tflite_head.LastLayer:
    return tflite_head.last_layer((bundle / "model.tflite").read_bytes())


@pytest.mark.parametrize("name", NAMES)
def test_only_styles_change(data: Path, out: Path, name: str) -> None:
    """All outputs but the styles keep their weights, and the layers below give the same features."""
    before, after = layer(data / name), layer(out / name)
    is_style = np.zeros(len(before.bias), dtype=bool)
    is_style[Bundle.load(out / name).layout.styles] = True
    assert (before.features, before.outputs) == (after.features, after.outputs)
    for old, new in ((before.weights, after.weights), (before.bias, after.bias)):
        assert np.array_equal(old[..., ~is_style], new[..., ~is_style])
        assert not np.array_equal(old[..., is_style], new[..., is_style])
    assert not np.array_equal(layer(out / "measured").bias, layer(out / "bundle").bias)
    song = data / "jazz-train-0.wav"
    assert np.array_equal(*(Embedder(folder / name).embed(song).features for folder in (data, out)))


def test_metrics_and_card_name_the_calibration(out: Path) -> None:
    """The measured bundle keeps its other metrics, the final one refers to it, and both cards have all commands."""
    measured, bundle = (Bundle.load(out / name) for name in NAMES)
    assert measured.version == bundle.version == "new" and bundle.metrics["measured_sha256"] == measured.sha256
    assert METRIC in measured.metrics and METRIC in bundle.metrics["refitted"] and "refitted" not in measured.metrics
    assert measured.metrics["holdout"] == Bundle.load(MODELS / "nano").metrics["holdout"]
    training = "\npython -m tools.train_and_export --out nano\n"
    for one in (measured, bundle):
        card = (out / ("bundle" if one is bundle else "measured") / "MODEL_CARD.md").read_text()
        assert card.startswith("# nano new\n") and one.sha256 in card and "The styles were calibrated again" in card
        assert f"{training}python -m tools.calibrate_styles --measured measured --bundle bundle --audio " in card
        assert str(out.parent) not in card


def test_measured_bundle_does_not_know_the_holdout(data: Path, out: Path, tmp_path: Path) -> None:
    """Other audio of the holdout changes the final bundle, but not the measured one."""
    write_tracks(tmp_path / "other", valid_hz=500)
    code, text = calibrate(tmp_path / "other", data, tmp_path / "out")
    assert code == 0, text
    same = [np.array_equal(layer(out / name).bias, layer(tmp_path / "out" / name).bias) for name in NAMES]
    assert same == [True, False]


def test_calibrate_again_begins_without_the_first(data: Path, out: Path, tmp_path: Path) -> None:
    """A calibration of calibrated bundles has the same result."""
    code, text = calibrate(data, out, tmp_path)
    assert code == 0, text
    for name in NAMES:
        first, second = layer(out / name), layer(tmp_path / name)
        np.testing.assert_allclose(second.weights, first.weights, rtol=1e-4)
        np.testing.assert_allclose(second.bias, first.bias, rtol=1e-4, atol=1e-4)


def expect_refusal(audio: Path, bundles: Path, message: str) -> None:
    """Check that the program ends with a message and writes nothing."""
    code, text = calibrate(audio, bundles, bundles / "refused")
    assert code == 1 and message in text and not (bundles / "refused").exists()


def test_bundles_must_belong_together(data: Path, tmp_path: Path) -> None:
    """A final bundle of another measured one is refused, and so are other styles than the distilled networks'."""
    for name in NAMES:
        shutil.copytree(data / "measured", tmp_path / name)
    expect_refusal(data, tmp_path, "nano 11 was not measured with nano 11")
    bundle = Bundle.load(data / "measured")
    swapped = [*bundle.styles[1:], bundle.styles[0]]
    with pytest.raises(SystemExit, match="has no styles that can be calibrated"):
        calibrate_styles.check(replace(bundle, styles=swapped), bundle)


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (None, "MODEL_CARD.md: [Errno 2]"),
        (b"# nano", "MODEL_CARD.md: the command that trained the bundle is missing"),
        (b"\xff", "MODEL_CARD.md: 'utf-8' codec"),
    ],
)
def test_card_must_have_the_command(data: Path, tmp_path: Path, card: bytes | None, message: str) -> None:
    """A card that cannot be read, or has no training command, ends the program before the work."""
    for name in NAMES:
        shutil.copytree(data / name, tmp_path / name)
    path = tmp_path / "bundle" / "MODEL_CARD.md"
    path.unlink()
    if card is not None:
        path.write_bytes(card)
    expect_refusal(data, tmp_path, message)


def test_tracks_need_two_genres_that_are_styles(data: Path, tmp_path: Path) -> None:
    """Genres that are no styles cannot calibrate any, and a split without tracks is named."""
    songs = GenreFolders.of_table(data, data / "tracks.csv", ["valid"]).files
    embedder = Embedder(data / "measured")
    named = [Song(replace(file, genre="polka"), embedder.embed(file.path)) for file in songs]
    with pytest.raises(SystemExit, match="fewer than two genres"):
        calibrate_styles.Calibrated.of(embedder, named)
    table = (data / "tracks.csv").read_text().replace("valid", "other")
    for name in NAMES:
        shutil.copytree(data / name, tmp_path / name)
    (tmp_path / "tracks.csv").write_text(table)
    expect_refusal(tmp_path, tmp_path, "no tracks of split 'valid'")
