"""The tags are read the same by mutagen, TagLib, ffprobe and beets, in every format."""

import json
import shutil
from pathlib import Path

import mediafile
import pytest

from tests.conftest import Cli
from tests.helpers.tagging import (
    FFPROBE_FIRST_ONLY,
    FORMATS,
    MODEL_SHA256,
    SCANNED_AT,
    ffprobe,
    genres_by_mutagen,
    result,
    write_audio,
    write_database,
)

taglib = pytest.importorskip("taglib", reason="pytaglib is missing: it reads tags as TagLib does")

TOP = {"rock": 0.7, "pop": 0.2, "jazz": 0.06}


@pytest.mark.parametrize("n_genres", [1, 3])
@pytest.mark.parametrize("suffix", FORMATS)
def test_other_readers(suffix: str, n_genres: int, invoke: Cli, tmp_path: Path) -> None:
    """Genres and the evidence are what was written, in order, whoever reads them."""
    path = write_audio(tmp_path / f"song.{suffix}")
    database = write_database(tmp_path / "library.db", [result(path, TOP)])
    assert (
        invoke(
            "tag", "plan", "--db", database, "--out", tmp_path / "plan", "--top", n_genres, "--min-confidence", 0
        ).returncode
        == 0
    )
    assert invoke("tag", "apply", tmp_path / "plan", "--db", database).returncode == 0
    genres = ["Rock", "Pop", "Jazz"][:n_genres]
    assert genres_by_mutagen(path) == genres
    with taglib.File(path) as file:
        by_taglib = file.tags
    assert by_taglib["GENRE"] == genres
    evidence = {"model": MODEL_SHA256, "date": SCANNED_AT, "top": TOP, "written": genres}
    if suffix != "m4a":  # TagLib's common interface has no freeform atoms
        assert json.loads(by_taglib["GENRE_EDGE"][0]) == evidence
    if suffix != "oga":  # mediafile, which beets reads files with, does not support FLAC in Ogg
        assert mediafile.MediaFile(path).genres == genres
    if shutil.which("ffprobe"):
        by_ffprobe = ffprobe(path)
        read = by_ffprobe["GENRE"].split(";")
        assert read == genres or (suffix in FFPROBE_FIRST_ONLY and read == genres[:1])
        assert json.loads(by_ffprobe["GENRE_EDGE"]) == evidence
