"""`genre-edge tag`: plan, apply, undo and runs from the command line."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.helpers.tagging import digests, genres_by_mutagen, result, write_audio, write_database

STYLES = [
    {"style": "electronic", "parent": None, "probability": 0.8},
    {"style": "techno", "parent": "electronic", "probability": 0.7},
]


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder with an album of two files."""
    folder = tmp_path / "music"
    folder.mkdir()
    for name in ("1.flac", "2.mp3"):
        write_audio(folder / name)
    return folder


@pytest.fixture
def database(tmp_path: Path, music: Path) -> Path:
    """A database with rock for the first file and pop for the second, both techno by style."""
    genres = [{"rock": 0.6, "pop": 0.4}, {"pop": 0.9, "rock": 0.1}]
    rows = [
        result(path, each, styles=json.dumps(STYLES), style="techno")
        for path, each in zip(sorted(music.iterdir()), genres, strict=True)
    ]
    return write_database(tmp_path / "library.db", rows)


@pytest.fixture
def tag(invoke: Cli, tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run `genre-edge tag ARGUMENTS --db ...` in the temporary folder; return its output, or its code and message."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> str:
        done = invoke("tag", *arguments, "--db", database.name)
        return done.stdout if done.returncode == 0 else f"{done.returncode}: {done.stderr}"

    return run


def genres(music: Path) -> list[list[str]]:
    """Return the genres of the files."""
    return [genres_by_mutagen(path) for path in sorted(music.iterdir())]


def test_tag_plan_edit_apply_undo(tag: Callable[..., str], tmp_path: Path, music: Path) -> None:
    """A deleted line is respected, and so is a changed genre; runs lists what was done and undone."""
    before = digests(music)
    assert tag("plan", "--out", "plan") == "plan: 2 files to tag\n"
    assert digests(music) == before
    plan = tmp_path / "plan"
    lines = plan.read_text().splitlines()
    assert [line.split("\t")[1:4] for line in lines if not line.startswith("#")] == [
        ["Rock", "60%", "no genre yet"],
        ["Pop", "90%", "no genre yet"],
    ]
    plan.write_text("\n".join(line.replace("\tPop\t", "\tSynth Pop; Pop\t") for line in lines if "1.flac" not in line))
    dry = tag("apply", "plan", "--dry-run")
    assert dry == f"- -> Synth Pop; Pop  {music / '2.mp3'}\n"
    assert digests(music) == before
    assert not (tmp_path / "library.db.tags").exists()
    assert tag("apply", "plan") == "1 file tagged\n"
    assert genres(music) == [[], ["Synth Pop", "Pop"]]
    assert tag("apply", "plan") == "0 files tagged, 1 had these tags already\n"
    assert tag("runs").splitlines()[1].split()[2:] == ["1", "0"]
    assert tag("undo", "1") == "1 file restored\n"
    assert tag("runs").splitlines()[1].split()[2:] == ["0", "1"]
    assert digests(music) == before
    assert tag("undo") == "2: genre-edge: library.db.tags: no run to undo; genre-edge tag runs lists them\n"
    assert tag("undo", "7") == "2: genre-edge: library.db.tags: no run 7; genre-edge tag runs lists them\n"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), [["Rock"], ["Pop"]]),
        (("--top", "2"), [["Rock", "Pop"], ["Pop", "Rock"]]),
        (("--min-confidence", "0.7"), [[], ["Pop"]]),
        (("--per", "album"), [["Pop"], ["Pop"]]),
        (("--vocabulary", "styles"), [["Techno"], ["Techno"]]),
        (("--vocabulary", "styles", "--mapping", "names"), [["Electronic"], ["Electronic"]]),
        (("--mapping", "names"), [["Rock", "Loud"], ["Pop"]]),
        (("--whitelist", "allowed"), [["Pop"], ["Pop"]]),
    ],
)
def test_tag_plan_options(
    options: tuple[str, ...], expected: list[list[str]], tag: Callable[..., str], tmp_path: Path, music: Path
) -> None:
    """Each option decides what is written."""
    (tmp_path / "names").write_text("techno = Electronic\nRock = Rock; Loud\n")
    (tmp_path / "allowed").write_text("Pop\n")
    tag("plan", "--out", "plan", *options)
    tag("apply", "plan")
    assert genres(music) == expected


@pytest.mark.parametrize("options", [(), ("--mapping", "names"), ("--top", "2")])
def test_tag_plan_keeps_edited_lines(
    options: tuple[str, ...], tag: Callable[..., str], tmp_path: Path, music: Path
) -> None:
    """Genres that somebody changed in a plan, by replacing a name everywhere, stay in later plans without --force."""
    (tmp_path / "names").write_text("pop = Schlager\n")
    before = digests(music)
    tag("plan", "--out", "plan")
    plan = tmp_path / "plan"
    plan.write_text(plan.read_text().replace("Rock", "My Own Genre"))
    tag("apply", "plan")
    assert genres(music) == [["My Own Genre"], ["Pop"]]
    tag("plan", "--out", "plan", *options)
    assert "# left out: 1 file whose genre somebody set\n" in plan.read_text()
    tag("apply", "plan")
    assert genres(music)[0] == ["My Own Genre"]
    assert (genres(music)[1] == ["Pop"]) == (not options)
    if options:
        tag("undo")
    tag("undo", "1")
    assert digests(music) == before


