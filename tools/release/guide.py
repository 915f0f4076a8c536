"""Print the shell commands of a section of a page, as a person would paste them.

    python guide.py PAGE.md "3. Install genre-edge" [--only NUMBER]

With --only, only those of the section's block with this number, counted from 0.
"""

import argparse
import re
from pathlib import Path


def commands(page: str, heading: str, number: int | None = None) -> list[str]:
    """Return the lines of the `sh` blocks below a heading of level 2.

    Raises:
        ValueError: the page has no such section, or the section no such block.
    """
    sections = re.split(r"^## (.+)$", page, flags=re.MULTILINE)
    named = dict(zip(sections[1::2], sections[2::2], strict=True))
    if heading not in named:
        raise ValueError(f"no section {heading!r}; sections: {', '.join(named)}")
    blocks = re.findall(r"^```sh\n(.*?)^```", named[heading], re.MULTILINE | re.DOTALL)
    chosen = blocks if number is None else blocks[number : number + 1]
    if not chosen:
        raise ValueError(f"section {heading!r} has {len(blocks)} blocks of commands")
    return "".join(chosen).splitlines()


def main() -> None:
    """Parse the arguments and print the commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("heading")
    parser.add_argument("--only", type=int, metavar="NUMBER")
    arguments = parser.parse_args()
    print("\n".join(commands(arguments.page.read_text(), arguments.heading, arguments.only)))


if __name__ == "__main__":
    main()
