"""Figures and tables of tools/study with known values."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import soundfile

pytest.importorskip("sklearn", reason="training needs the extra 'train'")
from genre_edge.classify.verdict import GenreProbability, Reason, Segment
from genre_edge.model.prediction import Model
from genre_edge.model.styles import Style
from tests.helpers.audio import tone
from tests.helpers.bundles import RATE, STYLED, tiny
from tools.fetch_sounds import TEST_DIFFERENCES
from tools.study import answers, confidence, labelled, paired, refusals, robustness, styles
from tools.study.inputs import TrackAudio
from tools.study.sections import artists
from tools.study.teacher import BATCH, TeacherStyles, style_scores
from tools.training import data, report
from tools.training.conditions import CONDITIONS
from tools.training.distillation import audioset

NO_FRAMES = np.zeros((128, 1), dtype=np.float32)


def cells(table: str) -> list[list[str]]:
    """Return the cells of a table's rows, without its header."""
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]


def test_conditions_table_names_missed_targets() -> None:
    """Conditions that lose more accuracy than allowed are listed below the table; those without a target are not."""
    true: list[str] = ["a"] * 50

    def predictions(wrong: int) -> list[str | None]:
        return [None] * wrong + ["a"] * (50 - wrong)

    names = (
        "unchanged",
        "mp3, 64 kbit/s",
        "30 dB quieter, 16 bits",
        "telephone band, 8 kHz",
        "clipped, 5 % of the samples",
    )
    assert set(names) <= set(CONDITIONS)
    table = robustness.conditions_table(dict(zip(names, map(predictions, (5, 6, 4, 9, 20)), strict=True)), true)
    rows = [(row[0], row[3], row[4]) for row in cells(table)]
    losses, targets = ["0.0", "2.0", "-2.0", "8.0", "30.0"], ["", "at most 1", "at most 1", "at most 8", ""]
    assert rows == list(zip(names, losses, targets, strict=True))
    assert table.endswith("\nMissed targets: mp3, 64 kbit/s (2.0 points, at most 1).")
    assert robustness.conditions_table({"unchanged": predictions(1)}, true).endswith("\nAll targets are met.")


def test_classify_clips_of_long_enough_tracks(tmp_path: Path) -> None:
    """The beginning of each track is classified, for the lengths that the track has."""
    y = np.concatenate([tone(150, 2, RATE), tone(3500, 9, RATE)])  # low, then mostly high
    songs = []
    for name, samples in (("long", y), ("short", y[: 2 * RATE])):
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE, subtype="FLOAT")
        track = data.Track(name, "low", "held", NO_FRAMES)
        songs.append(TrackAudio(track, tmp_path / f"{name}.wav", len(samples) / RATE, RATE))
    right = robustness.classify_clips(tiny(), songs, ["high", "low"])
    assert right == {1: [(True, False), (True, True)], 3: [(True, False)], 10: [(False, False)], 30: []}
    rows = cells(robustness.clips_table(right))
    assert [(row[0], row[1], row[2], row[4]) for row in rows] == [
        ("1 s", "2", "100.0 %", "50.0 %"),
        ("3 s", "1", "100.0 %", "0.0 %"),
        ("10 s", "1", "0.0 %", "0.0 %"),
        ("30 s", "0", "", ""),
    ]


def test_reliability_of_known_bins() -> None:
    """Cases are in bins of equal width; the error is the mean distance, weighted by the number of cases."""
    probability = np.array([0.95, 1.0, 0.92, 0.93, 0.12])
    bins = confidence.reliability(probability, np.array([True, True, False, True, False]))
    assert [(b.number, round(b.probability, 3), b.observed) for b in bins] == [(1, 0.12, 0.0), (4, 0.95, 0.75)]
    assert confidence.calibration_error(bins) == pytest.approx((0.12 + 4 * 0.2) / 5)
    table = confidence.reliability_table(bins, "songs", "bundle", "teacher")
    assert table.startswith("| bundle | songs | teacher |\n") and cells(table) == [
        ["12.0 %", "1", "0.0 %"],
        ["95.0 %", "4", "75.0 %"],
    ]


