"""Applying plans and undoing runs, in the process: what is checked, recorded and refused."""

import os
from pathlib import Path
from typing import Any

import mutagen
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutagen.id3 import ID3, TCON, TIT2

from genre_edge.library.database import LibraryDatabase
from genre_edge.library.tagging.apply import Outcome, apply_plan, check_entry, recover, undo_run
from genre_edge.library.tagging.formats import read_tags
from genre_edge.library.tagging.journal import TagJournal
from genre_edge.library.tagging.plan_file import PlanEntry
from tests.helpers.tagging import FORMATS, decode, digests, result, write_database

ODD_NAMES = [b"new\nline.flac", b"tab\t.flac", b"caf\xe9.flac", b" .flac", b"#x.flac", b"a\\x41\\.flac", b"\x01;.flac"]


class Tagger:
    """A library with a journal; messages on files are collected."""

    def __init__(self, folder: Path, paths: list[Path]) -> None:
        database = write_database(folder / "library.db", map(result, paths))
        self.database, self.journal = LibraryDatabase(database), TagJournal(folder / "journal")
        self.messages: list[str] = []
        self.n_reports = 0

    def report(self, message: str | None) -> None:
        """Count a file, and keep the message on it if there is one."""
        self.n_reports += 1
        if message is not None:
            self.messages.append(message)

    def apply(self, *entries: PlanEntry, comment: bool = False) -> Outcome:
        """Apply entries."""
        return apply_plan(list(entries), self.database, self.journal, comment, self.report)

    def undo(self) -> Outcome:
        """Undo the last run that is not undone."""
        run = [run.id for run in self.journal.runs() if run.n_applied][-1]
        return undo_run(self.journal, run, self.report)

    def __enter__(self) -> "Tagger":
        return self

    def __exit__(self, *_: object) -> None:
        self.database.close()
        self.journal.__exit__(None, None, None)


def entry(path: Path, *genres: str, old: str = "") -> PlanEntry:
    """Return an entry of a plan."""
    return PlanEntry(str(path), old, genres or ("rock",))


values = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", FORMATS)
@settings(max_examples=5, deadline=None)
@given(tags=st.dictionaries(st.sampled_from(["title", "artist", "lyrics"]), values), size=st.integers(0, 200_000))
def test_round_trip_any_tags(
    suffix: str,
    tags: dict[str, str],
    size: int,
    audio_files: dict[str, bytes],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Whatever tags a file has, apply keeps them and the sound, and undo restores every bit."""
    folder = tmp_path_factory.mktemp("any")
    path = folder / f"song.{suffix}"
    path.write_bytes(audio_files[suffix])
    media = mutagen.File(path, easy=True)
    if suffix in ("wav", "aiff"):
        media.add_tags()
        media.tags.add(TIT2(encoding=3, text=[tags.get("title", "") + "x" * size]))
    else:
        for key, value in tags.items():
            if not (suffix in ("mp3", "m4a") and key == "lyrics"):
                media[key] = [value, "x" * size]
    media.save()
    old, sound, before = path.read_bytes(), decode(path), repr(mutagen.File(path).tags)
    with Tagger(folder, [path]) as tagger:
        assert tagger.apply(entry(path, "rock", "Drum & Bass")) == Outcome(n_changed=1)
        assert read_tags(path).genres == ("rock", "Drum & Bass")
        assert decode(path) == sound
        assert path.read_bytes() != old
        assert tagger.undo() == Outcome(n_changed=1)
    assert path.read_bytes() == old
    assert repr(mutagen.File(path).tags) == before


def test_apply_odd_names(tmp_path: Path, audio_files: dict[str, bytes]) -> None:
    """Names with line breaks, tabs, invalid UTF-8 and escapes are found again, by apply and by undo."""
    folder = tmp_path / "music"
    folder.mkdir()
    paths = [folder / os.fsdecode(name) for name in ODD_NAMES]
    for path in paths:
        path.write_bytes(audio_files["flac"])
    before = digests(folder)
    with Tagger(tmp_path, paths) as tagger:
        assert tagger.apply(*map(entry, paths)) == Outcome(n_changed=len(paths))
        assert tagger.n_reports == len(paths)
        assert all(read_tags(path).genres == ("rock",) for path in paths)
        assert tagger.undo() == Outcome(n_changed=len(paths))
    assert digests(folder) == before


def test_apply_evidence_and_comment(tmp_path: Path, music: Path) -> None:
    """The evidence has model, date and the three best genres of the scan, and what was written by the edited plan."""
    path = music / "song.mp3"
    with Tagger(tmp_path, [path]) as tagger:
        tagger.apply(entry(path, "Polka"), comment=True)
    evidence = read_tags(path).evidence
    assert evidence is not None
    assert (evidence.top, evidence.written) == ((("rock", 0.7), ("pop", 0.2), ("jazz", 0.06)), ("Polka",))
    assert (evidence.model_sha256, evidence.date) == ("ab" * 32, "2026-11-29T00:00:00+00:00")
    assert len(evidence.to_text()) < 300
    assert str(ID3(path)["COMM::eng"]) == "genre-edge: rock 70%, pop 20%, jazz 6%"


def test_apply_twice(tmp_path: Path, music: Path) -> None:
    """The same plan again changes nothing and is no error; it leaves no run."""
    path = music / "song.flac"
    with Tagger(tmp_path, [path]) as tagger:
        tagger.apply(entry(path))
        before = path.read_bytes()
        assert tagger.apply(entry(path)) == Outcome(n_unchanged=1)
        assert len(list(tagger.journal.runs())) == 1
    assert path.read_bytes() == before


def test_apply_refuses(tmp_path: Path, music: Path) -> None:
    """Files that changed since the plan, are unknown, gone, linked or no music are named; the others are tagged."""
    changed, linked, gone, unknown, damaged, pipe, good = (
        music / name for name in ("c.flac", "l.flac", "g.flac", "u.flac", "d.flac", "p.flac", "song.flac")
    )
    for path in (changed, linked, unknown, gone):
        path.write_bytes(good.read_bytes())
    media = mutagen.File(changed)
    media["genre"] = "Polka"
    media.save()
    (tmp_path / "link").hardlink_to(linked)
    damaged.write_bytes(b"fLaC" + bytes(100))
    os.mkfifo(pipe)
    paths = [changed, linked, gone, damaged, pipe, good]
    with Tagger(tmp_path, [changed, linked, gone, damaged, pipe, good]) as tagger:
        gone.unlink()
        before = digests(music)
        entries = [*map(entry, paths), entry(unknown)]
        found = [check_entry(each, tagger.database) for each in entries]
        assert tagger.apply(*entries) == Outcome(n_changed=1, n_failed=6)
        assert [message for message in found if message] == tagger.messages
    assert {name for name, digest in digests(music).items() if digest != before[name]} == {good.name}
    reasons = {Path(message.split(": ")[0]).name: message for message in tagger.messages}
    assert "its genre is Polka, not empty as in the plan" in reasons["c.flac"]
    assert "hard links" in reasons["l.flac"]
    assert "No such file" in reasons["g.flac"]
    assert "the database has no such file" in reasons["u.flac"]
    assert "no tags that genre-edge writes" in reasons["d.flac"]
    assert "not a regular file" in reasons["p.flac"]


def test_apply_symbolic_link(tmp_path: Path, music: Path) -> None:
    """A symbolic link and its target are one file: tagged once, undone through the target."""
    target, link = music / "song.ogg", tmp_path / "link.ogg"
    link.symlink_to(target)
    before = target.read_bytes()
    with Tagger(tmp_path, [link, target]) as tagger:
        assert tagger.apply(entry(link), entry(target)) == Outcome(n_changed=1, n_unchanged=1)
        assert link.is_symlink()
        link.unlink()
        assert tagger.undo() == Outcome(n_changed=1)
    assert target.read_bytes() == before


def test_undo_refuses_changed_files(tmp_path: Path, music: Path) -> None:
    """A file that somebody changed after apply stays as it is and is named; the others are restored."""
    paths = sorted(music.iterdir())
    before = digests(music)
    with Tagger(tmp_path, paths) as tagger:
        tagger.apply(*map(entry, paths))
        tags = ID3(music / "song.mp3")
        tags.add(TCON(encoding=0, text=["Polka"]))
        tags.save()
        (music / "song.wav").unlink()
        mine = (music / "song.mp3").read_bytes()
        assert tagger.undo() == Outcome(n_changed=len(paths) - 2, n_failed=2)
        assert sorted(tagger.messages) == [
            f"{music / 'song.mp3'}: the file has changed since it was tagged; it is not restored",
            f"{music / 'song.wav'}: No such file or directory",
        ]
        ((run),) = tagger.journal.runs()
        assert (run.n_applied, run.n_undone) == (2, len(paths) - 2)
    assert (music / "song.mp3").read_bytes() == mine
    after = digests(music)
    assert all(after[name] == digest for name, digest in before.items() if name not in ("song.mp3", "song.wav"))


def test_undo_of_earlier_run(tmp_path: Path, music: Path) -> None:
    """Of two runs on a file, the later one is undone first; the earlier one is refused before that."""
    path = music / "song.m4a"
    states = [path.read_bytes()]
    with Tagger(tmp_path, [path]) as tagger:
        for old, new in (("", "rock"), ("rock", "Polka")):
            tagger.apply(entry(path, new, old=old))
            states.append(path.read_bytes())
        first = min(run.id for run in tagger.journal.runs())
        assert undo_run(tagger.journal, first, tagger.report) == Outcome(n_failed=1)
        assert "undo run 2 first" in tagger.messages[0]
        for state in states[1::-1]:
            assert tagger.undo() == Outcome(n_changed=1)
            assert path.read_bytes() == state


def test_undo_of_restored_file(tmp_path: Path, music: Path) -> None:
    """A file that somebody restored, for example from a backup, counts as undone."""
    path = music / "song.opus"
    before = path.read_bytes()
    with Tagger(tmp_path, [path]) as tagger:
        tagger.apply(entry(path))
        path.write_bytes(before)
        assert tagger.undo() == Outcome(n_changed=1)
        assert [run.n_undone for run in tagger.journal.runs()] == [1]


def test_apply_changed_audio_is_refused(tmp_path: Path, music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a library changed the audio, or lost a genre, the file would stay as it is."""
    path = music / "song.wav"
    before = path.read_bytes()

    def damage(file: Any, new: object) -> None:
        file.seek(200)
        file.write(b"\x55")

    with Tagger(tmp_path, [path]) as tagger:
        for write, message in (
            (damage, "audio would not stay"),
            (lambda file, new: None, "does not keep the new genres"),
        ):
            monkeypatch.setattr("genre_edge.library.tagging.apply.write_open", write)
            assert tagger.apply(entry(path)) == Outcome(n_failed=1)
            assert message in tagger.messages.pop()
    assert path.read_bytes() == before
    assert sorted(each.name for each in music.iterdir()) == sorted(f"song.{suffix}" for suffix in FORMATS)


def test_recover_removes_leftovers(tmp_path: Path, music: Path) -> None:
    """What a killed run left in its folders is removed by the next command."""
    leftover = music / ".genre-edge-0123456789abcdef.tmp"
    with Tagger(tmp_path, [music / "song.mp3"]) as tagger:
        tagger.journal.begin([music])
        leftover.write_bytes(b"half")
        recover(tagger.journal)
        assert not leftover.exists()
        assert tagger.journal.unfinished() == {}
