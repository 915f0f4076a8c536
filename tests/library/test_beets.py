"""The beets plugin, in the real beets: import, the command, and its options."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("beets", reason="needs beets (extra 'test')")
import mediafile
from beets.library import Item

from beetsplug.genreedge import GenreEdgePlugin
from genre_edge import Classifier
from genre_edge.classify.verdict import GenreProbability
from genre_edge.library.tagging.names import display_name
from tests.conftest import ROOT, TIMEOUT_S

CONFIG = """
directory: {folder}/library
library: {folder}/beets.db
plugins: genreedge
import: {{copy: yes, autotag: no, quiet: yes}}
genreedge:
    model: nano
    min_confidence: 0
"""


class Beets:
    """A beets library in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.configure("")

    def configure(self, options: str) -> None:
        """Set the plugin's options: indented YAML lines."""
        (self.folder / "config.yaml").write_text(CONFIG.format(folder=self.folder) + options)

    def run(self, *arguments: object) -> str:
        """Run `beet` and return what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "beets", *map(str, arguments)],
            env=os.environ | {"BEETSDIR": str(self.folder), "HOME": str(self.folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
        assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
        return done.stdout + done.stderr

    def genres(self) -> list[list[str]]:
        """Return the genres in the files' tags, sorted by name."""
        files = sorted(self.folder.joinpath("library").rglob("*.flac"))
        return [list(mediafile.MediaFile(path).genres or []) for path in files]


@pytest.fixture(scope="module")
def album(song_samples: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An album of two halves of the shipped song, without genres."""
    folder = tmp_path_factory.mktemp("album")
    for i, half in enumerate(np.array_split(song_samples, 2)):
        path = folder / f"{i}.flac"
        soundfile.write(path, half, 22050)
        tags = mediafile.MediaFile(path)
        tags.title, tags.artist, tags.album, tags.track = f"song {i}", "artist", "album", i
        tags.save()
    return folder


@pytest.fixture
def beets(tmp_path: Path) -> Beets:
    return Beets(tmp_path)


def best(paths: list[Path], count: int) -> list[str]:
    """Return the names of the genres with the largest mean probability."""
    sums: dict[str, float] = {}
    for path in paths:
        for entry in Classifier("nano").classify(path).genres:
            sums[entry.genre] = sums.get(entry.genre, 0) + entry.probability
    return [display_name(name) for name in sorted(sums, key=lambda name: -sums[name])[:count]]


def test_import_sets_genres(beets: Beets, album: Path) -> None:
    """An imported album and its songs get the genres that they vote for; `beet write` writes them."""
    beets.configure("    count: 2\n")
    beets.run("import", album)
    expected = best(sorted(album.iterdir()), 2)
    assert beets.run("ls", "-a", "-f", "$genres").splitlines()[-1] == "; ".join(expected)
    beets.run("write")
    assert beets.genres() == [expected, expected]


def test_command(beets: Beets, album: Path) -> None:
    """The command shows, sets, keeps, replaces and adds genres as its options say."""
    beets.configure("    auto: no\n")
    beets.run("import", album)
    assert beets.genres() == [[], []]
    (expected,) = best(sorted(album.iterdir()), 1)
    assert expected in beets.run("genreedge", "--pretend") and beets.genres() == [[], []]
    beets.run("modify", "-y", "-a", "genres=Polka")
    beets.run("genreedge")
    assert beets.genres() == [["Polka"], ["Polka"]]
    beets.run("genreedge", "--force", "--keep-existing")
    assert beets.genres() == [["Polka", expected], ["Polka", expected]]
    beets.run("genreedge", "--force", "--items", "title:song 1")
    assert beets.genres()[0] == ["Polka", expected]
    assert beets.genres()[1] == best([album / "1.flac"], 1)


def test_fallback_and_whitelist(beets: Beets, album: Path, tmp_path: Path) -> None:
    """`auto: fallback` keeps the genres of the files; a whitelist without the model's genres leaves none."""
    copy = tmp_path / "tagged"
    copy.mkdir()
    for path in album.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
        tags = mediafile.MediaFile(copy / path.name)
        tags.genres = ["Zydeco"]
        tags.save()
    beets.configure("    auto: fallback\n    force: yes\n")
    beets.run("import", copy)
    assert beets.genres() == [["Zydeco"], ["Zydeco"]]
    (tmp_path / "names").write_text("polka\n")
    beets.configure(f"    whitelist: {tmp_path}/names\n")
    assert "no genre found" in beets.run("-v", "genreedge", "--force") and beets.genres() == [["Zydeco"], ["Zydeco"]]


def test_bad_file(beets: Beets, album: Path, tmp_path: Path) -> None:
    """A file that can no longer be read is named, and the others vote."""
    beets.configure("    auto: no\n")
    beets.run("import", album)
    files = sorted(beets.folder.joinpath("library").rglob("*.flac"))
    files[0].write_bytes(b"nothing")
    out = beets.run("genreedge", "--pretend")
    assert f"{files[0]}: " in out and best([album / "1.flac"], 1)[0] in out


@pytest.mark.parametrize(("vocabulary", "expected"), [("genres", ["Blues"]), ("styles", [])])
def test_threshold_of_vocabulary(vocabulary: str, expected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `min_confidence`, genres need the model's threshold, and styles that of styles."""
    plugin = GenreEdgePlugin()
    plugin.config.set({"model": "nano", "vocabulary": vocabulary})
    bundle = Classifier("nano").bundle
    between = (bundle.threshold + bundle.style_threshold) / 2
    assert bundle.threshold < between < bundle.style_threshold
    verdict = Classifier("nano").classify(ROOT / "demo" / "song.ogg")
    doubtful = replace(verdict, genre=None, reason="low_confidence", genres=[GenreProbability("blues", between)])
    monkeypatch.setattr(plugin, "_classify", lambda item: doubtful)
    assert plugin._genres(Item(path=b"/song.ogg")) == expected
