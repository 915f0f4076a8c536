"""A live view of made-up verdicts, and terminals of any size that can be read afterwards."""

import io
import re

from rich.cells import cell_len
from rich.console import Console

from genre_edge.audio.block import Block
from genre_edge.audio.level_meter import LevelMeter
from genre_edge.classify.verdict import GenreProbability, InputInfo, ModelInfo, Reason, Verdict
from genre_edge.cli.terminal.live_view import LiveView
from genre_edge.cli.terminal.screen import LogKeeper
from tests.helpers.audio import tone

GTZAN = ["blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"]
RATE = 22050


def verdict(shares: dict[str, float], reason: Reason | None = None, lag_ms: float = 12.3) -> Verdict:
    ranked = [GenreProbability(*item) for item in sorted(shares.items(), key=lambda item: -item[1])]
    best = ranked[0] if ranked else None
    return Verdict(
        start_s=10.0,
        end_s=20.0,
        genre=best.genre if best and reason is None else None,
        confidence=best.probability if best else None,
        reason=reason,
        genres=ranked,
        source="radio",
        input=InputInfo(44100, 2, RATE),
        model=ModelInfo("edge", "2", "0" * 64),
        lag_ms=lag_ms,
    )


def meter(seconds: float = 1.0, amplitude: float = 1.0, position: int = 0, dropped: int = 0) -> LevelMeter:
    """A meter that a tone went by."""
    found = LevelMeter()
    found(Block(tone(441, seconds, RATE, amplitude), RATE, position, dropped))
    return found


def view(
    source: str = "radio", heard: LevelMeter | None = None, labels: list[str] = GTZAN, top: int | None = None
) -> LiveView:
    return LiveView(source, heard or meter(), labels, "edge 2", LogKeeper(), top)


def console(width: int = 80, height: int = 24, **options: object) -> Console:
    """A terminal of that size that can be read afterwards, whatever the environment says."""
    given: dict[str, object] = {"force_terminal": True, "color_system": "standard", "_environ": {}} | options
    return Console(width=width, height=height, record=True, file=io.StringIO(), **given)  # type: ignore[arg-type]


def drawn(picture: LiveView, width: int = 80, height: int = 24) -> list[str]:
    terminal = console(width, height)
    terminal.print(picture, end="")
    lines = terminal.export_text().splitlines()
    assert len(lines) <= height
    assert all(cell_len(line) <= width for line in lines)
    return lines


def row(lines: list[str], name: str) -> str:
    (found,) = (line for line in lines if re.match(rf"[> ] {name} ", line))
    return found


SHARES = {genre: 0.02 for genre in GTZAN} | {"jazz": 0.82}
