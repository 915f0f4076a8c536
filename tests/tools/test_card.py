"""The model card: what it says of every bundle, and what of some only."""

from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("tensorflow", reason="training needs the extra 'train'")
from genre_edge.model.bundle import MODELS, Bundle
from tools.training import card

COMMAND = "python -m tools.train_and_export --audio my_music --listen my_music --architecture edge --out mine"


def text(**changes: Any) -> str:
    return card.model_card(replace(Bundle.load(MODELS / "edge"), **changes), 1000, "A network.", COMMAND)


def metrics(without: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    of_edge = Bundle.load(MODELS / "edge").metrics
    return {key: value for key, value in of_edge.items() if key not in without} | more


def test_a_card_of_other_music_says_nothing_of_gtzan() -> None:
    shipped, own = text(), text(data="80 labelled tracks.", labels=["polka", "waltz"])
    assert "Ten Western genres" in shipped and "GTZAN's labels" in shipped
    assert "GTZAN" not in own and "Western" not in own
    assert "Other music than these 2 genres gets the nearest of the 2.\n" in own
    assert "Speech, noise" not in own and "Speech, noise" in text(not_music=None)


def test_folds_are_artist_disjoint_as_far_as_artists_are_known() -> None:
    assert text().count("artist-disjoint") == text().count("artist-disjoint where artists are known") == 2


def test_the_commands_that_make_it_again() -> None:
    shipped = text(metrics=metrics(measured_sha256="abc123"))
    block = shipped.split("## Regenerate")[1].split("```")[1].splitlines()[1:]
    tools = ["fetch_sounds", "train_and_export", "evaluate", "study_model", "ablate_model", "chart_models"]
    assert [line.split()[1] for line in block] == [f"tools/{tool}.py" for tool in tools]
    assert block[1] == COMMAND and all("--bundle OUT/measured " in line for line in block[2:4])
    assert "SHA-256 of the measured model.tflite:\n`abc123`." in shipped
    assert "measured model.tflite" not in text(metrics=metrics(without=("measured_sha256",)))


def test_a_bundle_without_splits_or_teacher_has_fewer_commands() -> None:
    own = text(metrics=metrics(("refitted", "measured_sha256"), holdout_split="random 0.2"), not_music=None)
    assert own.split("## Regenerate")[1].split("```")[1] == f"sh\n{COMMAND}\n"
    plain = text(metrics=metrics(("refitted", "folds")))
    assert "evaluate.py --bundle OUT/bundle " in plain and "ablate_model" not in plain