def test_genre_confidence_of_songs_and_patches() -> None:
    """Songs and patches have a sentence with the target and a table each."""
    songs, patches = np.array([[0.98, 0.02], [0.03, 0.97]]), np.array([[0.9, 0.1]] * 4)
    text = confidence.genre_confidence(songs, np.array([0, 1]), patches, np.array([0, 0, 1, 1]))
    assert "Expected calibration error of the 2 tracks: 0.0250 (target met: at most 0.04). With perfect" in text
    assert (
        "Expected calibration error of the 4 single patches that are not silent: 0.4000 (target missed: at most 0.06)."
        in text
    )
    assert "Accuracy 50.0 %, mean confidence 90.0 %." in text
    assert "| confidence | single patches | accuracy |\n| --- | --- | --- |\n| 90.0 % | 4 | 50.0 % |" in text


def segments(*parts: tuple[int, Reason | None, str | None]) -> list[Segment]:
    """Return a number of answers with each reason and sound."""
    return [Segment(0, 5, None, None, reason, [], sound=sound) for n, reason, sound in parts for _ in range(n)]


def test_refusals_table_with_targets() -> None:
    """Refused is what is not music or silence; the targets are for all kinds, each kind, and music."""
    kinds = {
        "words": segments((90, "not_music", "speech"), (6, "not_music", "noise"), (2, "silence", "silence")),
        "hiss": segments((8, "not_music", "noise"), (1, "low_confidence", None), (1, None, None)),
    }
    music = segments((98, None, None), (1, "not_music", "speech"), (1, "low_confidence", None))
    text = refusals.refusals_table(kinds, music, "held", has_sounds=True)
    assert cells(text)[0] == [
        *("words", "98", "100.0 %", "98.0 %", "2.0 %", "0.0 %", "0.0 %", "speech 90, noise 6, silence 2"),
        TEST_DIFFERENCES["words"],
    ]
    assert [row[:7] for row in cells(text)[1:]] == [
        ["hiss", "10", "80.0 %", "80.0 %", "0.0 %", "10.0 %", "10.0 %"],
        ["all of these", "108", "98.1 %", "96.3 %", "1.9 %", "0.9 %", "0.9 %"],
        ["music of split held", "100", "1.0 %", "1.0 %", "0.0 %", "1.0 %", "98.0 %"],
    ]
    assert (
        "- At least 97 % refused overall: target met (98.1 %)." in text
        and "of music called no music: target met (1.0 %)." in text
    )
    assert "of each kind: target missed by hiss (80.0 %)." in text
    plain = refusals.refusals_table({"hiss": kinds["hiss"]}, kinds["words"], "held", has_sounds=False)
    assert "sound" not in plain and "overall: target missed (80.0 %)" in plain
    assert "called no music: target missed (100.0 %)" in plain


def test_family_auc_of_known_order() -> None:
    """The AUC is the share of pairs of a song of the folder and another one that the probability orders correctly."""
    scores = {
        "rock": np.array([[0.9, 0.2], [0.4, 0.1]]),
        "jazz": np.array([[0.5, 0.8]]),
        "misc": np.array([[0.1, 0.1]]),
    }
    auc = labelled.family_auc(scores, ["rock", "jazz"])
    assert auc == {"rock": 0.75, "jazz": 1.0}
    counts = {"rock": 2, "jazz": 1, "misc": 1}
    alone = labelled.families_table(auc, None, counts)
    assert cells(alone) == [["rock", "2", "2", "0.750"], ["jazz", "1", "3", "1.000"]]
    beside = labelled.families_table(auc, {"rock": 0.82, "jazz": 0.9}, counts)
    assert [row[3:] for row in cells(beside)] == [["0.750", "0.820", "7.0"], ["1.000", "0.900", "-10.0"]]
    assert "| -0.0 |" not in labelled.families_table(auc, {"rock": 0.7499, "jazz": 0.9999}, counts)
    assert beside.endswith("At most 5 points below the teacher: target missed by rock.")


