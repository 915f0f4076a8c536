"""tools.paper.document: the page of synthetic results, without training."""

import re

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the study needs the extra 'train'")
from tools.paper import analysis, document
from tools.paper.methods import METHODS, Method
from tools.paper.protocols import PROTOCOLS, Split
from tools.paper.results import Result
from tools.paper.study import Resolution, Study
from tools.training.data import Track

LABELS = ["blues", "disco", "jazz"]
SEEDS = 5


def some_result(protocol: str, number: int, accuracy: float, seed: int = 0) -> Result:
    """Return a result whose errors are all disco."""
    rng = np.random.default_rng([seed, number])
    true = [genre for genre in LABELS for _ in range(20)]
    predicted = [genre if rng.random() < accuracy else "disco" for genre in true]
    return Result(protocol, number, 0.9, true, [f"{genre}{i % 7}" for i, genre in enumerate(true)], predicted)


def some_study(rehearsal: bool = False) -> Study:
    """Return a study of three genres with two methods and two imitations."""
    shares = dict(zip(PROTOCOLS, (0.7, 0.65, 0.5, 0.4), strict=True))
    methods = [METHODS[0], Method("the CNN", "the paper", "convolutions", METHODS[0].fit)]
    by_method = {
        method.name: {p: [some_result(p, k, shares[p], m) for k in range(SEEDS)] for p in PROTOCOLS}
        for m, method in enumerate(methods)
    }
    tracks = [
        Track(str(i), genre, "excluded" if i % 5 == 0 else "valid", np.zeros((1, 1), np.float32), f"{genre}{i % 7}")
        for i, genre in enumerate(by_method["the CNN"]["random"][0].true)
    ]
    splits = [Split("random", k, [t for t in tracks if t.group[-1] in "0123"], tracks) for k in range(SEEDS)]
    audio = {name: [some_result("audio", k, 0.6, m) for k in range(SEEDS)] for m, name in enumerate(("few", "many"))}
    imitation = {"folder": "jazz", "split": "train", "song_genre": "blues", "genre": "blues"}
    return Study(
        command="python x",
        rehearsal=rehearsal,
        counts={"train": 40, "valid": 20},
        shape=(96, 123),
        labels=LABELS,
        methods=methods,
        results=by_method,
        cnn="the CNN",
        dropout=0.375,
        curves={p: {k: [0.5, 0.6] for k in ("accuracy", "loss", "val_accuracy", "val_loss")} for p in ("random", "x")},
        published_epochs=1,
        correlation=np.eye(3),
        faults={"jazz": 13, "disco": 7},
        leaks=analysis.leaks(zip(splits, by_method["the CNN"]["random"], strict=True)),
        resolution=Resolution(253, 29.0, 7000.0, audio),
        training_data="The 640 tracks\nof some list.",
        imitations=[
            imitation | {"first": 1.0, "last": 0.5, "audio": 0.7},
            imitation | {"folder": "blues", "split": "", "first": 1.0, "last": 0.5, "audio": 0.7},
        ],
    )


@pytest.fixture(scope="module")
def page() -> str:
    """Return the page in one line, because paragraphs are wrapped."""
    return " ".join(document.text(some_study()).split())


@pytest.mark.parametrize(
    "phrase",
    [
        "of 96 bands and 123 frames",
        "batch size (16 here), the learning rate (Adam, 0.001), the dropout rate (0.375)",
        "nothing in this repository tunes them",
        "neither counts as independent",
        "the largest excess is disco,",
        "blues as disco (",
        "; known faults: disco 7)",
        "; known faults: jazz 13, disco 7)",
        "do not affect all methods in the same way",
        "22 excerpts from the same recordings as others",
        "| is by another artist | ",
        "all tracks are cut to 29 s, and bands above 7000 Hz are removed",
        "The gain with more frames is ",
        "assigns 2 of 2 imitations the same genre as their song, and 1 the genre of the song's folder, which it "
        "assigns to 1 of the songs themselves",
        "Its bundle describes the training data: The 640 tracks of some list.",
        "| jazz | train | blues | blues | 1.000 | 0.500 | 0.700 |",
        "| blues | - | blues | blues |",
    ],
)
def test_page_contains(page: str, phrase: str) -> None:
    """The page has the figures and sentences that follow from the synthetic results."""
    assert phrase in page


@pytest.mark.parametrize("claim", ["nan", "costs every method alike", "bring the training figure down", "rehearsal"])
def test_page_does_not_contain(page: str, claim: str) -> None:
    """The page has no missing figures and no claims that the results do not support."""
    assert claim not in page


def test_page_gaps_have_intervals(page: str) -> None:
    """Each gap between protocols is followed by its interval."""
    interval = r"[+-]\d+\.\d points \([+-]\d+\.\d to [+-]\d+\.\d\)"
    for a, b in (("random", "clean"), ("clean", "artists"), ("random", "filtered")):
        assert_matches(rf"\| {a} \| {b} \| {interval} \| {interval} \|", page)
    assert_matches(rf"\| is by an artist of the training set \| \d+ \| \d+\.\d % \| {interval} \|", page)


def assert_matches(pattern: str, text: str) -> None:
    assert re.search(pattern, text), pattern


def test_most_confused_omits_zero_confusions() -> None:
    """A table without errors has no confusions."""
    assert analysis.most_confused(np.diag([3, 0, 5]), LABELS) == []


def test_page_names_rehearsal() -> None:
    """The page of a rehearsal says that its figures are to be ignored."""
    assert "This is a rehearsal" in document.text(some_study(rehearsal=True))
