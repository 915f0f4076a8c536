"""Table output. The source's name is the last column, since its width is unknown."""

from typing import TextIO

from genre_edge.classify.verdict import Segment, Verdict
from genre_edge.output.renderer import Renderer
from genre_edge.output.text import printable, style_names

DEFAULT_TOP = 3
_GENRE_WIDTH = 22  # of one entry in the column "most probable"


class TableRenderer(Renderer):
    """Table renderer: a header, then one line for each verdict and each segment."""

    def __init__(self, out: TextIO, top: int | None) -> None:
        super().__init__(out, top)
        self._n_genres = DEFAULT_TOP if top is None else top
        self._width = _GENRE_WIDTH * self._n_genres
        self._out.write(f"{'genre':<10}  {'confidence':>10}  {'most probable':<{self._width}}  source\n")

    def write(self, verdict: Verdict) -> None:
        """Write the line of a verdict, and a line for each segment."""
        share = verdict.music_share or 0.0
        note = f"{share:.0%} music" if 0 < share < 1 else ""
        self._row(verdict, printable(verdict.source), note)
        for segment in verdict.segments:
            self._row(segment, f"  {segment.start_s:8.1f} - {segment.end_s:.1f} s")

    def _row(self, part: Segment, name: str, note: str = "") -> None:
        # For "not_music", the confidence is that of the genre; in the table it would look like that of the reason.
        confidence = "-" if part.confidence is None or part.reason == "not_music" else f"{part.confidence:.0%}"
        text = f"{part.genre or '-':<10}  {confidence:>10}  {self._details(part, note):<{self._width}}  {name}"
        self._out.write(f"{text}\n")

    def _details(self, part: Segment, note: str) -> str:
        """Return the column "most probable": reason, genres, note and styles, or the sound that is no music."""
        if part.reason == "not_music" and part.sound is not None:
            return ", ".join(filter(None, [f"not music: {part.sound}", note]))
        genres = ", ".join(f"{g.genre} {g.probability:.0%}" for g in part.genres[: self._n_genres])
        text = ": ".join(filter(None, [part.reason, ", ".join(filter(None, [genres, note]))]))
        return " · ".join(filter(None, [text, ", ".join(style_names(part))]))
