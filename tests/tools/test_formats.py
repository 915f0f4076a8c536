"""tools/formats.py: its rules, its cases, and a small part of the comparison."""

import json
import os
import shutil
import signal
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from genre_edge.audio.suffixes import FFMPEG_DEMUXERS, SOUNDFILE_SUFFIXES
from tests.tools.test_fuzz_files import VERDICT
from tools import formats as program
from tools.audio_corpus import command_line, damage, judge, listen, reference
from tools.audio_corpus.cases import KINDS, Case, CaseMaker
from tools.audio_corpus.formats import FORMATS, LIBSNDFILE_FORMATS, NOT_TESTED, Format
from tools.audio_corpus.listen import Outcome
from tools.audio_corpus.run_program import Run

SECONDS = 3.0
FORMAT = {format.name: format for format in FORMATS}
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg as the other decoder")


def case(kind: str, name: str = "flac", built_s: float | None = None) -> Case:
    return Case(FORMAT[name], kind, "", b"", ".flac", built_s)


def test_formats_have_every_suffix() -> None:
    """Each container that genre-edge reads has a format with an encoder, or is listed as one that is not tested."""
    suffixes = {format.suffix for format in FORMATS}
    for demuxer, names in FFMPEG_DEMUXERS.items():
        assert not names or demuxer in NOT_TESTED or {f".{name}" for name in names.split()} & suffixes, demuxer
    other_names = {"wave bwf wavex bw64": "wav", "aif afc": "aiff", "mp1 mpa m2a": "mp2", "8svx 16svx": "svx"}
    other_names |= {"sf": "ircam", "sph": "nist", "fap": "paf"}
    same = {f".{name}" for names in other_names for name in names.split()}
    assert SOUNDFILE_SUFFIXES - same <= suffixes


def test_formats_have_different_names() -> None:
    """Names and file names of formats are unique."""
    assert len({format.name for format in FORMATS}) == len({format.id for format in FORMATS}) == len(FORMATS) > 50


@pytest.mark.parametrize(
    ("kind", "truth", "outcome", "fault"),
    [
        ("intact", 12.0, Outcome(12.03), None),
        ("intact", 12.0, Outcome(12.0, ["x: the file is truncated; it ends after 12.0 s"]), "false warning"),
        ("intact", 12.0, Outcome(4.0), "heard 4.0 of 12.0 s: no warning"),
        ("intact", 12.0, Outcome(36.0), "heard 36.0 of 12.0 s"),
        ("joined", 12.0, Outcome(4.0), "heard 4.0 of 12.0 s"),
        ("joined", 12.0, Outcome(4.0, ["x: decoded 4.0 s of 12.0 s"]), "heard 4.0 of 12.0 s"),
        ("renamed", 12.0, Outcome(0.0, error="x: not audio"), "refused: not audio"),
        ("flipped", 12.0, Outcome(11.6), None),
        ("flipped", 12.0, Outcome(4.0), "heard 4.0 of 12.0 s: no warning"),
        ("flipped", 12.0, Outcome(4.0, ["x: decoded 4.0 s"]), None),
        ("flipped", 12.0, Outcome(4.0, ["x: decoded 4.0 of 12.0 s"]), None),
        ("flipped", 12.0, Outcome(4.0, ["x: decoded 9.0 of 12.0 s"]), "heard 4.0 of 12.0 s"),
        ("flipped", 12.0, Outcome(4.0, ["x: 8 s are missing"]), None),
        ("flipped", 12.0, Outcome(4.0, ["x: something happened"]), "heard 4.0 of 12.0 s: something happened"),
        ("flipped", 12.0, Outcome(4.0, ["x: decoded 9.0 s"]), "heard 4.0 of 12.0 s"),
        ("flipped", 12.0, Outcome(4.0, [], "x: lost sync"), "no verdict, of 12.0 s: lost sync"),
        ("flipped", 0.0, Outcome(0.0, [], "x: not audio"), None),
        ("flipped", 0.0, Outcome(0.0, failure="Traceback\nValueError: no"), "ValueError: no"),
        ("stale", 12.0, Outcome(6.0), "heard 6.0 of 12.0 s"),
        ("cut", 5.0, Outcome(5.0), "cut without a warning"),
        ("cut", 5.0, Outcome(5.0, ["x: decoded 5.0 s of 12.0 s"]), None),
        ("cut", 11.8, Outcome(11.8), None),
    ],
)
def test_fault(kind: str, truth: float, outcome: Outcome, fault: str | None) -> None:
    """Audio that is missing without a word, false warnings, refusals and failures are faults; a word excuses damage."""
    found = judge.fault(case(kind), truth, 12.0, outcome)
    assert (found is None) if fault is None else (found is not None and fault in found)


