"""Plans: which files get which genres, and why the others get none."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mutagen.flac import FLAC

from genre_edge.library.database import FileRow, LibraryDatabase
from genre_edge.library.tagging.evidence import Evidence
from genre_edge.library.tagging.formats import write_open
from genre_edge.library.tagging.names import NameRules
from genre_edge.library.tagging.plan import PlanOptions, PlanSummary, make_plan
from genre_edge.library.tagging.plan_file import PlanEntry
from genre_edge.library.tagging.tags import NewTags
from tests.helpers.tagging import MODEL_SHA256, SCANNED_AT, result, write_database

Files = dict[str, Path]
STYLES = [("electronic", None, 0.8), ("techno", "electronic", 0.7), ("house", "electronic", 0.5), ("pop", None, 0.3)]

LOW: dict[str, Any] = {"genre": None, "reason": "low_confidence"}


@pytest.fixture
def files(tmp_path: Path, audio_files: dict[str, bytes]) -> Files:
    """FLAC files in two folders, by name."""
    found = {}
    for name in ("a/1", "a/2", "a/3", "b/1", "b/2"):
        path = tmp_path / f"{name}.flac"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(audio_files["flac"])
        found[name] = path
    return found


def plan(rows: list[FileRow], tmp_path: Path, **options: Any) -> tuple[list[PlanEntry], PlanSummary]:
    """Return the plan for rows and its summary."""
    summary = PlanSummary()
    (tmp_path / "library.db").unlink(missing_ok=True)
    with LibraryDatabase(write_database(tmp_path / "library.db", rows)) as database:
        return list(make_plan(database, PlanOptions(**options), summary)), summary


def new_genres(rows: list[FileRow], tmp_path: Path, **options: Any) -> list[tuple[str, ...]]:
    """Return the new genres of the entries of a plan."""
    return [entry.new for entry in plan(rows, tmp_path, **options)[0]]


def test_plan_leaves_out_and_counts(files: Files, tmp_path: Path) -> None:
    """Files with errors, without a genre, gone, or without tags are left out and counted; damaged ones are named."""
    files["a/3"].write_bytes(b"fLaC\x80\0\0\x22" + bytes(20))
    (tmp_path / "c.au").write_bytes(b".snd" + bytes(50))
    rows = [
        result(files["a/1"]),
        result(files["a/2"], error="not an audio file", genre=None),
        result(files["a/3"]),
        result(files["b/1"], genre=None, reason="low_confidence"),
        result(files["b/2"], {}, reason="silence"),
        result(tmp_path / "c.au"),
    ]
    files["b/2"].unlink()
    entries, summary = plan(rows, tmp_path)
    assert [entry.path for entry in entries] == [str(files["a/1"])]
    assert sum(summary.skipped.values()) + len(summary.errors) == 5
    assert summary.skipped["with an error in the scan"] == summary.skipped["gone since the scan"] == 1
    assert summary.skipped["without a genre"] == 1
    assert summary.skipped["in a format without tags"] + len(summary.errors) == 2


def test_plan_gone_rows(files: Files, tmp_path: Path) -> None:
    """Rows of files that a scan no longer found are not in the plan."""
    assert plan([result(files["a/1"], gone_at=SCANNED_AT)], tmp_path)[0] == []


def test_plan_keeps_genres_of_others(files: Files, tmp_path: Path) -> None:
    """A genre that somebody set stays, unless forced; the plan shows it."""
    media = FLAC(files["a/1"])
    media["genre"] = ["Polka", "a\tb"]
    media.save()
    rows = [result(files["a/1"])]
    entries, summary = plan(rows, tmp_path)
    assert (entries, dict(summary.skipped)) == ([], {"whose genre somebody set": 1})
    ((entry,), _) = plan(rows, tmp_path, force=True)
    assert (entry.old, entry.new, entry.confidence, entry.reason) == ("Polka; a\\tb", ("Rock",), 0.7, "forced")


@pytest.mark.parametrize(
    ("model", "scanned", "genres", "reason"),
    [
        (MODEL_SHA256, SCANNED_AT, {"rock": 0.7}, None),  # the same
        (MODEL_SHA256, SCANNED_AT, {"jazz": 0.7}, "other options"),
        ("cd" * 32, "2026-11-30T00:00:00+00:00", {"jazz": 0.7}, "newer model"),
        ("cd" * 32, "2026-11-01T00:00:00+00:00", {"jazz": 0.7}, None),  # an older scan
    ],
)
def test_plan_renews_ours(
    model: str, scanned: str, genres: dict[str, float], reason: str | None, files: Files, tmp_path: Path
) -> None:
    """Our own genre is renewed by a newer model, not by an older scan."""
    with files["a/1"].open("r+b") as file:
        write_open(file, NewTags(Evidence(MODEL_SHA256, SCANNED_AT, (), ("Rock",))))
    row = result(files["a/1"], genres, model_sha256=model, scanned_at=scanned)
    assert [entry.reason for entry in plan([row], tmp_path)[0]] == [reason] * (reason is not None)


@pytest.mark.parametrize("genres", [["Polka"], []])
def test_plan_keeps_ours_that_somebody_changed(genres: list[str], files: Files, tmp_path: Path) -> None:
    """A genre of ours that somebody changed or removed afterwards is theirs."""
    with files["a/1"].open("r+b") as file:
        write_open(file, NewTags(Evidence("cd" * 32, "2020", (), ("rock",))))
    media = FLAC(files["a/1"])
    media["genre"] = genres
    media.save()
    _, summary = plan([result(files["a/1"])], tmp_path)
    assert dict(summary.skipped) == {"whose genre somebody changed after genre-edge": 1}


@pytest.mark.parametrize("genres", [["Polka"], ["Zydeco"], []])
def test_plan_keeps_edited_genres(genres: list[str], files: Files, tmp_path: Path) -> None:
    """A genre from an edited plan is the user's, and so is its change or removal, also with a newer model."""
    with files["a/1"].open("r+b") as file:
        write_open(file, NewTags(Evidence("cd" * 32, "2020", (), ("Polka",), is_edited=True)))
    media = FLAC(files["a/1"])
    media["genre"] = genres
    media.save()
    entries, summary = plan([result(files["a/1"])], tmp_path)
    assert (entries, dict(summary.skipped)) == ([], {"whose genre somebody set": 1})
    assert new_genres([result(files["a/1"])], tmp_path, force=True) == [("Rock",)]