def test_other_labels_table() -> None:
    """A folder's genre may be unknown to the model."""
    rows = cells(labelled.other_labels_table({"pop": ["pop", "rock", None], "polka": ["pop"]}, ["pop", "rock"]))
    assert rows == [
        ["pop", "3", "33.3 %", "pop 1, rock 1, None 1"],
        ["polka", "1", "(not a genre of this model)", "pop 1"],
    ]


def test_best_styles_table() -> None:
    """Songs that are called no music, songs without a style and those with a style that has a parent are counted."""
    known = [Style("electronic"), Style("techno", "electronic"), Style("jazz")]
    unnamed = segments((1, "not_music", "speech"), (2, "low_confidence", None))

    def named(*styles: str) -> list[Segment]:
        return [Segment(0, 5, style, 0.6, None, []) for style in styles]

    folders = {"club": named("techno", "electronic", "techno") + unnamed, "bar": named("jazz"), "street": unnamed[1:]}
    text = labelled.best_styles_table(folders, known)
    header = "folder | songs | not_music | no style | a style with a parent | most frequent styles"
    assert text.startswith(f"| {header} |\n")
    assert cells(text) == [
        ["club", "6", "1", "2", "2", "techno 2, electronic 1"],
        ["bar", "1", "0", "0", "0", "jazz 1"],
        ["street", "2", "0", "2", "0", ""],
    ]


@pytest.mark.parametrize(
    ("only_this", "only_other", "p"),
    [(0, 0, 1.0), (5, 5, 1.0), (6, 0, 2 * 0.5**6), (1, 8, 2 * (1 + 9) * 0.5**9)],
)
def test_mcnemar_p_value(only_this: int, only_other: int, p: float) -> None:
    """The p value is that of the two-sided binomial test on the discordant pairs."""
    assert paired.Pairs(50, only_this, only_other, 10).p_value() == pytest.approx(p)


def test_paired_table_counts_cases() -> None:
    """All tracks are in one of four cases."""
    this, other = np.array([1, 1, 1, 0, 0], dtype=bool), np.array([1, 0, 0, 1, 0], dtype=bool)
    pairs = paired.Pairs.count(this, other)
    assert pairs == paired.Pairs(1, 2, 1, 1)
    text = paired.paired_table(pairs, "new 2", "old 1")
    assert cells(text) == [
        ["both", "1"],
        ["only this bundle, new 2", "2"],
        ["only the other, old 1", "1"],
        ["neither", "1"],
    ]
    assert text.endswith("same 5 tracks: new 2 60.0 %, old 1 40.0 %; McNemar's exact test: p = 1.")


def test_family_classes_include_children() -> None:
    """A family has the classes of all styles that it includes."""
    names = {audioset.STYLES[index].name for index in audioset.family_classes("rock")}
    assert {"rock", "metal", "punk", "grunge"} <= names and "pop" not in names
    assert audioset.family_classes("techno") == [241] and audioset.family_classes("dark") == []


def test_teacher_styles_are_means_of_maxima(tmp_path: Path) -> None:
    """A style has the maximum of its family's classes in each patch; a song has the mean of its patches."""
    sizes: list[int] = []

    class Metal:
        """A teacher whose first patch of each batch is metal with probability 0.9, the others 0.1."""

        def outputs(self, x: np.ndarray) -> tuple[list[Any], np.ndarray]:
            assert x.shape[1:] == (128, 500, 1) and abs(x).max() < 10
            sizes.append(len(x))
            logits = np.full((len(x), audioset.N_CLASSES), -50.0)
            logits[:, 220] = np.log(1 / 9)
            logits[0, 220] = np.log(9)
            return [], logits

    soundfile.write(tmp_path / "a.wav", tone(440, 45, 32000), 32000)
    soundfile.write(tmp_path / "b.wav", np.zeros(64000), 32000)
    teacher = TeacherStyles(cast(Any, Metal()), ["metal", "rock", "jazz"], -60.0)
    scores = teacher.scores([tmp_path / "a.wav", tmp_path / "b.wav"])
    assert sizes == [BATCH, 1]  # 17 patches of 5 s in 45 s, every 2.5 s; none that is silent
    mean = (2 * 0.9 + 15 * 0.1) / 17
    np.testing.assert_allclose(scores, [[mean, mean, 0], [0, 0, 0]], atol=1e-9)


