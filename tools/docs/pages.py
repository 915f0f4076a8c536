"""Pages with a part that a program writes, between the lines <!-- NAME:begin --> and <!-- NAME:end -->."""

import re
import sys
from pathlib import Path


def marked(page: Path, name: str) -> tuple[str, str, str]:
    """The page's text up to and including the begin line, the part, and the rest from the end marker on."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    try:
        parts = re.fullmatch(rf"(.*{begin}\n)(.*)({end}.*)", page.read_text(), flags=re.DOTALL)
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"{page}: {error}")
    if parts is None:
        sys.exit(f"{page} has no lines {begin} and {end}")
    return parts[1], parts[2], parts[3]
