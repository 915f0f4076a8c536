"""Pages with a generated section between the lines <!-- NAME:begin --> and <!-- NAME:end -->."""

import re
import sys
from pathlib import Path


def split_page(page: Path, name: str) -> tuple[str, str, str]:
    """Return the text up to and including the begin marker, the section, and the text from the end marker on.

    Raises SystemExit with one line if the page cannot be read or has no such markers.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    try:
        parts = re.fullmatch(rf"(.*{begin}\n)(.*)({end}.*)", page.read_text(), flags=re.DOTALL)
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"{page}: {error}")
    if parts is None:
        sys.exit(f"{page} has no lines {begin} and {end}")
    return parts[1], parts[2], parts[3]
