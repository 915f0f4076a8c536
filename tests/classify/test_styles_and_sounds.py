"""Verdicts of a model with styles and sounds, for genres and for styles as vocabulary.

For the bundle `styled`, low and middle tones are music, high tones are speech, and a flat spectrum is noise.
"""

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest

from genre_edge.classify.aggregation import Aggregator
from genre_edge.classify.classifier import Classifier
from genre_edge.classify.patches import PatchResult
from genre_edge.classify.verdict import Segment, Verdict
from genre_edge.classify.vocabulary import Vocabulary
from genre_edge.errors import ModelError
from genre_edge.model.bundle import Bundle
from tests.conftest import DATA
from tests.helpers.audio import ArraySource, Samples, noise, tone
from tests.helpers.bundles import HOP_S, PATCH_S, RATE, STYLED, TINY

VALIDATOR = jsonschema.Draft202012Validator(json.loads((DATA / "verdict.schema.json").read_text()))
LOW, MIDDLE, HIGH = (tone(hz, 3, RATE) for hz in (150, 1000, 3500))
NOISE, SILENCE = noise(3 * RATE), np.zeros(3 * RATE, dtype=np.float32)
BUNDLE = Bundle.load(STYLED)


@pytest.fixture(scope="module")
def genres() -> Classifier:
    """A classifier whose genres are the labels."""
    return Classifier(STYLED)


@pytest.fixture(scope="module")
def styles() -> Classifier:
    """A classifier whose genres are the styles."""
    return Classifier(STYLED, vocabulary="styles")


def classify(classifier: Classifier, samples: Samples) -> Verdict:
    verdict = classifier.classify(ArraySource(samples, RATE), segments=True)
    VALIDATOR.validate(verdict.to_dict())
    return verdict


def names(part: Segment) -> list[str]:
    return [entry.style for entry in part.styles]


def test_styles_of_music(genres: Classifier) -> None:
    """The likely styles of music have parents and probabilities, and music is no other sound."""
    verdict = classify(genres, LOW)
    assert (verdict.genre, verdict.reason, verdict.sound) == ("low", None, None)
    assert names(verdict) == ["bass", "dark"] and [entry.parent for entry in verdict.styles] == ["dark", None]
    assert all(entry.probability >= BUNDLE.style_threshold for entry in verdict.styles)
    assert names(verdict.segments[0]) == ["bass", "dark"]
    assert names(classify(genres, MIDDLE))[0] == "bright"
    assert verdict.to_dict()["styles"][0] == {
        "style": "bass",
        "parent": "dark",
        "probability": verdict.styles[0].probability,
    }


@pytest.mark.parametrize(("samples", "sound"), [(HIGH, "speech"), (NOISE, "noise")], ids=["speech", "noise"])
def test_sound_of_not_music(genres: Classifier, styles: Classifier, samples: Samples, sound: str) -> None:
    """Audio that is not music has the most probable other sound and no styles."""
    for verdict in (classify(genres, samples), classify(styles, samples)):
        assert (verdict.genre, verdict.reason, verdict.sound, verdict.styles) == (None, "not_music", sound, [])
        assert sound in {part.sound for part in verdict.segments}
        assert all((part.sound is None) == (part.reason != "not_music") for part in verdict.segments)


def test_sound_of_silence(genres: Classifier) -> None:
    """Silence is the sound "silence", for any model; audio that is too short has none."""
    for classifier in (genres, Classifier(TINY)):
        verdict = classify(classifier, SILENCE)
        assert (verdict.reason, verdict.sound, verdict.styles) == ("silence", "silence", [])
        assert {part.sound for part in verdict.segments} == {"silence"}
        short = classify(classifier, LOW[:100])
        assert (short.reason, short.sound, short.styles) == ("too_short", None, [])


def test_styles_of_the_music_in_a_mixture(genres: Classifier) -> None:
    """Styles are those of the patches that vote, not of the speech beside them."""
    verdict = classify(genres, np.concatenate([HIGH, LOW, HIGH]))
    alone = classify(genres, LOW)
    assert (verdict.genre, verdict.sound, names(verdict)) == ("low", None, names(alone))
    assert [e.probability for e in verdict.styles] == pytest.approx([e.probability for e in alone.styles], abs=0.01)


def test_styles_without_a_genre(genres: Classifier) -> None:
    """Music whose genre is uncertain has styles."""
    unsure = Classifier(STYLED, threshold=0.99)
    verdict = classify(unsure, LOW)
    assert (verdict.genre, verdict.reason, verdict.sound) == (None, "low_confidence", None)
    assert verdict.styles == classify(genres, LOW).styles


