"""Genres as players read them from tagged files: docs/recipes.md."""

import json
import re
import shutil
from pathlib import Path

import mutagen
import pytest

from genre_edge.library.tagging.names import display_name
from tests.conftest import ROOT, Cli
from tests.helpers.tagging import FFPROBE_FIRST_ONLY, FORMATS, ffprobe, result, write_audio, write_database

taglib = pytest.importorskip("taglib", reason="pytaglib is missing: Navidrome reads tags with TagLib")

SEPARATORS = {"Navidrome": r"[;/,]", "Jellyfin": r"[;/|\\]", "Music Assistant": r"[;/]|, "}
USES_FFPROBE = ("Jellyfin", "Music Assistant")
TOP = {"hiphop": 0.5, "rhythm and blues": 0.3, "rock and roll": 0.1}


def split(values: list[str], player: str) -> list[str]:
    """Return the genres of a player that splits values at its separators."""
    return [part.strip() for value in values for part in re.split(SEPARATORS[player], value)]


@pytest.mark.parametrize("player", SEPARATORS)
@pytest.mark.parametrize("suffix", FORMATS)
def test_genres_in_players(suffix: str, player: str, invoke: Cli, tmp_path: Path) -> None:
    """Each genre arrives as one, whatever the player splits at; read with TagLib or ffprobe, as the player does."""
    if player in USES_FFPROBE and shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is missing (Debian package ffmpeg)")
    path = write_audio(tmp_path / f"song.{suffix}")
    database = write_database(tmp_path / "music.db", [result(path, TOP)])
    plan = tmp_path / "plan.tsv"
    assert invoke("tag", "plan", "--db", database, "--out", plan, "--top", 2, "--min-confidence", 0.2).returncode == 0
    assert invoke("tag", "apply", plan, "--db", database).returncode == 0
    expected = [display_name("hiphop"), display_name("rhythm and blues")]
    if player in USES_FFPROBE:
        found = split([ffprobe(path)["GENRE"]], player)
        assert found == expected or (suffix in FFPROBE_FIRST_ONLY and found == expected[:1])
    else:
        with taglib.File(path) as file:
            assert split(file.tags["GENRE"], player) == expected


def test_no_name_has_a_separator() -> None:
    """None of the shipped models' genres and styles is split by a player, nor is a number."""
    names = set()
    for bundle in (ROOT / "models").glob("*/bundle.json"):
        content = json.loads(bundle.read_text())
        names |= {*content["labels"], *(style["name"] for style in content.get("styles", []))}
    assert len(names) > 50
    for name in map(display_name, names):
        assert name and not name.isdigit()
        assert all(split([name], player) == [name] for player in SEPARATORS), name


def test_album_for_plex(invoke: Cli, tmp_path: Path) -> None:
    """All songs of an album get the genre that most of their probability is for."""
    rows = []
    (tmp_path / "album").mkdir()
    for number, genres in enumerate(({"rock": 0.9, "pop": 0.1}, {"pop": 0.6, "rock": 0.4}, {"rock": 0.8, "pop": 0.2})):
        path = write_audio(tmp_path / "album" / f"{number}.flac")
        song = mutagen.File(path)
        song["album"] = "An Album"
        song.save()
        rows.append(result(path, genres))
    database, plan = write_database(tmp_path / "music.db", rows), tmp_path / "plan.tsv"
    assert invoke("tag", "plan", "--db", database, "--out", plan, "--per", "album").returncode == 0
    assert invoke("tag", "apply", plan, "--db", database).returncode == 0
    assert [mutagen.File(row.path)["genre"] for row in rows] == [["Rock"]] * 3
