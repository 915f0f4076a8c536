"""tools/fuzz_files.py: its mutations, its canary, its checks, and a small part of the corpus."""

import json
import os
import shutil
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from genre_edge.classify.verdict import InputInfo, ModelInfo, Verdict
from tests.conftest import DATA
from tools import fuzz_files
from tools.audio_corpus import check_run, mutate
from tools.audio_corpus.command_line import CLASSIFY, LIMIT_MB, program_environment
from tools.audio_corpus.corpus import Corpus, FuzzFile, encode_bases
from tools.audio_corpus.formats import FORMATS, LIBSNDFILE_FORMATS
from tools.audio_corpus.run_program import Run, run
from tools.audio_corpus.traps import NEIGHBOUR, PLAYLISTS, Canary, playlist

CONTENT, OTHER = bytes(range(256)) * 40, b"\xaa" * 3000
VERDICT = Verdict(
    start_s=0.0,
    end_s=0.5,
    genre=None,
    confidence=None,
    reason="too_short",
    genres=[],
    source="music/000001.wav",
    input=InputInfo(8000, 1, 22050.0),
    model=ModelInfo("m", "1", "0" * 64),
).to_dict()
RESULT = json.dumps(VERDICT).encode() + b"\n"
MESSAGE = b"genre-edge: music/000001.wav: not an audio file\n"