def test_tag_apply_edited_line_again(tag: Callable[..., str], tmp_path: Path, music: Path) -> None:
    """An edited plan can be applied again; an unchanged line makes the same genre ours."""
    (tmp_path / "mine").write_text(f"# genre-edge tag plan 1\n\tRock\t\t\t\t{music / '1.flac'}\n")
    assert tag("apply", "mine") == "1 file tagged\n"
    assert tag("apply", "mine") == "0 files tagged, 1 had these tags already\n"
    tag("plan", "--out", "plan", "--top", "2")
    assert "1.flac" not in (tmp_path / "plan").read_text()
    tag("plan", "--out", "plan", "--top", "2", "--force")
    tag("apply", "plan")
    assert genres(music)[0] == ["Rock", "Pop"]
    tag("plan", "--out", "plan")
    assert "other options" in (tmp_path / "plan").read_text()


def test_tag_plan_keep_existing_and_force(tag: Callable[..., str], tmp_path: Path, music: Path) -> None:
    """Genres that somebody set are left out, and counted in output and plan; --force replaces them."""
    (tmp_path / "mine").write_text(f"# genre-edge tag plan 1\n\tPolka\t\t\t\t{music / '1.flac'}\n")
    tag("apply", "mine")
    tag("plan", "--out", "plan", "--keep-existing")
    media_before = genres(music)
    assert "whose genre somebody changed" not in (tmp_path / "plan").read_text()
    assert media_before == [["Polka"], []]
    assert tag("plan", "--out", "plan", "--force") == "plan: 2 files to tag\n"
    tag("apply", "plan")
    assert genres(music) == [["Rock"], ["Pop"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("apply", "missing"), "2: genre-edge: missing: No such file or directory\n"),
        (("apply", "library.db"), "2: genre-edge: library.db: not "),
        (("apply", "bad"), "2: genre-edge: bad, line 2: 'Rock/Pop' contains '/'"),
        (("undo",), "1: genre-edge: library.db.tags: no such journal; genre-edge tag apply makes it\n"),
        (("runs",), "1: genre-edge: library.db.tags: no such journal; genre-edge tag apply makes it\n"),
        (("plan", "--out", "p", "--whitelist", "no"), "2: genre-edge: no: No such file or directory\n"),
        (("plan", "--out", "p", "--mapping", "good"), "2: genre-edge: good, line 2: not of the form NAME = NAME\n"),
    ],
)
def test_tag_messages(arguments: tuple[str, ...], message: str, tag: Callable[..., str], tmp_path: Path) -> None:
    """Each fault is one line that names the file, and nothing is changed."""
    before = digests(tmp_path / "music")
    (tmp_path / "good").write_text("# genre-edge tag plan 1\n\trock\t\t\t\t/no/such/file\n")
    (tmp_path / "bad").write_text("# genre-edge tag plan 1\n\tRock/Pop\t\t\t\t/x\n")
    found = tag(*arguments)
    assert found.startswith(message), found
    assert found.count("\n") == 1
    assert digests(tmp_path / "music") == before


def test_tag_without_database(invoke: Cli, tmp_path: Path) -> None:
    """A missing database is an error; none is made."""
    (tmp_path / "plan").write_text("# genre-edge tag plan 1\n")
    for arguments in (("plan", "--out", tmp_path / "p"), ("apply", tmp_path / "plan")):
        done = invoke("tag", *arguments, "--db", tmp_path / "none.db")
        assert (done.returncode, done.stderr) == (
            1,
            f"genre-edge: {tmp_path}/none.db: no such database; genre-edge scan makes it\n",
        )
    assert not (tmp_path / "none.db").exists()


def test_tag_bad_file_of_many(tag: Callable[..., str], invoke: Cli, tmp_path: Path, music: Path) -> None:
    """A file that cannot be read is named, with exit code 1; the others are planned and tagged."""
    (music / "1.flac").write_bytes(b"fLaC\0\0\0\x22" + bytes(34) + b"\x84\0\0\x04\xff\xff\xff\xff")
    done = invoke("tag", "plan", "--db", tmp_path / "library.db", "--out", tmp_path / "plan")
    assert done.returncode == 1
    assert done.stderr.startswith(f"genre-edge: {music}/1.flac: mutagen cannot process the tags: ")
    assert done.stdout == f"{tmp_path}/plan: 1 file to tag\n"
    with (tmp_path / "plan").open("a") as plan:
        plan.write(f"\trock\t\t\t\t{music}/1.flac\n")
    done = invoke("tag", "apply", tmp_path / "plan", "--db", tmp_path / "library.db")
    assert (done.returncode, done.stdout) == (1, "1 file tagged, 1 failed\n")
    assert done.stderr.startswith(f"genre-edge: {music}/1.flac: mutagen cannot process the tags: ")


def test_tag_odd_name_in_messages(tag: Callable[..., str], tmp_path: Path, music: Path) -> None:
    """A name with control characters and invalid UTF-8 is printable in messages and lists."""
    name = os.fsdecode(b"\x1b[31m\xff\n.flac")
    (music / "1.flac").rename(music / name)
    write_database(tmp_path / "library.db", [result(music / name)])
    tag("plan", "--out", "plan")
    dry = tag("apply", "plan", "--dry-run")
    assert dry.splitlines()[0] == f"- -> Rock  {music}/\N{REPLACEMENT CHARACTER}[31m\\xff\N{REPLACEMENT CHARACTER}.flac"
    assert tag("apply", "plan") == "2 files tagged\n"
