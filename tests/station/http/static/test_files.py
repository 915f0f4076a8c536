"""The page's files, without a browser."""

import re

from genre_edge.station.http.routes.page import STATIC_DIR


def test_no_inline_code_or_foreign_urls() -> None:
    """The files need no inline scripts or styles, use no HTML strings, and refer to no other server."""
    files = {path.name: path.read_text() for path in STATIC_DIR.iterdir()}
    assert {"page.html", "page.js", "page.css", "icon.svg"} <= files.keys()
    for name, text in files.items():
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text), name
        assert re.findall(r"https?://[^\"]+", text) in ([], ["http://www.w3.org/2000/svg"]), name
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! type=\"module\" src=)", files["page.html"])
