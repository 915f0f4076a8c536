"""The docs as a website: its build, and what its pages contain."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.conftest import ROOT, TIMEOUT_S

pytest.importorskip("material", reason="the site needs the extra 'docs'")
pytest.importorskip("nbconvert", reason="the site needs the extra 'docs'")

# The attributes whose address a browser fetches by itself; `href` of a link only for some relations.
FETCHED = {"src", "srcset", "poster", "data", "background"}
FETCHED_RELATIONS = {"stylesheet", "icon", "preload", "modulepreload", "prefetch", "preconnect", "dns-prefetch"}


def build_site(out: Path, project: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    """Build a project's site into a folder; a warning is an error."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", out],
        cwd=project,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )


@dataclass
class Page(HTMLParser):
    """Addresses and ids of a page.

    Attributes:
        fetched: addresses that a browser fetches by itself, without those that hold the data.
        links: addresses that a reader can follow.
        ids: the targets of fragments.
        styles: the text of all `style` elements.
    """

    path: Path
    fetched: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    styles: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the addresses and the id of an element."""
        values = {name: value or "" for name, value in attrs}
        is_fetched = tag == "link" and FETCHED_RELATIONS & set(values.get("rel", "").split())
        self.ids.add(values.get("id", ""))
        for name, value in values.items():
            if (name in FETCHED or (name == "href" and is_fetched)) and not value.startswith("data:"):
                self.fetched.append(value)
            elif name == "href" and tag == "a":
                self.links.append(value)

    def handle_data(self, data: str) -> None:
        """Collect styles."""
        if self.lasttag == "style":
            self.styles += data
