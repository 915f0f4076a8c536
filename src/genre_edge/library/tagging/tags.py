"""What is read from and written to the tags of a file, in every format."""

from dataclasses import dataclass

from genre_edge.errors import GenreEdgeError
from genre_edge.library.tagging.evidence import Evidence

COMMENT_PREFIX = "genre-edge: "  # of the comments that we write; others are the user's


class TagError(GenreEdgeError):
    """Raised if the tags of a file cannot be read or written; the message says why, without the file's name."""


class UntaggableError(TagError):
    """Raised for a file in a format whose tags genre-edge does not write, or too damaged to say."""


@dataclass(frozen=True)
class Tags:
    """The tags of a file that matter here.

    Attributes:
        genres: names of the genres, in order.
        evidence: content of the field GENRE_EDGE; None if there is none.
        album: name of the album, "" if there is none.
    """

    genres: tuple[str, ...] = ()
    evidence: Evidence | None = None
    album: str = ""

    @property
    def are_ours(self) -> bool:
        """True if the genres are those that we proposed and wrote."""
        evidence = self.evidence
        return evidence is not None and not evidence.is_edited and self.genres == evidence.written


@dataclass(frozen=True)
class NewTags:
    """The tags to write.

    Attributes:
        evidence: the field GENRE_EDGE, with the genres to write.
        comment: text for the comment field; None to leave it alone. A user's own comment is kept.
    """

    evidence: Evidence
    comment: str | None = None

    @property
    def genres(self) -> tuple[str, ...]:
        """The genres to write."""
        return self.evidence.written


def may_replace_comment(existing: list[str]) -> bool:
    """Return True if a file has no comment but ours."""
    return all(not text or text.startswith(COMMENT_PREFIX) for text in existing)
