"""tools.paper: features against librosa and naive versions, methods on easily separable synthetic genres."""

import linecache
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile

pytest.importorskip("sklearn", reason="the study needs the extra 'train'")
from genre_edge.mel.spectrogram import MelSpectrogram
from tools.paper import analysis, audio_selection, charts, features, figures, intervals, protocols, results
from tools.paper.methods import METHODS, Method
from tools.paper.networks import PAPER, networks, paper, paper_curves, paper_dropout
from tools.training import data
from tools.training.data import Track

pytestmark = pytest.mark.train
SUFFICIENT_EPOCHS = 15  # for the synthetic genres
METHODS_AND_NETWORKS = METHODS + networks(SUFFICIENT_EPOCHS)


def some_frames(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(-40, 15, (128, n)).astype(np.float32)


def test_mfcc_matches_librosa() -> None:
    frames = some_frames(50)
    np.testing.assert_allclose(features.mfcc(frames), librosa.feature.mfcc(S=frames, n_mfcc=20), rtol=1e-4, atol=1e-3)


def test_energy_matches_naive_version() -> None:
    frames = some_frames(7)
    naive = [10 * np.log10(np.mean([10 ** (float(v) / 10) for v in column])) for column in frames.T]
    np.testing.assert_allclose(features.energy(frames)[0], naive, rtol=1e-5)


def test_statistics_match_naive_version() -> None:
    x = np.random.default_rng(1).normal(size=(3, 9))
    naive = []
    for rows in ([list(row) for row in x], [[b - a for a, b in pairwise(row)] for row in x]):
        means = [sum(row) / len(row) for row in rows]
        naive += means
        naive += [(sum((v - m) ** 2 for v in row) / len(row)) ** 0.5 for row, m in zip(rows, means, strict=True)]
    np.testing.assert_allclose(features.statistics(x), naive, rtol=1e-12)


@pytest.mark.parametrize("n", [13, 14, 40])
def test_seconds_match_naive_version(n: int) -> None:
    """The functionals of each second equal those computed one by one."""
    x = np.random.default_rng(2).normal(size=(2, n))
    functionals = features.seconds(x)
    assert functionals.shape == (n // 13, 12)
    for second, row in enumerate(functionals):
        parts = x[:, 13 * second : 13 * second + 13]
        naive = [part.mean() for part in parts] + [part.std() for part in parts]
        naive += [np.polyfit(np.arange(13), part, 1)[0] for part in parts]
        naive += [np.percentile(part, q) for q in (10, 50, 90) for part in parts]
        np.testing.assert_allclose(row, naive, rtol=1e-9)


def test_seconds_of_too_few_frames_raise_value_error() -> None:
    with pytest.raises(ValueError, match="12 frames are less than a second"):
        features.seconds(np.zeros((2, 12)))


def genre(c: int, seed: int) -> np.ndarray:
    """Return frames of class `c`: bands louder than in other classes, with a modulation of their own."""
    frames = some_frames(60, seed)
    frames[40 * c : 40 * c + 40] += 25 + 10 * np.sin(np.arange(60) * (0.3 + c))
    return frames


CLASSES = np.tile([0, 1, 2], 12)


@pytest.mark.parametrize("method", METHODS_AND_NETWORKS, ids=[method.name for method in METHODS_AND_NETWORKS])
def test_method_separates_genres(method: Method) -> None:
    """Each method classifies separable synthetic genres without errors."""
    tracks = [genre(c, i) for i, c in enumerate(CLASSES)]
    predictor = method.fit(tracks[:24], CLASSES[:24], 0)
    assert predictor(tracks[24:]).tolist() == CLASSES[24:].tolist()


QUICK_METHODS = METHODS + networks(1)


@pytest.fixture
def eager() -> Iterator[None]:
    """Run TensorFlow eagerly: for a few steps, tracing graphs takes longer than running them."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.filterwarnings("ignore:Even though the:UserWarning")
@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("method", QUICK_METHODS, ids=[method.name for method in QUICK_METHODS])
def test_method_is_deterministic(method: Method) -> None:
    """Two fits with one seed predict the same known classes, also for noise."""
    tracks = [genre(c, i) for i, c in enumerate(CLASSES[:24])]
    noise = [some_frames(60, 100 + i) for i in range(8)]
    first, second = (method.fit(tracks, CLASSES[:24], 0)(noise) for _ in range(2))
    assert np.array_equal(first, second)
    assert set(first) <= {0, 1, 2}


def some_track(genre: str, split: str, group: str, seed: int = 0) -> Track:
    return Track(f"{genre}.{seed}", genre, split, some_frames(20, seed), group)


def test_splits_separate_tracks_and_artists() -> None:
    """No track is in both parts of a split; under `artists`, no artist is either."""
    tracks = [
        some_track(genre, split, f"{genre}{i % 7}" if i % 3 else "", 100 * j + i)
        for j, genre in enumerate(("jazz", "pop"))
        for i, split in enumerate(["train"] * 14 + ["valid"] * 6 + ["excluded"] * 4)
    ]
    all_splits = list(protocols.splits(tracks, 5))
    assert [split.name for split in all_splits] == [f"{p}-{i}" for p in protocols.PROTOCOLS for i in range(5)]
    for split in all_splits:
        train, test = ({track.name for track in part} for part in (split.train, split.test))
        assert test and not train & test
        assert len(train | test) == {"random": 48}.get(split.protocol, 40)
        if split.protocol == "artists":
            assert not {t.group for t in split.train if t.group} & {t.group for t in split.test if t.group}
        if split.protocol == "filtered":
            assert {t.split for t in split.train} == {"train"} and {t.split for t in split.test} == {"valid"}
    artists = [t.name for split in all_splits if split.protocol == "artists" for t in split.test]
    assert sorted(artists) == sorted(t.name for t in tracks if t.split != "excluded")


def test_result_cache_recomputes_stale_and_damaged_entries(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another identity and damaged JSON are computed again; a damaged entry is reported."""
    cache = results.ResultCache(tmp_path)
    assert cache.get("a", ["x"], lambda: 1) == 1
    assert cache.get("a", ["x"], lambda: 2) == 1
    assert cache.get("a", ["y"], lambda: 3) == 3
    (tmp_path / "a.json").write_text('{"identity": ')
    assert cache.get("a", ["y"], lambda: 4) == 4
    assert "damaged" in capsys.readouterr().err


def test_measure_recomputes_after_code_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cached result is stale after a change of the method's source."""
    (tmp_path / "code").mkdir()
    monkeypatch.syspath_prepend(tmp_path / "code")
    path = tmp_path / "code" / "some_method.py"
    path.write_text("def fit(tracks, classes, seed):\n    return lambda others: [0] * len(others)\n")
    import some_method

    split = protocols.Split("random", 0, [some_track("jazz", "", "a")], [some_track("pop", "", "b", 1)])
    cache = results.ResultCache(tmp_path / "cache")
    method = Method("m", "", "", some_method.fit)
    assert results.measure(cache, "data", method, split).predicted == ["jazz"]
    calls: list[int] = []
    result = results.Result("", 0, 1.0, [], [], [])
    monkeypatch.setattr(results, "_train_and_test", lambda *arguments: calls.append(1) or result)
    results.measure(cache, "data", method, split)
    assert not calls
    path.write_text(path.read_text() + "# changed\n")
    linecache.checkcache()
    results.measure(cache, "data", method, split)
    assert calls


def test_confusion_summaries() -> None:
    """Largest confusions, lowest recall and errors within families of a known table."""
    labels = ["blues", "jazz", "rock"]
    table = np.array([[6, 0, 4], [1, 9, 0], [2, 0, 8]])
    assert analysis.most_confused(table, labels, 2) == [("blues", "rock", 0.4), ("rock", "blues", 0.2)]
    assert analysis.lowest_recall(table, labels, 1) == [("blues", 0.6)]
    share, chance = analysis.within_families(table, labels)
    assert share == pytest.approx(6 / 7) and chance == pytest.approx((4 * 0.5 + 2 * 0.5) / 7)


def test_leaks_group_tracks_by_relation_to_training_set() -> None:
    """Tracks are faulty, by a known training artist, by another artist, or by an unknown one."""
    train = [some_track("jazz", "train", "miles")]
    test = [
        some_track("jazz", "valid", "miles"),
        some_track("jazz", "valid", "ella"),
        some_track("pop", "valid", "abba"),
        some_track("pop", "excluded", "miles"),
        some_track("pop", "valid", ""),
    ]
    predicted = ["jazz", "pop", "jazz", "pop", "jazz"]
    result = results.Result("random", 0, 1.0, [t.genre for t in test], list("aabcd"), predicted)
    leaks = analysis.leaks([(protocols.Split("random", 0, train, test), result)])
    assert [(x.kind, x.tracks, x.correct, x.gap and x.gap.value) for x in leaks] == [
        (analysis.FAULTY, 1, 1.0, 1.0),
        (analysis.SAME, 1, 1.0, 1.0),
        (analysis.OTHER, 2, 0.0, None),
        (analysis.UNKNOWN, 1, 0.0, 0.0),
    ]


def test_measure_stores_artists(tmp_path: Path) -> None:
    """A track without an artist counts as an artist of its own."""
    tracks = [some_track(genre, "", group, i) for i, (genre, group) in enumerate([("a", "x"), ("b", ""), ("b", "x")])]
    split = protocols.Split("random", 0, tracks, tracks)
    method = Method("m", "", "", lambda tracks, classes, seed: lambda others: np.zeros(len(others), dtype=int))
    result = results.measure(results.ResultCache(tmp_path), "", method, split)
    assert result.artists == ["x", "alone b/b.1", "x"] and result.predicted == ["a"] * 3


def test_describe_faults() -> None:
    """Only genres with known faults are listed."""
    assert analysis.describe_faults(("jazz", "pop"), {"jazz": 13, "metal": 9}) == "known faults: jazz 13"
    assert analysis.describe_faults(("blues", "rock"), {"jazz": 13}) == "no known faults"


def test_paper_curves_match_published_epochs() -> None:
    """Curves cover all epochs; the predictions are those of the network after the published number of epochs."""
    tracks = [Track(str(i), str(c), "", genre(c, i)) for i, c in enumerate((0, 1, 2) * 4)]
    noise = [Track(str(i), str(i % 3), "", some_frames(60, 100 + i)) for i in range(8)]  # hard to classify
    curves, train, test = paper_curves(protocols.Split("random", 3, tracks, noise), 1, 2)
    assert {key: len(values) for key, values in curves.items()} == dict.fromkeys(
        ("accuracy", "loss", "val_accuracy", "val_loss"), 2
    )
    predict = paper(PAPER, 1).fit([t.frames for t in tracks], np.array([0, 1, 2] * 4), 3)
    assert predict([t.frames for t in tracks]).tolist() == train.tolist()
    assert predict([t.frames for t in noise]).tolist() == test.tolist()


def test_paper_dropout_reads_network() -> None:
    """The rate is that of the network's dropout layer."""
    assert paper_dropout() == 0.25


def test_long_tracks_have_equal_duration_and_bandwidth(tmp_path: Path) -> None:
    """Tracks are cut to 29 s and to bands below 7 kHz; shorter ones are omitted."""
    rng = np.random.default_rng(0)
    for name, rate, seconds in (("a", 22050, 31), ("b", 16000, 29.5), ("c", 22050, 20)):
        for folder in ("jazz", "pop"):
            (tmp_path / folder).mkdir(exist_ok=True)
            soundfile.write(tmp_path / folder / f"{name}.wav", 0.1 * rng.standard_normal(int(seconds * rate)), rate)
    known = [some_track("jazz", "train", "miles")]
    known[0] = replace(known[0], name="a")
    by_architecture = audio_selection.long_tracks(tmp_path, ("paper", "paper660"), ["jazz", "pop"], known)
    for tracks in by_architecture.values():
        assert [(t.genre, t.name, t.group) for t in tracks] == [
            ("jazz", "a", "miles"), ("jazz", "b", ""), ("pop", "a", ""), ("pop", "b", "")
        ]  # fmt: skip
        shapes = {t.frames.shape for t in tracks}
        assert len(shapes) == 1 and shapes.pop()[0] < 128
        # No band reveals the lower sample rate.
        levels = {t.name: t.frames.mean(axis=1) - t.frames.mean() for t in tracks if t.genre == "jazz"}
        assert np.abs(levels["a"] - levels["b"]).max() < 1.0
    frames = [tracks[0].frames.shape[1] for tracks in by_architecture.values()]
    assert frames == [374, 638]
    with pytest.raises(SystemExit, match="fewer than two readable tracks of 29 s in a folder 'rock'"):
        audio_selection.long_tracks(tmp_path, ("paper",), ["jazz", "rock"], known)


@pytest.mark.parametrize(
    ("artists", "reason"),
    [
        (("a",) * 6, "too few tracks or artists of genre 'jazz': artists-0 has no training track"),
        (tuple("abcabc"), "too few tracks or artists: artists-3 has no test track"),
    ],
)
def test_check_splits_rejects_empty_sets(artists: tuple[str, ...], reason: str) -> None:
    """A split without training tracks of a genre, or without test tracks, is refused."""
    tracks = [
        some_track(genre, "valid" if i < 2 else "train", genre + artist, 100 * k + i)
        for k, genre in enumerate(("jazz", "pop"))
        for i, artist in enumerate(artists)
    ]
    with pytest.raises(SystemExit, match=f"x: {reason}"):
        protocols.check_splits(list(protocols.splits(tracks, 5)), "x")


def test_figures_have_labels_and_work_in_greyscale(tmp_path: Path, song_samples: np.ndarray) -> None:
    """Protocols differ in hatch and marker, not only in colour."""
    tracks = [some_track(genre, "train", "", i) for i, genre in enumerate(("jazz", "pop"))]
    figures.genres(tracks, ["jazz", "pop"], tmp_path / "genres.svg")
    drawn = (tmp_path / "genres.svg").read_text()
    assert "% of frames (square-root scale)" in drawn and "distribution of levels by mel band" in drawn
    rows = {"m": {p: intervals.Summary(0.5, 0.1, 0.4, 0.6, 1.0) for p in protocols.PROTOCOLS}}
    charts.methods(rows, tmp_path / "methods.svg")
    assert (tmp_path / "methods.svg").read_text().count("<pattern") == len(protocols.PROTOCOLS) - 1
    history = {key: [0.5, 0.6, 0.7] for key in ("accuracy", "loss", "val_accuracy", "val_loss")}
    charts.curves({"random": history, "filtered": history}, 2, tmp_path / "curves.svg")
    assert charts.MARKERS["random"] != charts.MARKERS["filtered"] and (tmp_path / "curves.svg").exists()
    coefficients = features.mfcc(MelSpectrogram(data.ARCHIVE_MEL).db(song_samples[: 10 * 22050]))
    shown = np.abs(coefficients[figures.FIRST_MFCC :]).max(axis=1)
    assert shown[0] < 3 * np.sort(shown)[-2]  # no coefficient dominates the colour scale