def test_fault_cut_without_end_mark() -> None:
    """A cut cannot be noticed where nothing declares the length."""
    assert judge.fault(case("cut", "adts aac"), 5.0, 12.0, Outcome(5.0)) is None


def test_fault_without_ffmpeg() -> None:
    """Where ffmpeg is not installed, a message that says so is right, and a joined file may be heard in part."""
    needs = Outcome(error="x: needs ffmpeg, which is not installed")
    assert judge.fault(case("intact"), 12.0, 12.0, needs, has_ffmpeg=False) is None
    assert "needs ffmpeg" in (judge.fault(case("intact"), 12.0, 12.0, needs) or "")
    part = Outcome(4.0, ["x: decoded 4.0 s"])
    assert judge.fault(case("joined"), 12.0, 12.0, part, has_ffmpeg=False) is None
    assert judge.fault(case("joined"), 12.0, 12.0, Outcome(4.0), has_ffmpeg=False) is not None
    assert judge.fault(case("intact"), 12.0, 12.0, part, has_ffmpeg=False) is not None


@pytest.mark.parametrize(
    ("code", "out", "err", "outcome", "fault"),
    [
        (0, 12.0, "", Outcome(12.0), None),
        (0, 5.0, "decoded 5.0 s", Outcome(5.0, ["x: decoded 5.0 s"]), None),
        (1, 5.0, "decoded 5.0 s", Outcome(5.0, ["x: decoded 5.0 s"]), None),
        (1, None, "no audio", Outcome(error="x: no audio"), None),
        (1, None, "sample 7 is inf", Outcome(12.0), "0.0 s of 12.0 s classified: sample 7 is inf"),
        (0, 4.0, "", Outcome(12.0), "4.0 s of 12.0 s classified: no message"),
        (0, 5.0, "", Outcome(5.0, ["x: decoded 5.0 s"]), "0 messages, 1 in the log"),
        (0, 5.0, "replaced 1 invalid sample", Outcome(5.0), None),
        (0, 5.0, "truncated", Outcome(5.0), "1 messages, 0 in the log"),
        (2, 5.0, "", Outcome(5.0), "exit code 2"),
    ],
)
def test_command_line_faults(
    code: int, out: float | None, err: str, outcome: Outcome, fault: str | None, tmp_path: Path
) -> None:
    """The command line must classify what the source gives, and say what the log says."""
    path = tmp_path / "000003.wav"
    verdict = VERDICT | {"source": str(path), "end_s": out}
    lines = "" if out is None else json.dumps(verdict) + "\n"
    message = f"genre-edge: {path}: {err}\n" if err else ""
    done = Run(code, lines.encode(), message.encode(), 1.0, 80.0, 0.0, False)
    with mock.patch.object(command_line, "run", return_value=done):
        found = command_line.command_line_faults({path: outcome})
    assert found == {} if fault is None else fault in found[path]


def test_decoder() -> None:
    """The decoder is found from what happens without ffmpeg."""
    assert program.decoder(Outcome(12.0)) == "libsndfile"
    assert program.decoder(Outcome(error="x: needs ffmpeg, which is not installed")) == "ffmpeg"
    assert program.decoder(Outcome(error="x: not audio")) == "none"


