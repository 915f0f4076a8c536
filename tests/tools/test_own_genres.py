"""Own genres from end to end on short clips: tools.train_and_export --audio and tools.own_genres_study."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pytest.importorskip("sklearn", reason="training needs the extra 'train'")
from genre_edge.classify.classifier import Classifier
from genre_edge.errors import ModelError
from genre_edge.model.bundle import Bundle
from genre_edge.model.prediction import Model
from tests.conftest import ROOT, TIMEOUT_S
from tests.helpers.bundles import TINY
from tests.helpers.own_genres import RATE, TONES, clip, write_clips
from tests.helpers.training import run_main
from tools import own_genres_study, train_and_export
from tools.training import own_genres, own_genres_report
from tools.training.embedding import Embedder, Embedding
from tools.training.genre_folders import Song, SongFile, without_few_groups


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three genres of six clips, and files that cannot be used."""
    folder = write_clips(tmp_path_factory.mktemp("data") / "my_music")
    (folder / "bass" / "damaged.wav").write_text("no audio")
    soundfile.write(folder / "bass" / "silent.wav", np.zeros(2 * RATE), RATE)
    soundfile.write(folder / "bass" / "short.wav", clip(150, 9, seconds=0.1), RATE)
    shutil.copy(folder / "bass" / "0.wav", folder / "whistle" / "again.wav")
    soundfile.write(folder / "stray.wav", clip(150, 9), RATE)
    (folder / "artwork").mkdir()
    (folder / ".trash").mkdir()
    shutil.copy(folder / "bass" / "0.wav", folder / ".trash")
    return folder


@pytest.fixture(scope="module")
def made(music: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A run on the tiny network: (output directory, result)."""
    out = tmp_path_factory.mktemp("runs") / "mine"
    return out, run_main(train_and_export, "--audio", music, "--base", TINY, "--out", out)


def test_bundle_of_own_genres(made: tuple[Path, Any], music: Path) -> None:
    """The bundle names the folders' genres for new clips, and has its figures in bundle.json and card."""
    out, done = made
    assert done.code == 0, done.stderr
    classifier = Classifier(out / "bundle")
    bundle, base = classifier.bundle, Bundle.load(TINY)
    assert (bundle.name, bundle.labels, bundle.mel) == ("my_music", sorted(TONES), base.mel)
    for genre, hz in TONES.items():
        soundfile.write(out / "new.wav", clip(hz, 77), RATE)
        assert classifier.classify(out / "new.wav").genres[0].genre == genre
    metrics = bundle.metrics
    assert metrics["holdout"]["n"] == metrics["songs"] == 18 and metrics["holdout"]["accuracy"] == 1
    assert metrics["int8_agreement"] == 1 and len(metrics["fifths"]) == 5
    assert metrics["base"] == {"name": "tiny", "version": "1", "sha256": base.sha256}
    card = (out / "bundle" / "MODEL_CARD.md").read_text()
    assert bundle.sha256 in card and base.sha256 in card and str(music.parent) not in card
    assert "python -m tools.train_and_export --audio my_music --base tiny --out mine" in card


def test_report_of_own_genres(made: tuple[Path, Any]) -> None:
    """The report has accuracy, confusion matrix and a warning of few songs; all skipped files are named."""
    _, done = made
    assert done.stdout.startswith("18 tracks, accuracy 100.0 % (95 % interval 82.4 % to 100.0 %)\n")
    assert "whistle  100.0 %                0     0     6" in done.stdout
    assert "calibration error: " in done.stdout
    assert "warning: fewer than 10 songs: bass 6, voice 6, whistle 6;" in done.stdout
    skipped = [line for line in done.stderr.splitlines() if line.startswith("skipped: ")]
    expected = ["damaged.wav: ", "silent.wav: silent", "short.wav: shorter than 1 s", "again.wav: the same audio as "]
    expected += ["1 files are in no genre's folder (stray.wav ...)", "artwork: no audio files"]
    assert len(skipped) == len(expected) and all(any(text in line for line in skipped) for text in expected)


def test_second_run_replaces_bundle(made: tuple[Path, Any], music: Path) -> None:
    """The same command gives the same network; a run that is interrupted or refused leaves the bundle as it is."""
    out, _ = made
    before = (out / "bundle" / "model.tflite").read_bytes()
    assert run_main(train_and_export, "--audio", music, "--base", TINY, "--out", out, "--name", "other").code == 0
    assert (out / "bundle" / "model.tflite").read_bytes() == before
    assert Bundle.load(out / "bundle").name == "other"
    with pytest.raises(ModelError):
        own_genres.save(Bundle.load(out / "bundle"), b"damaged", "", out / "bundle")
    assert Model(out / "bundle").bundle.name == "other"
    assert [path.name for path in out.iterdir() if path.name != "new.wav"] == ["bundle"]


@pytest.mark.slow
def test_own_genres_without_tensorflow(tmp_path: Path) -> None:
    """A bundle on the shipped network keeps its styles and sounds, bit for bit; the program imports no TensorFlow."""
    program = (
        "import runpy, sys; sys.argv[0] = 'x'; runpy.run_module('tools.train_and_export', run_name='__main__');"
        "print('loaded:', {'tensorflow', 'keras'} & set(sys.modules))"
    )
    write_clips(tmp_path / "music", n=4)
    arguments = ["--audio", str(tmp_path / "music"), "--out", str(tmp_path / "out"), "--name", "own"]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S
    )
    assert done.returncode == 0 and done.stdout.endswith("loaded: set()\n"), done.stderr
    base, own = Model("edge"), Model(tmp_path / "out" / "bundle")
    assert own.bundle.not_music == base.bundle.not_music and own.bundle.name == "own"
    patch = np.random.default_rng(0).normal(-40, 15, (base.bundle.mel.n_mels, base.bundle.patch_frames))
    logits = base.logits(patch.astype(np.float32)), own.logits(patch.astype(np.float32))
    n_others = len(base.bundle.styles) + len(base.bundle.sounds)
    assert logits[1].shape == (3 + n_others,) and np.array_equal(logits[0][-n_others:], logits[1][-n_others:])


