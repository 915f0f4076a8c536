"""tools/reproduction: features against librosa and naive twins, methods on genres that anybody could tell apart."""

from itertools import pairwise
from pathlib import Path

import librosa
import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="the study needs the extra 'train'")
from reproduction import analysis, features, protocols, results
from reproduction.methods import METHODS, Method
from reproduction.networks import networks, paper_curves
from training.data import Track

ALL = METHODS + networks()


def some_frames(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(-40, 15, (128, n)).astype(np.float32)


def test_mfcc_are_librosas() -> None:
    frames = some_frames(50)
    np.testing.assert_allclose(features.mfcc(frames), librosa.feature.mfcc(S=frames, n_mfcc=20), rtol=1e-4, atol=1e-3)


def test_energy_and_its_naive_twin() -> None:
    frames = some_frames(7)
    naive = [10 * np.log10(np.mean([10 ** (float(v) / 10) for v in column])) for column in frames.T]
    np.testing.assert_allclose(features.energy(frames)[0], naive, rtol=1e-5)


def test_statistics_and_their_naive_twin() -> None:
    x = np.random.default_rng(1).normal(size=(3, 9))
    naive = []
    for rows in ([list(row) for row in x], [[b - a for a, b in pairwise(row)] for row in x]):
        means = [sum(row) / len(row) for row in rows]
        naive += means
        naive += [(sum((v - m) ** 2 for v in row) / len(row)) ** 0.5 for row, m in zip(rows, means, strict=True)]
    np.testing.assert_allclose(features.statistics(x), naive, rtol=1e-12)


@pytest.mark.parametrize("n", [13, 14, 40])
def test_seconds_and_their_naive_twin(n: int) -> None:
    x = np.random.default_rng(2).normal(size=(2, n))
    found = features.seconds(x)
    assert found.shape == (n // 13, 12)
    for second, row in enumerate(found):
        parts = x[:, 13 * second : 13 * second + 13]
        naive = [part.mean() for part in parts] + [part.std() for part in parts]
        naive += [np.polyfit(np.arange(13), part, 1)[0] for part in parts]
        naive += [np.percentile(part, q) for q in (10, 50, 90) for part in parts]
        np.testing.assert_allclose(row, naive, rtol=1e-9)


def test_less_than_a_second_is_an_error() -> None:
    with pytest.raises(ValueError, match="12 frames are less than a second"):
        features.seconds(np.zeros((2, 12)))


def genre(c: int, seed: int) -> np.ndarray:
    """Loud where no other class is, and restless in its own way."""
    frames = some_frames(60, seed)
    frames[40 * c : 40 * c + 40] += 25 + 10 * np.sin(np.arange(60) * (0.3 + c))
    return frames


@pytest.mark.parametrize("method", ALL, ids=[method.name for method in ALL])
def test_a_method_tells_genres_apart(method: Method) -> None:
    classes = np.tile([0, 1, 2], 12)
    tracks = [genre(c, i) for i, c in enumerate(classes)]
    predictor = method.fit(tracks[:24], classes[:24], 0)
    assert predictor(tracks[24:]).tolist() == classes[24:].tolist()
    again = method.fit(tracks[:24], classes[:24], 0)
    noise = [some_frames(60, 100 + i) for i in range(8)]
    assert np.array_equal(predictor(noise), again(noise))
    assert set(predictor(noise)) <= {0, 1, 2}


def some_track(genre: str, split: str, group: str, seed: int = 0) -> Track:
    return Track(f"{genre}.{seed}", genre, split, some_frames(20, seed), group)


def test_splits_keep_tracks_and_artists_apart() -> None:
    tracks = [
        some_track(genre, split, f"{genre}{i % 7}" if i % 3 else "", 100 * j + i)
        for j, genre in enumerate(("jazz", "pop"))
        for i, split in enumerate(["train"] * 14 + ["valid"] * 6 + ["excluded"] * 4)
    ]
    found = list(protocols.splits(tracks, 5))
    assert [split.name for split in found] == [f"{p}-{i}" for p in protocols.PROTOCOLS for i in range(5)]
    for split in found:
        train, test = ({track.name for track in part} for part in (split.train, split.test))
        assert test and not train & test
        assert len(train | test) == {"random": 48}.get(split.protocol, 40)
        if split.protocol == "artists":
            assert not {t.group for t in split.train if t.group} & {t.group for t in split.test if t.group}
        if split.protocol == "filtered":
            assert {t.split for t in split.train} == {"train"} and {t.split for t in split.test} == {"valid"}
    artists = [t.name for split in found if split.protocol == "artists" for t in split.test]
    assert sorted(artists) == sorted(t.name for t in tracks if t.split != "excluded")


def test_an_answer_is_kept_until_the_question_changes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = results.Kept(tmp_path)
    assert kept.get("a", ["x"], lambda: 1) == 1
    assert kept.get("a", ["x"], lambda: 2) == 1
    assert kept.get("a", ["y"], lambda: 3) == 3
    (tmp_path / "a.json").write_text('{"identity": ')
    assert kept.get("a", ["y"], lambda: 4) == 4
    assert "damaged" in capsys.readouterr().err


def test_a_summary_and_its_intervals() -> None:
    def result(protocol: str, right: int, n: int = 10) -> results.Result:
        return results.Result(protocol, 0, 1.0, ["a"] * n, ["a"] * right + ["b"] * (n - right))

    s = results.summary([result("random", right) for right in (5, 6, 7)])
    assert s.mean == pytest.approx(0.6) and s.spread == pytest.approx(0.1)
    assert s.high - s.mean == pytest.approx(4.3027 * 0.1 / 3**0.5, rel=1e-4)
    fixed = results.summary([result("filtered", 50, 100)] * 3)
    folds = results.summary([result("artists", 50, 100)] * 3)
    assert (fixed.low, fixed.high) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert folds.high - folds.low < 0.6 * (fixed.high - fixed.low)  # three times the tracks


def test_confusions_and_families() -> None:
    labels = ["blues", "jazz", "rock"]
    table = np.array([[6, 0, 4], [1, 9, 0], [2, 0, 8]])
    assert analysis.most_confused(table, labels, 2) == [("blues", "rock", 0.4), ("rock", "blues", 0.2)]
    assert analysis.lowest_recall(table, labels, 1) == [("blues", 0.6)]
    share, chance = analysis.within_families(table, labels)
    assert share == pytest.approx(6 / 7) and chance == pytest.approx((4 * 0.5 + 2 * 0.5) / 7)


def test_leaks_are_told_by_what_the_training_half_has() -> None:
    train = [some_track("jazz", "train", "miles")]
    test = [
        some_track("jazz", "valid", "miles"),
        some_track("pop", "valid", "abba"),
        some_track("pop", "excluded", "miles"),
        some_track("pop", "valid", ""),
    ]
    result = results.Result("random", 0, 1.0, [t.genre for t in test], ["jazz", "jazz", "pop", "jazz"])
    assert analysis.leaks([(protocols.Split("random", 0, train, test), result)]) == {
        "has known faults or replicas": (1, 1.0),
        "is by an artist of the training half": (1, 1.0),
        "is by another artist": (1, 0.0),
        "is by nobody known": (1, 0.0),
    }


def test_curves_follow_both_parts() -> None:
    tracks = [Track(str(i), str(c), "", genre(c, i)) for i, c in enumerate((0, 1) * 4)]
    curves = paper_curves(protocols.Split("random", 0, tracks[:6], tracks[6:]), 2)
    assert {key: len(values) for key, values in curves.items()} == dict.fromkeys(
        ("accuracy", "loss", "val_accuracy", "val_loss"), 2
    )
