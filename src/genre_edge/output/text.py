"""Text for terminals and parsers: valid Unicode; for terminals, without control characters."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genre_edge.classify.verdict import Segment

_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_BYTE = re.compile(r"\\x([0-9a-f]{2})")
_ESCAPE = re.compile(r"\\x(?=[0-9a-f]{2})")


def _escape_bytes(match: re.Match[str]) -> str:
    """Write a byte that is not UTF-8 (Python holds it as a surrogate, PEP 383) as `\\xHH`."""
    code = ord(match[0])
    content = bytes([code - 0xDC00]) if 0xDC80 <= code <= 0xDCFF else match[0].encode(errors="surrogatepass")
    return "".join(f"\\x{byte:02x}" for byte in content)


def portable(text: str) -> str:
    """Return text, such as a path, as valid Unicode. Different texts stay different; docs/cli.md shows the reverse.

    Strict JSON parsers reject lone surrogates, so a byte that is not UTF-8 is written as `\\xHH` (hexadecimal, lower
    case), and a backslash that already begins such an escape as `\\x5c`. Other text is unchanged.
    """
    return _SURROGATE.sub(_escape_bytes, _ESCAPE.sub(r"\\x5cx", text))


def from_portable(text: str) -> str:
    """Return the text, with the surrogate escapes of `os.fsdecode`, that `portable` has written."""
    return _ESCAPED_BYTE.sub(lambda match: chr(code if (code := int(match[1], 16)) < 0x80 else 0xDC00 + code), text)


def printable(text: str) -> str:
    """Return text, such as a path, for a terminal: valid Unicode, with U+FFFD for each unprintable character.

    Bytes that are not UTF-8 are written as `\\xHH`.
    """
    escaped = _SURROGATE.sub(_escape_bytes, text)
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in escaped)


def one_line(text: str) -> str:
    """Return a message for a terminal: printable, with line breaks replaced by spaces."""
    return printable(" ".join(text.split("\n")))


def style_names(part: "Segment") -> list[str]:
    """Return the names of the likely styles, without the one that is the genre itself."""
    return [entry.style for entry in part.styles if entry.style != part.genre]