def test_plan_top_and_confidence(files: Files, tmp_path: Path) -> None:
    """Several genres, best first, each with the confidence."""
    rows = [result(files["a/1"], {"rock": 0.5, "pop": 0.3, "jazz": 0.15, "metal": 0.05})]
    assert new_genres(rows, tmp_path, top=3) == [("Rock", "Pop", "Jazz")]
    assert new_genres(rows, tmp_path, top=9) == [("Rock", "Pop", "Jazz")]
    assert new_genres(rows, tmp_path, top=3, min_confidence=0.2) == [("Rock", "Pop")]
    entries, summary = plan(rows, tmp_path, min_confidence=0.51)
    assert (entries, dict(summary.skipped)) == ([], {"without a genre that may be written": 1})


def test_plan_names(files: Files, tmp_path: Path) -> None:
    """Own names and the whitelist apply to the best genres; two with the same name are written once."""
    rows = [result(files["a/1"], {"metal": 0.5, "rock": 0.4, "jazz": 0.1})]
    names = NameRules({"metal": ("Rock",), "rock": ("Rock",)}, frozenset(["rock", "jazz"]))
    assert new_genres(rows, tmp_path, top=3, names=names) == [("Rock", "Jazz")]
    assert new_genres(rows, tmp_path, top=2, names=names) == [("Rock",)]
    only_jazz = NameRules(whitelist=frozenset(["jazz"]))
    assert new_genres(rows, tmp_path, top=2, names=only_jazz) == []  # below the model's threshold
    assert new_genres(rows, tmp_path, names=NameRules(whitelist=frozenset(["polka"]))) == []


@pytest.mark.parametrize(
    ("allowed", "top", "expected"),
    [
        (["rock"], 1, [("Rock",)]),  # the second best genre, which reaches the threshold of 0.33
        (["rock", "jazz"], 1, [("Rock",)]),
        (["rock", "jazz"], 2, [("Rock", "Jazz")]),
        (["jazz"], 2, []),
    ],
)
def test_plan_whitelist_before_top(
    allowed: list[str], top: int, expected: list[tuple[str, ...]], files: Files, tmp_path: Path
) -> None:
    """The N best genres are chosen among those that may be written, the best of which reaches the threshold."""
    rows = [result(files["a/1"], {"metal": 0.5, "rock": 0.4, "jazz": 0.1})]
    names = NameRules(whitelist=frozenset(allowed))
    assert new_genres(rows, tmp_path, top=top, names=names) == expected


