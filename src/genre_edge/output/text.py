"""Sanitising of text for terminals and parsers: valid Unicode, no control characters."""


def portable(text: str) -> str:
    """Return text, such as a path, as valid Unicode; bytes that are not UTF-8 become U+FFFD."""
    return text.encode(errors="surrogateescape").decode(errors="replace")


def printable(text: str) -> str:
    """Return text, such as a path, for a terminal: valid Unicode, with U+FFFD for each unprintable character."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in portable(text))


def one_line(text: str) -> str:
    """Return a message for a terminal: printable, with line breaks replaced by spaces."""
    return printable(" ".join(text.split("\n")))