def test_update_table() -> None:
    """New rows replace old ones of the same format; the order is that of the formats."""
    old = program.FormatResult("flac", "none", [program.Result("intact", "", 12.0, 0.0, "refused")])
    kept = program.FormatResult("mp2", "libsndfile", [program.Result("intact", "", 12.0, 12.0, None)])
    lines = list(program.update_table([], [kept, old]))
    assert lines[2].startswith("| flac | none | 0 of 1 |") and lines[3].startswith("| mp2 | libsndfile | 1 of 1 |")
    new = program.FormatResult("flac", "libsndfile", [program.Result("intact", "", 12.0, 12.0, None)])
    again = list(program.update_table(lines, [new]))
    assert again[2].startswith("| flac | libsndfile | 1 of 1 |") and again[3:] == lines[3:] and again[:2] == lines[:2]
    assert {line.count("|") for line in again} == {3 + len(KINDS)}


def test_chosen() -> None:
    """Formats are chosen by name; an unknown name ends the program."""
    assert [format.name for format in program.chosen("flac; mp2")] == ["flac", "mp2"]
    assert program.chosen(None) == FORMATS
    with pytest.raises(SystemExit, match="unknown: x"):
        program.chosen("x")


def test_truth() -> None:
    """The construction is the truth where it is known, else the other decoders."""
    assert judge.truth_s(case("stale", built_s=12.0), 6.0) == 12.0
    assert judge.truth_s(case("cut"), 6.0) == 6.0


