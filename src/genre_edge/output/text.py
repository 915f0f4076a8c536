"""Text that terminals and parsers accept: no control characters, valid Unicode."""


def portable(text: str) -> str:
    """A file name as Unicode that every reader takes: bytes that are no UTF-8 are replaced."""
    return text.encode(errors="surrogateescape").decode(errors="replace")


def printable(text: str) -> str:
    """A file name for a terminal: portable, and without control characters."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in portable(text))


def one_line(text: str) -> str:
    """A message for a terminal: printable, its lines joined."""
    return printable(" ".join(text.split("\n")))
