"""The tables of AudioSet's classes."""

from genre_edge.model import styles
from tools.training.distillation import audioset


def test_styles_are_a_forest() -> None:
    """Names are distinct, parents exist, and no style is a mood or an instrument."""
    table = list(audioset.STYLES.values())
    assert len(styles.links(table)) == sum(style.parent is not None for style in table) == 23
    assert all(index in audioset.KINDS_OF_MUSIC for index in audioset.STYLES)
    assert not set(audioset.STYLES) & set(range(276, 283))


def test_genres_are_styles() -> None:
    """Each of GTZAN's genres is the style of its name."""
    names = {genre: audioset.STYLES[index].name for genre, index in audioset.GENRES.items()}
    assert names == {genre: genre.replace("hiphop", "hip hop") for genre in audioset.GENRES}


def test_is_music() -> None:
    music = audioset.is_music()
    assert music.shape == (527,) and music.sum() == 68
    assert not any(music[i] for i in (*audioset.SPEECH, *audioset.ANIMALS))