def test_plan_styles(files: Files, tmp_path: Path) -> None:
    """The vocabulary of styles: the most special ones; a parent stands for them if only it may be written."""
    styles = [{"style": name, "parent": parent, "probability": p} for name, parent, p in STYLES]
    rows = [result(files["a/1"], styles=json.dumps(styles), style="techno")]
    assert new_genres(rows, tmp_path, vocabulary="styles") == [("Techno",)]
    assert new_genres(rows, tmp_path, vocabulary="styles", top=3) == [("Techno", "House", "Pop")]
    names = NameRules({"techno": ("Techno", "Electronic")})
    assert new_genres(rows, tmp_path, vocabulary="styles", names=names) == [("Techno", "Electronic")]
    names = NameRules(whitelist=frozenset(["electronic"]))
    assert new_genres(rows, tmp_path, vocabulary="styles", names=names, top=2) == [("Electronic",)]


def test_plan_per_album(files: Files, tmp_path: Path) -> None:
    """The files of a folder vote, a doubtful one too; speech gets no genre, and another album in the folder its own."""
    media = FLAC(files["b/2"])
    media["album"] = "Another"
    media.save()
    rows = [
        result(files["a/1"], {"rock": 0.6, "pop": 0.4}),
        result(files["a/2"], {"pop": 0.9, "rock": 0.1}),
        result(files["a/3"], {"rock": 0.5, "pop": 0.5}, genre=None, reason="not_music"),
        result(files["b/1"], {"jazz": 0.3, "rock": 0.2}, genre=None, reason="low_confidence"),
        result(files["b/2"], {"blues": 0.8}),
    ]
    entries, summary = plan(rows, tmp_path, per_album=True)
    assert {Path(entry.path): (entry.new, entry.confidence) for entry in entries} == {
        files["a/1"]: (("Pop",), pytest.approx(0.65)),
        files["a/2"]: (("Pop",), pytest.approx(0.65)),
        files["b/2"]: (("Blues",), pytest.approx(0.8)),
    }
    assert dict(summary.skipped) == {"without a genre": 2}


@pytest.mark.parametrize(
    ("shares", "is_named"), [((0.4, 0.13, 0.13), False), ((0.34, 0.32, 0.32), False), ((0.33,) * 3, True)]
)
def test_plan_per_album_threshold(shares: tuple[float, ...], is_named: bool, files: Files, tmp_path: Path) -> None:
    """An album whose best genre does not reach the model's threshold of 0.33 in the mean gets no genre."""
    rows = [
        result(files[name], {"rock": share, "jazz": 0.14}, **({} if share >= 0.33 else LOW))
        for name, share in zip(("a/1", "a/2", "a/3"), shares, strict=True)
    ]
    entries, summary = plan(rows, tmp_path, per_album=True)
    assert [entry.new for entry in entries] == [("Rock",)] * (3 * is_named)
    assert summary.skipped["without a genre"] == 3 * (not is_named)


def test_plan_per_album_style_threshold(files: Files, tmp_path: Path) -> None:
    """Styles of an album have the threshold of styles, and a model that the database does not know has none."""
    styles = json.dumps([{"style": "techno", "parent": None, "probability": 0.8}])
    rows = [result(files["a/1"], styles=styles, style="techno"), result(files["a/2"]), result(files["a/3"])]
    assert new_genres(rows[:2], tmp_path, per_album=True, vocabulary="styles") == [("Techno",)] * 2
    assert new_genres(rows, tmp_path, per_album=True, vocabulary="styles") == []
    unknown = [replace(row, model_sha256="cd" * 32) for row in rows]
    assert new_genres(unknown, tmp_path, per_album=True, vocabulary="styles") == [("Techno",)] * 3


@pytest.mark.parametrize("text", ["", "{", "{}", "[1]", '[{"genre": "rock"}]', "null"])
def test_plan_damaged_column(text: str, files: Files, tmp_path: Path) -> None:
    """A column that another program has damaged is no genre."""
    assert plan([replace(result(files["a/1"]), genres=text)], tmp_path)[0] == []
