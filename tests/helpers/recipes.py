"""The code blocks of docs/recipes.md."""

import re

from tests.conftest import ROOT

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    """Return the blocks in a language."""
    return [code for found, code in _BLOCK.findall((ROOT / "docs" / "recipes.md").read_text()) if found == language]


def block(language: str, text: str) -> str:
    """Return the only block in a language that contains a text."""
    (found,) = (code for code in blocks(language) if text in code)
    return found