def ended(code: int | None = 0, out: bytes = b"", err: bytes = b"", **usage: object) -> Run:
    values = {"seconds": 1.0, "memory_mb": 100.0, "children_mb": 0.0, "left_children": False} | usage
    return Run(code, out, err, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("mutation", mutate.MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_mutation(mutation: mutate.Mutation) -> None:
    """A mutation changes the file, depends on the generator alone, and accepts empty and tiny files."""
    context = mutate.Context(OTHER)
    found = [mutation(CONTENT, np.random.default_rng(seed), context) for seed in (0, 0, 1, 2)]
    assert found[0] == found[1] and any(changed != CONTENT for changed in found)
    for content in (b"", b"a", b"abcdefgh"):
        for seed in range(20):
            assert isinstance(mutation(content, np.random.default_rng(seed), context), bytes)


def test_extreme_field_changes_header_only() -> None:
    """Only the first 4 KiB change, by a few bytes."""
    for seed in range(50):
        changed = mutate.extreme_field(CONTENT, np.random.default_rng(seed), mutate.Context(OTHER))
        assert len(changed) == len(CONTENT) and changed[4096:] == CONTENT[4096:]
        assert sum(old != new for old, new in zip(CONTENT, changed, strict=True)) <= 32


def test_ranges() -> None:
    """Swapping keeps the bytes, removing drops some, duplicating repeats some."""
    rng = np.random.default_rng(3)
    assert sorted(mutate.swap_ranges(CONTENT, rng, mutate.Context(OTHER))) == sorted(CONTENT)
    assert len(mutate.remove_range(CONTENT, rng, mutate.Context(OTHER))) < len(CONTENT)
    assert len(mutate.duplicate_range(CONTENT, rng, mutate.Context(OTHER))) > len(CONTENT)


def test_mutate_bounds_size() -> None:
    """Up to three mutations, named; the file stays below the limit."""
    for seed in range(50):
        content, names = mutate.mutate(bytes(mutate.MAX_SIZE), np.random.default_rng(seed), bytes(mutate.MAX_SIZE))
        assert len(content) <= mutate.MAX_SIZE and 1 <= len(names) <= 3


def test_corpus_file_depends_on_seed_and_number(tmp_path: Path) -> None:
    """A file can be made again from its seed and number; names begin with the number."""
    bases = {format: bytes([at]) * 5000 for at, format in enumerate(FORMATS)}
    files = [Corpus(0, bases).file(index, tmp_path, "http://x/") for index in range(300)]
    assert files == [Corpus(0, dict(bases)).file(index, tmp_path, "http://x/") for index in range(300)]
    assert files[:20] != [Corpus(1, bases).file(index, tmp_path, "http://x/") for index in range(20)]
    assert all(file.name.startswith(b"%06d" % file.index) and len(file.name) < 256 for file in files)
    assert any(b"\xff" in file.name for file in files) and any(b"\n" in file.name for file in files)
    assert any("playlist" in file.recipe for file in files)
    assert len({file.recipe.partition(":")[0] for file in files}) > 40


def test_encode_bases_without_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Formats whose encoder is missing are left out."""
    monkeypatch.setenv("PATH", "")
    bases = encode_bases(tmp_path, [LIBSNDFILE_FORMATS[0], next(f for f in FORMATS if f.suffix == ".m4a")])
    assert list(bases) == [LIBSNDFILE_FORMATS[0]] and not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_playlist_is_filled_in(kind: str, tmp_path: Path) -> None:
    """A playlist names what it should."""
    text = playlist(kind, tmp_path, "http://127.0.0.1:1/x.ts").decode()
    assert not {"{file}", "{path}", "{url}"} & {text[at : text.find("}", at) + 1] for at in range(len(text))}


def test_canary(tmp_path: Path) -> None:
    """The canary notices an opened file and a connection, once each."""
    with Canary(tmp_path, b"content") as canary:
        assert canary.touched() is None
        assert (tmp_path / NEIGHBOUR).read_bytes() == b"content"
        assert canary.touched() == "a neighbouring file was opened" and canary.touched() is None
        with pytest.raises(OSError):
            urllib.request.urlopen(canary.url, timeout=0.2)
        assert canary.touched() == "a network connection was made" and canary.touched() is None


@pytest.mark.parametrize(
    ("done", "fault"),
    [
        (ended(0, RESULT), None),
        (ended(0, RESULT, MESSAGE), None),  # a warning
        (ended(0, RESULT, b"genre-edge: music: " + check_run._SKIPPED + b"\n"), None),  # the canary
        (ended(1, RESULT, MESSAGE), None),
        (ended(1, b"", MESSAGE), None),
        (ended(None, RESULT), "no end after 9 s"),
        (ended(-11, RESULT), "killed by signal 11"),
        (ended(2, RESULT), "exit code 2"),
        (ended(0, b"", MESSAGE), "exit code 0, although a file has no result"),
        (ended(0, RESULT, b'Traceback (most recent call last):\n  File "music/000001"\n'), "not a message"),
        (ended(0, RESULT, b"/x/000001.py:1: RuntimeWarning: overflow\n"), "not a message"),
        (ended(0, RESULT, b"genre-edge: something\n"), "not a message about a file"),
        (ended(0, RESULT[:-5] + b"\n"), "no JSON"),
        (ended(0, RESULT.replace(b'"start_s": 0.0', b'"start_s": NaN')), "no JSON"),
        (ended(0, RESULT.replace(b'"too_short"', b'"noise"')), "not in the schema"),
        (ended(0, RESULT + RESULT), "file 000001: 2 results"),
        (ended(1), "file 000001: 0 results, 0 messages"),
        (ended(1, b"", 2 * MESSAGE), None),  # a warning and an error
        (ended(1, b"", 3 * MESSAGE), "file 000001: 0 results, 3 messages"),
        (ended(0, RESULT + RESULT.replace(b"000001", b"000002")), "file 000002"),
        (ended(0, RESULT, memory_mb=251.0), "memory: 251 MB"),
        (ended(0, RESULT, children_mb=400.0), "memory of a child process: 400 MB"),
        (ended(0, RESULT, left_children=True), "a child process is left"),
    ],
)
def test_check_run(done: Run, fault: str | None) -> None:
    """Each kind of misbehaviour is a fault, and nothing else is."""
    found = check_run.faults(done, [1], 9.0, 250.0)
    assert found == [] if fault is None else any(fault in text for text in found)


def test_run_program_ends_hang_and_children() -> None:
    """A program that hangs is killed; a child that it leaves is found and killed; memory is measured."""
    hung = run(["sleep", "60"], 0.3, dict(os.environ))
    assert hung.code is None and not hung.left_children
    left = run(["sh", "-c", "sleep 60 & exit 1"], 30, dict(os.environ))
    assert left.code == 1 and left.left_children
    child = "import time; x = b'1' * 10**8; time.sleep(1)"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}]); print(1)"
    large = run([sys.executable, "-c", program], 60, dict(os.environ))
    assert large.code == 0 and large.out == b"1\n" and large.children_mb > 100 > large.memory_mb > 1


def fuzzer(program: str, files: list[FuzzFile]) -> fuzz_files.Fuzzer:
    """A fuzzer of a Python program over given files."""

    class FixedCorpus(Corpus):
        def file(self, index: int, folder: Path, url: str) -> FuzzFile:
            return files[index]

    command = [sys.executable, "-c", program]
    return fuzz_files.Fuzzer(FixedCorpus(0, {}), b"audio", command, 30.0, 250.0, dict(os.environ))


FOLDER_PROGRAM = """
import os, pathlib, signal, sys
folder = pathlib.Path(sys.argv[1])
for path in sorted(folder.glob("0*")):
    if path.read_bytes() == b"crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if path.read_bytes() == b"playlist":
        (folder / "neighbour.m4s").read_bytes()
    print(f"genre-edge: {path}: no audio", file=sys.stderr, flush=True)
sys.exit(1)
"""


def test_fuzzer_finds_file_that_fails(tmp_path: Path) -> None:
    """In a batch, the file that crashes the program and the one that opens a neighbour are found and saved."""
    contents = [b"a", b"crash", b"b", b"playlist"]
    files = [FuzzFile(at, b"%06d.wav" % at, content, f"wav: {content!r}") for at, content in enumerate(contents)]
    report = fuzzer(FOLDER_PROGRAM, files).examine([0, 1, 2, 3])
    assert [failure.file.index for failure in report.failures] == [1, 3]
    assert report.failures[0].faults == ["killed by signal 11"]
    assert report.failures[1].faults == ["a neighbouring file was opened"]
    for failure in report.failures:
        fuzz_files.save(failure, 7, tmp_path)
    assert (tmp_path / "7-000001.wav").read_bytes() == b"crash"
    entries = [json.loads(line) for line in (tmp_path / "failures.jsonl").read_text().splitlines()]
    assert [(entry["seed"], entry["index"]) for entry in entries] == [(7, 1), (7, 3)]
    assert any("2 failures" in line for line in fuzz_files.summary(report))


def test_fuzzer_keeps_failure_of_batch() -> None:
    """A batch that fails although each of its files passes alone is a failure, too."""
    program = FOLDER_PROGRAM + "\n".replace("\n", "")
    program = program.replace("sys.exit(1)", "sys.exit(1 if len(list(folder.glob('0*'))) == 1 else 5)")
    files = [FuzzFile(at, b"%06d.wav" % at, b"", "wav: cut") for at in range(2)]
    report = fuzzer(program, files).examine([0, 1])
    assert [failure.faults for failure in report.failures] == [["exit code 5"]]


def test_fuzzer_writes_playlists_with_its_canary(tmp_path: Path) -> None:
    """What a playlist of the corpus names is the canary of its batch."""
    text = playlist("ffconcat", tmp_path, "http://x/").decode()
    assert NEIGHBOUR in text and (DATA / "verdict.schema.json").samefile(check_run.SCHEMA)


@pytest.mark.slow
@pytest.mark.parametrize("with_ffmpeg", [True, False], ids=["with ffmpeg", "without ffmpeg"])
def test_fuzz_command_line(with_ffmpeg: bool, tmp_path: Path) -> None:
    """The first files of the corpus crash, hang or break nothing."""
    if with_ffmpeg and shutil.which("ffmpeg") is None:
        pytest.skip("needs ffmpeg")
    bases = encode_bases(tmp_path)
    environment = program_environment(with_ffmpeg)
    tool = fuzz_files.Fuzzer(Corpus(0, bases), OTHER, CLASSIFY, 300.0, LIMIT_MB, environment)
    n = 100 if with_ffmpeg else 50
    report = tool.examine(list(range(n)))
    assert [(failure.file.recipe, failure.faults) for failure in report.failures] == []
    assert report.n_files == n and report.n_results > n // 5
