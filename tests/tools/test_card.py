"""tools/training/card.py: the parts of a model card that depend on the bundle."""

from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("sklearn", reason="training needs the extra 'train'")
from genre_edge.model.bundle import MODELS, Bundle
from tools.training import card

COMMAND = "python -m tools.train_and_export --audio my_music --unlabelled my_music --architecture edge --out mine"


def card_text(**changes: Any) -> str:
    return card.model_card(replace(Bundle.load(MODELS / "edge"), **changes), 1000, "A network.", COMMAND)


def metrics(without: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    of_edge = Bundle.load(MODELS / "edge").metrics
    return {key: value for key, value in of_edge.items() if key not in without} | more


def test_card_of_other_data_has_no_gtzan() -> None:
    """Only a bundle trained on GTZAN has a card with GTZAN's limitations."""
    shipped, own = card_text(), card_text(data="80 labelled tracks.", labels=["polka", "waltz"])
    assert "ten Western genres" in shipped and "GTZAN has known" in shipped
    assert "GTZAN" not in own and "Western" not in own
    assert "Music of any other genre is classified as one of these 2 genres.\n" in own
    assert "Speech, noise" not in own and "Speech, noise" in card_text(not_music=None, sounds=[])


def test_card_qualifies_artist_disjoint_folds() -> None:
    """The card claims artist-disjoint folds only where artists are known."""
    assert card_text().count("artist-disjoint") == card_text().count("artist-disjoint where artists are known") == 2


def test_card_has_the_style_errors() -> None:
    """The styles' calibration on folds is in the table, that on folds of all tracks beside their accuracies."""
    row = "| mean calibration error of the styles that are genres, on folds |"
    refitted = {"tracks": 12, "folds": [0.7], "folds_calibration_error": 0.05}
    final = card_text(metrics=metrics(refitted=refitted | {"folds_style_error": 0.02}, folds_style_error=0.01))
    assert f"{row} 0.01 |\n" in final and "divisions 0.05;\nof the styles that are genres 0.02)" in final
    without = card_text(metrics=metrics(without=("folds_style_error",), refitted=refitted))
    assert "styles that are genres" not in without


def test_card_lists_all_commands() -> None:
    """The card of a distilled bundle lists the commands from download to chart, in order."""
    refitted = {"tracks": 450, "folds": [0.7], "folds_calibration_error": 0.05}
    shipped = card_text(metrics=metrics(measured_sha256="abc123", refitted=refitted))
    block = shipped.split("## Regenerate")[1].split("```")[1].splitlines()[1:]
    tools = ["fetch_sounds", "train_and_export", "evaluate", "study_model", "chart_models"]
    assert [line.split()[:3] for line in block] == [["python", "-m", f"tools.{tool}"] for tool in tools]
    assert block[1] == COMMAND and all("--bundle OUT/measured " in line for line in block[2:4])
    assert "SHA-256 of the measured model.tflite:\n`abc123`." in shipped
    assert "measured model.tflite" not in card_text(metrics=metrics(without=("measured_sha256",)))


def test_card_without_splits_or_teacher() -> None:
    """A bundle with a random holdout or without a teacher has fewer commands in its card."""
    random = metrics(("refitted", "measured_sha256"), holdout_split="random 0.2")
    own = card_text(metrics=random, not_music=None, sounds=[])
    assert own.split("## Regenerate")[1].split("```")[1] == f"sh\n{COMMAND}\n"
    plain = card_text(metrics=metrics(("refitted", "folds", "folds_by_genre")))
    assert "tools.evaluate --bundle OUT/bundle " in plain and "--mels mel.npz" in plain and "chart_models" not in plain
