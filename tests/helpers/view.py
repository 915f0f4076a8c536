"""Live views of invented verdicts, and consoles of any size whose output can be read."""

import io
import re

from rich.cells import cell_len
from rich.console import Console

from genre_edge.audio.block import Block
from genre_edge.audio.level_meter import LevelMeter
from genre_edge.classify.verdict import GenreProbability, InputInfo, ModelInfo, Reason, Verdict
from genre_edge.cli.terminal.live_view import LiveView
from genre_edge.cli.terminal.screen import RecentLogHandler
from tests.helpers.audio import tone

GTZAN = ["blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"]
RATE = 22050


def verdict(probabilities: dict[str, float], reason: Reason | None = None, lag_ms: float = 12.3) -> Verdict:
    ranked = [GenreProbability(*item) for item in sorted(probabilities.items(), key=lambda item: -item[1])]
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
    """Return a level meter after a block of a tone."""
    level_meter = LevelMeter()
    level_meter(Block(tone(441, seconds, RATE, amplitude), RATE, position, dropped))
    return level_meter


def view(
    source: str = "radio", level: LevelMeter | None = None, labels: list[str] = GTZAN, top: int | None = None
) -> LiveView:
    return LiveView(source, level or meter(), labels, "edge 2", RecentLogHandler(), top)


def console(width: int = 80, height: int = 24, **options: object) -> Console:
    """Return a terminal of this size that records its output and ignores the environment."""
    settings: dict[str, object] = {"force_terminal": True, "color_system": "standard", "_environ": {}} | options
    return Console(width=width, height=height, record=True, file=io.StringIO(), **settings)  # type: ignore[arg-type]


def render(live_view: LiveView, width: int = 80, height: int = 24) -> list[str]:
    """Return the lines of the view, which must fit the terminal."""
    terminal = console(width, height)
    terminal.print(live_view, end="")
    lines = terminal.export_text().splitlines()
    assert len(lines) <= height
    assert all(cell_len(line) <= width for line in lines)
    return lines


def row(lines: list[str], name: str) -> str:
    """Return the line of a genre, or of the level."""
    (line,) = (line for line in lines if re.match(rf"[> ] {name} ", line))
    return line


PROBABILITIES = {genre: 0.02 for genre in GTZAN} | {"jazz": 0.82}