@pytest.mark.parametrize("n", [5, 20])
def test_places(n: int) -> None:
    """Places are inside the file, one in each equal part, and depend on the seed."""
    found = damage.places(1000, n, np.random.default_rng(1))
    assert [at * n // 1000 for at in found] == list(range(n)) and min(found) >= 1
    assert found == damage.places(1000, n, np.random.default_rng(1)) != damage.places(1000, n, np.random.default_rng(2))
    assert len(damage.flip_places(10_000, n, np.random.default_rng(1))) == n


def test_flip() -> None:
    """One bit differs, and the same flip undoes it."""
    assert damage.flip(b"abc", 1, 0) == b"acc"
    assert damage.flip(damage.flip(b"abc", 2, 7), 2, 7) == b"abc"


@pytest.mark.parametrize("name", ["wav pcm 16 bit", "rf64", "w64", "aiff", "au", "caf pcm", "flac", "mp3 VBR"])
def test_stale_headers(name: str, tmp_path: Path) -> None:
    """Each changes a few bytes of the header only; libsndfile then reads less, or nothing."""
    content = CaseMaker(FORMAT[name], tmp_path, 1.0, 0).content
    found = list(damage.stale_headers(content))
    assert len(found) >= (1 if name == "mp3 VBR" else 2)
    for detail, stale in found:
        different = [at for at, (old, new) in enumerate(zip(content, stale, strict=True)) if old != new]
        assert 1 <= len(different) <= 8 and max(different) < 5000, detail
    half = next(stale for detail, stale in found if detail.endswith("half"))
    (tmp_path / "x").write_bytes(half)
    expected_s = 1.0 if name == "w64" else 0.5  # libsndfile reads a w64 to its end
    assert reference.libsndfile_s(tmp_path / "x") == pytest.approx(expected_s, abs=0.06)


@pytest.mark.parametrize("kind", damage.TAGS)
def test_add_tag(kind: str, tmp_path: Path) -> None:
    """A tag adds bytes to one end; the audio stays."""
    content = CaseMaker(FORMAT["wav pcm 16 bit"], tmp_path, 1.0, 0).content
    tagged = damage.add_tag(content, kind)
    assert len(tagged) > len(content)
    assert tagged.endswith(content) if kind == "id3v2" else tagged[:4] == b"RIFF" and content[8:] in tagged


def test_cases_of_format(tmp_path: Path) -> None:
    """The same seed gives the same cases; each kind that applies is there."""
    found, again, other = (list(CaseMaker(FORMAT["flac"], tmp_path, 1.0, seed).all(5)) for seed in (0, 0, 1))
    assert found == again and [c.detail for c in found] != [c.detail for c in other]
    assert {c.kind for c in found} == set(KINDS) - {"mid-frame"}
    assert not list(tmp_path.iterdir())


def test_listen_reports_hang_and_crash(tmp_path: Path) -> None:
    """A child that hangs is killed and reported; one that dies, too; an exception is shown."""
    with mock.patch.object(listen, "read", side_effect=lambda path: time.sleep(60)):
        assert listen.listen(tmp_path, 0.2).failure == "no result after 0 s"
    with mock.patch.object(listen, "read", side_effect=lambda path: os.kill(os.getpid(), signal.SIGKILL)):
        assert "exit code -9" in (listen.listen(tmp_path).failure or "")
    with mock.patch.object(listen, "open_file", side_effect=KeyError("no")):
        assert "KeyError" in (listen.listen(tmp_path).failure or "")


def test_formats_fail_if_source_hears_too_little(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A source that drops the second half of an intact file without a warning is found and listed."""
    whole = listen.read

    def half(path: Path) -> Outcome:
        outcome = whole(path)
        outcome.heard_s /= 2
        return outcome

    with mock.patch.object(listen, "read", half), mock.patch.object(reference, "ffmpeg_s", lambda path: 0.0):
        found = program.examine_format(FORMAT["au"], program.Settings(SECONDS, 3, keep=tmp_path))
    intact = next(result for result in found.results if result.kind == "intact")
    assert intact.fault == "heard 1.5 of 3.0 s: no warning"
    assert "| 0 of 1 |" in program.row(found)
    assert any(line.startswith("au, intact") for line in program.faults(found))
    assert next(tmp_path.glob("au-intact.au")).stat().st_size > 100_000


@pytest.mark.parametrize(
    "format", [*LIBSNDFILE_FORMATS[:3], FORMAT["flac"], FORMAT["au"]], ids=lambda format: format.id
)
def test_intact_file_is_heard(format: Format, tmp_path: Path) -> None:
    """An intact file is heard whole without a warning."""
    intact = CaseMaker(format, tmp_path, SECONDS, 0).intact()
    path = tmp_path / f"000000{format.suffix}"
    result, outcome = program.examine_case(intact, program.Settings(SECONDS), path)
    assert command_line.command_line_faults({path: outcome}) == {}
    assert result.fault is None and result.heard_s == pytest.approx(SECONDS)


@needs_ffmpeg
@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.id)
def test_encoder(format: Format, tmp_path: Path) -> None:
    """Each encoder makes a file that another decoder reads whole."""
    path = tmp_path / f"x{format.suffix}"
    format.encode(format.audio(1.0), path)
    assert reference.decoded_s(path) == pytest.approx(1.0, abs=0.15)


@needs_ffmpeg
@pytest.mark.parametrize("name", ["mpg mpeg2 mp2", "ts mpeg2 mp2", "ogg flac", "avi mpeg4 mp3"])
def test_container_is_left_to_ffmpeg(name: str, tmp_path: Path) -> None:
    """libsndfile does not decode the sound in a film as if the packets of the picture were not there."""
    path = tmp_path / f"x{FORMAT[name].suffix}"
    path.write_bytes(CaseMaker(FORMAT[name], tmp_path, 1.0, 0).content)
    assert "needs ffmpeg" in (listen.listen(path, has_ffmpeg=False).error or "")


@needs_ffmpeg
@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["wav pcm 16 bit", "flac", "ogg vorbis", "mp3 VBR without index", "m4a aac, index first", "mkv h264 aac"]
)
def test_format_is_heard(name: str) -> None:
    """A small part of the comparison: no case of these formats fails."""
    found = program.examine_format(FORMAT[name], program.Settings(SECONDS, 3))
    assert list(program.faults(found)) == [] and len(found.results) >= 9
