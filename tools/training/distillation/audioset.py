"""Classes of AudioSet (Gemmeke et al. 2017) that become styles and sounds, by their index among the 527 classes.

Moods (happy, sad, ...), instruments and classes that say nothing about the kind of music (song, independent music,
background music, jingle, theme music, music for Christmas or weddings) are no styles.
"""

import numpy as np

from genre_edge.model.styles import Style

N_CLASSES = 527
MUSIC = 137
KINDS_OF_MUSIC = range(216, 283)
# Class -> style. Parents are those of the ontology, except that the parent of swing is jazz.
STYLES: dict[int, Style] = {
    216: Style("pop"),
    217: Style("hip hop"),
    219: Style("rock"),
    220: Style("metal", "rock"),
    221: Style("punk", "rock"),
    222: Style("grunge", "rock"),
    223: Style("progressive rock", "rock"),
    224: Style("rock and roll", "rock"),
    225: Style("psychedelic rock", "rock"),
    226: Style("rhythm and blues"),
    227: Style("soul"),
    228: Style("reggae"),
    229: Style("country"),
    230: Style("swing", "jazz"),
    231: Style("bluegrass", "country"),
    232: Style("funk"),
    233: Style("folk"),
    234: Style("Middle Eastern"),
    235: Style("jazz"),
    236: Style("disco"),
    237: Style("classical"),
    238: Style("opera", "classical"),
    239: Style("electronic"),
    240: Style("house", "electronic"),
    241: Style("techno", "electronic"),
    242: Style("dubstep", "electronic"),
    243: Style("drum and bass", "electronic"),
    244: Style("electronica", "electronic"),
    245: Style("electronic dance", "electronic"),
    246: Style("ambient", "electronic"),
    247: Style("trance", "electronic"),
    248: Style("Latin American"),
    249: Style("salsa", "Latin American"),
    250: Style("flamenco"),
    251: Style("blues"),
    252: Style("children's music"),
    253: Style("new age"),
    254: Style("vocal"),
    255: Style("a cappella", "vocal"),
    256: Style("African"),
    257: Style("afrobeat", "African"),
    258: Style("Christian"),
    259: Style("gospel", "Christian"),
    260: Style("Asian"),
    261: Style("Carnatic", "Asian"),
    262: Style("Bollywood", "Asian"),
    263: Style("ska"),
    264: Style("traditional"),
    270: Style("soundtrack"),
    271: Style("lullaby"),
    272: Style("video game music"),
    274: Style("dance"),
}
# GTZAN's genres
GENRES = {
    "blues": 251,
    "classical": 237,
    "country": 229,
    "disco": 236,
    "hiphop": 217,
    "jazz": 235,
    "metal": 220,
    "pop": 216,
    "reggae": 228,
    "rock": 219,
}
SPEECH = range(27)
SINGING = range(27, 38)
ANIMALS = range(72, 137)
INSTRUMENTS = range(138, 216)


def family_classes(style: str) -> list[int]:
    """Return the classes for a style and for all styles that it includes; empty for an unknown style."""
    parents = {s.name: s.parent for s in STYLES.values()}

    def is_within(name: str | None) -> bool:
        while name is not None and name != style:
            name = parents[name]
        return name is not None

    return [index for index, s in STYLES.items() if is_within(s.name)]


def is_music() -> np.ndarray:
    """Return which classes are music or a kind of music, bool `(527,)`."""
    index = np.arange(N_CLASSES)
    music: np.ndarray = (index == MUSIC) | np.isin(index, KINDS_OF_MUSIC)
    return music