def test_average_precisions_and_calibration() -> None:
    """Only styles that occur in some songs count; the calibration error compares mean probabilities by bin."""
    teacher = np.array([[0.9, 0.1, 0.5], [0.1, 0.1, 0.5], [0.4, 0.1, 0.5]])
    bundle = np.array([[0.9, 0.1, 0.5], [0.6, 0.1, 0.5], [0.5, 0.1, 0.5]])
    assert styles.average_precisions(bundle, teacher) == {0: pytest.approx((1 + 2 / 3) / 2)}
    assert styles.mean_calibration_error(bundle[:, :1], teacher[:, :1]) == pytest.approx((0 + 0.5 + 0.1) / 3)
    text = styles.agreement(bundle, teacher, ["rock", "jazz", "pop"])
    assert "of the 1 styles that occur in some songs, but not in all: 0.833 (target met: at least 0.6)" in text
    assert (
        "Mean calibration error of all styles: 0.0667 (target missed: at most 0.05); of the 2 that occur: 0.1000."
        in text
    )
    assert "| rock | 2 | 0.833 | 0.667 |" in text and "| bundle | styles of songs | teacher |" in text
    none = styles.agreement(bundle, 0 * teacher, ["rock", "jazz", "pop"])
    assert "precision: unknown, because no style occurs" in none and "at most 0.05).\n" in none and "| rock" not in none


def test_patch_probabilities_equal_the_classifier(tmp_path: Path) -> None:
    """Patches are those of the classifier, without silent ones; silent songs have style probabilities of 0."""
    path, silent = tmp_path / "a.wav", tmp_path / "b.wav"
    soundfile.write(path, np.concatenate([tone(150, 2, RATE), 0 * tone(150, 1, RATE)]), RATE, subtype="FLOAT")
    soundfile.write(silent, np.zeros(2 * RATE), RATE)
    model = Model(STYLED)
    p = answers.patch_probabilities(model, path)
    parts = [s for s in tiny().classify(path, segments=True).segments if s.genres]
    assert p.shape == (len(parts), model.bundle.layout.n_probabilities)
    dark, bass, bright = p[:, model.bundle.layout.styles].mean(axis=0)
    scores = style_scores(model, [path, silent], ["bright", "dark"])
    np.testing.assert_allclose(scores, [[bright, dark], [0, 0]])
    assert dark >= bass > bright


def test_genre_probabilities_in_order() -> None:
    """Probabilities are in the order of the labels; silence has zeros."""
    loud = Segment(0, 1, "b", 0.7, None, [GenreProbability("b", 0.7), GenreProbability("a", 0.3)])
    silence = segments((1, "silence", "silence"))[0]
    assert answers.genre_probabilities([loud, silence], ["a", "b"]).tolist() == [[0.3, 0.7], [0, 0]]
    assert (answers.top_genre(loud), answers.top_genre(silence)) == ("b", None)


def test_artists_counts_known_artists() -> None:
    """Known artists are counted per genre, beside the number of tracks."""
    groups = {"blues": ["1", "1", "2", ""], "rock": ["1", "3"]}
    tracks = [data.Track("t", genre, "held", NO_FRAMES, group) for genre in groups for group in groups[genre]]
    assert "blues 2 (4), rock 2 (2)" in artists(tracks, "held")


def test_styles_against_labels() -> None:
    """The means and the calibration errors of two styles are those computed by hand."""
    scores = np.array([[0.8, 0.1]] * 4 + [[0.1, 0.9]] * 4)
    true = np.array([[True, False]] * 3 + [[False, True]] * 5)
    text = styles.against_labels(scores, true, ["jazz", "rock music"])
    assert "| jazz | 3 | 0.80 | 0.24 | 0.075 |" in text and "| rock music | 5 | 0.74 | 0.10 | 0.125 |" in text
    assert "Mean calibration error of these styles: 0.100 (target missed" in text
    by_chance = [report.calibration_error_by_chance(p[:, None])[0] for p in scores.T]
    assert f"error of so few songs would be {np.mean(by_chance):.3f} on average" in text
