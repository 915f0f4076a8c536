"""Recipes of the styles of tools.training.sounds.electronic: tempo, rhythms, sounds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """One style; patterns have 16 steps a bar, one of the alternatives separated by spaces is chosen for a song."""

    tempo: tuple[int, int]
    kick: str = ""
    snare: str = ""
    hat: str = ""
    bass: str = ""
    chords: str = ""
    lead: str = ""
    loops: str = ""  # beginnings of the names of recorded loops
    swing: float = 0.0
    pump: float = 0.6  # how much the kick ducks the rest
    bass_kind: str = "saw"
    echo: float = 0.2


RECIPES = {
    "house": Recipe(
        tempo=(120, 128),
        kick="x...x...x...x...",
        snare="....x.......x...",
        hat="..x...x...x...x. x.x.x.x.x.x.x.x.",
        bass="..x...x.x..x..x. x..x..x...x.x...",
        chords="..x..x....x..x.. ...x..x....x..x.",
        lead="x..x..x.........",
        loops="loop_perc loop_mehackit",
        swing=0.1,
        pump=0.7,
    ),
    "techno": Recipe(
        tempo=(126, 140),
        kick="x...x...x...x...",
        snare="................ ....x.......x...",
        hat="..x...x...x...x. xxxxxxxxxxxxxxxx",
        bass=".xxx.xxx.xxx.xxx x.xx.x.xx.xx.x.x",
        chords="x............... ......x.........",
        lead="x..x..x..x..x.x. ................",
        loops="loop_industrial loop_perc loop_compus",
        pump=0.5,
        bass_kind="acid",
        echo=0.35,
    ),
    "trance": Recipe(
        tempo=(132, 142),
        kick="x...x...x...x...",
        snare="....x.......x...",
        hat="..x...x...x...x.",
        bass="..xx..xx..xx..xx .xxx.xxx.xxx.xxx",
        chords="x...............",
        lead="x.xx.xx.x.xx.xx. xxxxxxxxxxxxxxxx",
        pump=0.8,
        echo=0.4,
    ),
    "drum-and-bass": Recipe(
        tempo=(168, 176),
        kick="x.........x..... x.....x...x.....",
        snare="....x.......x...",
        hat="x.x.x.x.x.x.x.x.",
        bass="x.....x...x..... x.......x.....x.",
        chords="x...............",
        lead="................ ....x..x........",
        loops="loop_amen loop_breakbeat",
        pump=0.3,
        bass_kind="wobble",
    ),
    "dubstep": Recipe(
        tempo=(138, 142),
        kick="x............... x.....x.........",
        snare="........x.......",
        hat="..x...x...x...x. x.xxx.x.x.xxx.x.",
        bass="x.x.x.xxx..x..x. xxxxx...xxx.x...",
        chords="x...............",
        lead="................",
        pump=0.4,
        bass_kind="wobble",
    ),
    "trap": Recipe(
        tempo=(132, 150),
        kick="x......x..x..... x..x......x.....",
        snare="........x.......",
        hat="x.x.x.xxx.x.xxxx xxx.x.x.x.xxxxx.",
        bass="x......x..x.....",
        chords="x...............",
        lead="x.....x...x..... ................",
        pump=0.2,
        bass_kind="sub",
    ),
    "hip-hop": Recipe(
        tempo=(82, 98),
        kick="x.....x..x...... x..x......x..... x.x.....x.x.....",
        snare="....x.......x...",
        hat="x.x.x.x.x.x.x.x.",
        bass="x.....x..x...... x..x....x.x.....",
        chords="x............... x.........x.....",
        lead="................ ..x...x.........",
        loops="loop_breakbeat vinyl_hiss loop_mika",
        swing=0.3,
        pump=0.1,
        bass_kind="sub",
        echo=0.1,
    ),
    "dub": Recipe(
        tempo=(68, 80),
        kick="........x....... x.......x.......",
        snare="........x.......",
        hat="..x...x...x...x. x.x.x.x.x.x.x.x.",
        bass="x..x..x.....x.x. x...x..xx..x....",
        chords="..x...x...x...x. ....x.......x...",
        lead="................",
        swing=0.15,
        pump=0.0,
        bass_kind="sub",
        echo=0.55,
    ),
    "disco": Recipe(
        tempo=(112, 124),
        kick="x...x...x...x...",
        snare="....x.......x...",
        hat="..x...x...x...x. x.xxx.xxx.xxx.xx",
        bass="x.x.x.x.x.x.x.x. x..xx.x.x..xx.x.",
        chords="..x...x...x...x. x..x..x.x..x..x.",
        lead="................ x.......x..x....",
        loops="loop_safari",
        swing=0.05,
        pump=0.2,
    ),
    "electro": Recipe(
        tempo=(108, 130),
        kick="x.....x...x..... x..x..x...x.....",
        snare="....x.......x...",
        hat="x.xxx.xxx.xxx.xx",
        bass="x.xx..x.x.xx.x..",
        chords="................ x...............",
        lead="x..x..x..x..x... x.x..x.x........",
        loops="loop_electric loop_compus",
        pump=0.2,
        bass_kind="acid",
    ),
    "ambient": Recipe(
        tempo=(60, 84),
        chords="x...............",
        lead="x.........x..... ................",
        loops="ambi_ loop_drone loop_garzul",
        pump=0.0,
        echo=0.6,
    ),
}