@pytest.mark.parametrize("n", [0, 1, 9])
def test_styles_at_most(genres: Classifier, n: int) -> None:
    """The parameter `styles` limits the styles of verdicts and segments, and changes nothing else."""
    limited, full = classify(Classifier(STYLED, styles=n), LOW), classify(genres, LOW)
    assert names(limited) == names(full)[:n]
    assert limited.segments == [replace(part, styles=part.styles[:n]) for part in full.segments]
    assert replace(limited, styles=full.styles, segments=full.segments) == full


def test_vocabulary_styles(styles: Classifier) -> None:
    """With the vocabulary "styles", the best style is the genre, and all styles are the genres."""
    assert styles.labels == ["dark", "bass", "bright"]
    verdict = classify(styles, LOW)
    assert verdict.genre == "bass" and verdict.confidence == verdict.genres[0].probability
    assert [entry.genre for entry in verdict.genres] == ["bass", "dark", "bright"]
    assert verdict.segments[0].genre == "bass"
    assert classify(styles, MIDDLE).genre == "bright"


def test_vocabulary_styles_threshold() -> None:
    """With the vocabulary "styles", a best style below the threshold is not named."""
    verdict = classify(Classifier(STYLED, threshold=0.99, vocabulary="styles"), LOW)
    assert (verdict.genre, verdict.reason) == (None, "low_confidence")
    assert verdict.confidence == verdict.genres[0].probability < 0.99 and names(verdict) == ["bass", "dark"]


def test_vocabulary_styles_missing() -> None:
    """A model without styles is refused at once."""
    with pytest.raises(ModelError, match="the model tiny 1 has no styles"):
        Classifier(TINY, vocabulary="styles")


def results(*rows: list[float]) -> list[PatchResult]:
    """Return overlapping patches with these probabilities."""
    return [PatchResult(i * HOP_S, i * HOP_S + PATCH_S, np.array(row)) for i, row in enumerate(rows)]


MUSIC = [0.8, 0.1, 0.1, 0.9, 0.6, 0.1, 0.9, 0.1, 0.0, 0.1]
DOUBTFUL = [0.8, 0.1, 0.1, 0.2, 0.1, 0.1, 0.4, 0.0, 0.6, 0.6]
SPEECH = [0.1, 0.8, 0.1, 0.1, 0.1, 0.9, 0.1, 0.7, 0.2, 0.9]


def segment_of(*rows: list[float], vocabulary: str = "genres") -> Segment:
    aggregator = Aggregator(Vocabulary(BUNDLE, vocabulary), keep_segments=False)
    for result in results(*rows):
        aggregator.add(result)
    return aggregator.segment()


def test_styles_are_the_mean_of_the_votes() -> None:
    """Styles are the mean over the same patches as the genre: a doubtful patch votes if no other is refused."""
    found = {entry.style: entry.probability for entry in segment_of(MUSIC, DOUBTFUL).styles}
    assert found == {"dark": 0.55, "bass": 0.35}
    mixed = segment_of(MUSIC, MUSIC, MUSIC, MUSIC, DOUBTFUL, DOUBTFUL, SPEECH)
    assert {entry.style: entry.probability for entry in mixed.styles} == {"dark": 0.9, "bass": 0.6}


def test_sound_is_the_mean_of_refused_and_doubtful_patches() -> None:
    """The sound is the most probable one of the patches that are no music, without the music beside them."""
    assert (segment_of(SPEECH).reason, segment_of(SPEECH).sound) == ("not_music", "speech")
    talk = segment_of(MUSIC, DOUBTFUL, DOUBTFUL, SPEECH, SPEECH, SPEECH)
    assert (talk.reason, talk.sound) == ("not_music", "speech")
    hum = segment_of(SPEECH, DOUBTFUL, DOUBTFUL, DOUBTFUL, DOUBTFUL, DOUBTFUL)
    assert (hum.reason, hum.sound, hum.styles) == ("not_music", "noise", [])


def test_vocabulary_styles_in_a_mixture() -> None:
    """Most of few votes must support the best style beside speech; a style that is likely elsewhere is no support."""
    other = [0.1, 0.8, 0.1, 0.2, 0.1, 0.8, 0.9, 0.1, 0.0, 0.1]
    agreed = segment_of(*[MUSIC] * 4, other, SPEECH, SPEECH, vocabulary="styles")
    assert (agreed.genre, agreed.reason) == ("dark", None)
    disputed = segment_of(*[MUSIC] * 2, *[other] * 3, SPEECH, SPEECH, vocabulary="styles")
    assert (disputed.genre, disputed.reason) == (None, "low_confidence")