def test_embedder_sees_the_classifiers_patches(tmp_path: Path) -> None:
    """The embedder's logits are the classifier's up to half a step, for the same patches."""
    soundfile.write(tmp_path / "x.wav", np.concatenate([clip(900, 1, 1.3), np.zeros(RATE), clip(150, 2)]), RATE)
    embedder, classifier = Embedder(TINY), Classifier(TINY)
    features = embedder.embed(tmp_path / "x.wav").features
    audible = [s for s in classifier.classify(tmp_path / "x.wav", segments=True).segments if s.reason != "silence"]
    logits = own_genres.int8_logits(embedder.tflite, 3, [features])[0]
    p = np.exp(logits / embedder.bundle.temperature)
    p /= p.sum(axis=1, keepdims=True)
    assert len(p) == len(audible)
    np.testing.assert_allclose(p.max(axis=1), [s.confidence for s in audible], atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--audio", "nowhere"], "nowhere: No such file or directory"),
        (["--audio", "empty"], "empty: no audio files in folders named by genre"),
        (["--audio", "one"], "one: 'bass' is the only genre; two folders of music are the least"),
        (["--audio", "few"], "few: too few songs to learn from: bass 3, whistle 3; each genre needs at least 4"),
        (["--audio", "damaged"], "damaged: too few songs to learn from: whistle 2;"),
        (["--audio", "few", "--epochs", "3"], "--epochs needs --from-scratch"),
        (["--audio", "few", "--unlabelled", "few"], "--unlabelled needs --from-scratch"),
        (["--audio", "few", "--from-scratch"], "--from-scratch needs --architecture"),
    ],
)
def test_too_little_to_learn_from(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing folders, too few genres or songs, and wrong options end the run with one line and no bundle."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    write_clips(tmp_path / "one", 4, {"bass": 150})
    write_clips(tmp_path / "few", 3, {"bass": 150, "whistle": 3000})
    write_clips(tmp_path / "damaged", 4, {"bass": 150, "whistle": 3000})
    for i in range(2):
        (tmp_path / "damaged" / "whistle" / f"{i}.wav").write_text("no audio")
    done = run_main(train_and_export, "--base", TINY, "--out", "out", *arguments)
    assert done.code != 0 and message in done.stderr + str(done.code)
    assert not (tmp_path / "out").exists()


def test_wrong_names(tmp_path: Path) -> None:
    """A name or a base that is not allowed ends the run before any song is decoded."""
    write_clips(tmp_path / "good", 4, {"bass": 150, "whistle": 3000})
    arguments = ("--audio", tmp_path / "good", "--out", tmp_path / "out")
    with pytest.raises(ModelError, match="name must be a printable string"):
        run_main(train_and_export, *arguments, "--base", TINY, "--name", "a\nb")
    with pytest.raises(ModelError, match="no model 'nosuch'"):
        run_main(train_and_export, *arguments, "--base", "nosuch")


def test_early_features_have_small_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Own genres rely less on features with a smaller scale."""
    base, own, early = Embedder(TINY), songs({"a": 10, "b": 10}, spread=0.2), np.arange(128) % 2 == 0
    shares = []
    for scale in (own_genres.EARLY_SCALE, 1.0):
        monkeypatch.setattr(own_genres, "feature_scale", lambda others, s=scale: np.where(early, s, 1.0))
        weights = np.abs(own_genres.fit(own, ["a", "b"], base, 0).layer.weights).sum(axis=1)
        shares.append(weights[early].sum() / weights.sum())
    assert shares[0] < 0.6 * shares[1]


def test_feature_scale() -> None:
    """Features that no style and no sound depends on are those of early layers."""
    others = np.array([[1.0, 0], [0, -2], [0, 0]])
    assert own_genres.feature_scale(others).tolist() == [1, 1, own_genres.EARLY_SCALE]
    assert own_genres.feature_scale(np.empty((3, 0))).tolist() == [1, 1, 1]


def songs(counts: dict[str, int], spread: float, group: str = "", is_music: bool = True) -> list[Song]:
    """Songs with random features for the tiny network, apart by genre for a small `spread`."""
    rng, result = np.random.default_rng(0), []
    for k, (genre, n) in enumerate(counts.items()):
        for i in range(n):
            features = 0.02 * rng.integers(-60, 60, (3, 128)) * spread
            features[:, 10 * k : 10 * k + 10] += 1
            embedding = Embedding(features.astype(np.float32), 30.0, is_music or i > 0)
            result.append(Song(SongFile(Path(f"{i}.mp3"), genre, group and f"{group}{i % 2}"), embedding))
    return result


def warnings_of(own: list[Song]) -> list[str]:
    labels = sorted({song.genre for song in own})
    grouped, ungrouped = without_few_groups(own)
    return own_genres_report.warnings(own, own_genres.measure(grouped, labels, Embedder(TINY), 0), ungrouped)


def test_warnings_none_for_clear_genres() -> None:
    """Genres that are clearly apart, with enough songs, cause no warning."""
    assert warnings_of(songs({"a": 10, "b": 12, "c": 10}, spread=0.1)) == []


def test_warnings_name_their_cause() -> None:
    """Guessing, genres that are not told apart, few songs, few albums and songs that are no music are warned of."""
    twins = enumerate(songs({"a": 10, "b": 10}, spread=0.1))
    guessing = warnings_of([Song(SongFile(s.file.path, "xy"[i % 2]), s.embedding) for i, s in twins])
    assert guessing[0].startswith("no better than guessing: ")
    assert any(line.startswith("x and y are not told apart; consider one folder for both: ") for line in guessing)
    (few,) = warnings_of(songs({"a": 10, "b": 9}, spread=0.1))
    assert few.startswith("fewer than 10 songs: b 9;")
    (albums,) = warnings_of(songs({"a": 10, "b": 10}, spread=0.1, group="album"))
    assert albums.startswith("too few albums to hold out whole ones: a, b;")
    (not_music,) = warnings_of(songs({"a": 10, "b": 10}, spread=0.1, is_music=False))
    assert not_music.endswith(": a/0.mp3, b/0.mp3")


def test_threshold_is_above_a_guess() -> None:
    """A confidence that two genres always reach does not name one of them."""
    assert [own_genres.threshold(n) for n in (2, 3, 4, 10)] == [0.6, 0.4, 0.33, 0.33]


def test_study(music: Path, tmp_path: Path) -> None:
    """The study prints a table, of genre folders and of a table's tracks, whose groups it does not divide."""
    done = run_main(own_genres_study, "--base", TINY, "--audio", music, "--per-genre", 3, "--divisions", 2)
    assert done.code == 0, done.stderr
    assert done.stdout.splitlines()[2].startswith("| tiny 1 | 3 | 10 | 8 | 2 | 100.0 % | 0.0 | 100.0 % | 100.0 % |")
    lines = ["row,track,genre,split,artist_group,audio"]
    for k, genre in enumerate(("bass", "whistle")):
        lines += [
            f"{6 * k + i},t{i},{genre},{'test' if i == 5 else 'train'},g{i // 2},{genre}/{i}.wav" for i in range(6)
        ]
    (tmp_path / "tracks.csv").write_text("\n".join(lines))
    table = ("--tracks", tmp_path / "tracks.csv", "--split", "train", "--divisions", 1)
    done = run_main(own_genres_study, "--base", TINY, "--audio", music, *table)
    assert done.code == 0, done.stderr
    assert done.stdout.splitlines()[2].startswith("| tiny 1 | 2 | 6 | 4 | 1 | ")


def test_study_does_not_divide_groups() -> None:
    """An artist's songs are either learnt from or tested on, about half of the songs each."""
    own = songs({"a": 10, "b": 30}, spread=0.1)
    own = [Song(SongFile(s.file.path, s.genre, f"artist {i // 3}"), s.embedding) for i, s in enumerate(own)]
    own = [Song(SongFile(Path(f"{i}.mp3"), s.genre, s.group), s.embedding) for i, s in enumerate(own)]
    for seed in range(5):
        train, test = own_genres_study.divide(own, None, seed)
        assert len(train) + len(test) == 40 and 15 <= len(train) <= 25
        assert not {(s.genre, s.group) for s in train} & {(s.genre, s.group) for s in test}


def test_metrics_are_json(made: tuple[Path, Any]) -> None:
    """All metrics are plain numbers and texts."""
    assert json.loads((made[0] / "bundle" / "bundle.json").read_text())["metrics"]["warnings"]
