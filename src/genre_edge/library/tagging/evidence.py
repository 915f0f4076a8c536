"""`Evidence`: why a genre was written, kept in the file's field GENRE_EDGE."""

import json
from dataclasses import dataclass

FIELD = "GENRE_EDGE"
_MAX_CHARACTERS = 10_000  # of a field; a longer one is not ours


@dataclass(frozen=True)
class Evidence:
    """Content of the field GENRE_EDGE.

    Attributes:
        model_sha256: hash of the model that classified the file.
        date: time of the classification, ISO 8601, UTC.
        top: the three most probable genres with their probabilities, best first.
        written: the genres that were written; the file's genre is ours as long as it has the same.
        is_edited: whether somebody chose these genres by editing the plan; then they are the user's.
    """

    model_sha256: str
    date: str
    top: tuple[tuple[str, float], ...]
    written: tuple[str, ...]
    is_edited: bool = False

    def to_text(self) -> str:
        """Return the field's text, JSON in one line."""
        content: dict[str, object] = {"model": self.model_sha256, "date": self.date, "top": dict(self.top)}
        content["written"] = self.written
        if self.is_edited:
            content["edited"] = True
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> "Evidence | None":
        """Parse a field's text; None if it is not ours."""
        try:
            content = json.loads(text if len(text) <= _MAX_CHARACTERS else "")
            top = tuple((str(name), float(score)) for name, score in content["top"].items())
            written = tuple(str(name) for name in content["written"])
            is_edited = content.get("edited") is True
            return cls(str(content["model"]), str(content["date"]), top, written, is_edited)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None
