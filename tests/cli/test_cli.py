"""`genre-edge classify`, `models` and `spectrogram`: arguments, output and exit codes."""

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import soundfile

from tests.conftest import DATA, ROOT, TIMEOUT_S, Cli
from tests.helpers.audio import tone
from tests.helpers.bundles import RATE, STYLED, TINY

SCHEMA = json.loads((DATA / "verdict.schema.json").read_text())


def parse_verdicts(text: str) -> list[dict]:
    verdicts = json.loads(text)
    for verdict in verdicts:
        jsonschema.validate(verdict, SCHEMA)
    return verdicts


def test_classify_every_format(invoke: Cli, song: Path) -> None:
    """The song gets the same verdict in every format."""
    (as_json,) = parse_verdicts(invoke("classify", song, "--format", "json").stdout)
    (as_line,) = map(json.loads, invoke("classify", song, "--format", "jsonl").stdout.splitlines())
    (row,) = csv.DictReader(io.StringIO(invoke("classify", song, "--format", "csv").stdout))
    table = invoke("classify", song).stdout.splitlines()
    assert as_json == as_line
    assert row["source"] == as_json["source"] == str(song)
    assert row["genre_1"] == as_json["genres"][0]["genre"]
    assert float(row["probability_1"]) == as_json["genres"][0]["probability"]
    assert len(table) == 2 and table[1].endswith(str(song)) and as_json["genres"][0]["genre"] in table[1]
    assert as_json["end_s"] == pytest.approx(31.024, abs=1e-3)
    assert sum(g["probability"] for g in as_json["genres"]) == pytest.approx(1, abs=1e-3)


def test_classify_top_and_segments(invoke: Cli, song: Path) -> None:
    """`--top` limits the genres of verdicts and segments; `--segments` lists segments in JSON and CSV."""
    (verdict,) = parse_verdicts(invoke("classify", song, "--format", "json", "--top", 2, "--segments").stdout)
    assert len(verdict["genres"]) == 2
    assert len(verdict["segments"]) > 1
    assert all(len(segment["genres"]) == 2 for segment in verdict["segments"])
    assert verdict["segments"][-1]["end_s"] <= verdict["end_s"]
    rows = list(csv.DictReader(io.StringIO(invoke("classify", song, "--format", "csv", "--segments").stdout)))
    assert [row["kind"] for row in rows] == ["file"] + ["segment"] * len(verdict["segments"])


def test_classify_threshold(invoke: Cli, song: Path) -> None:
    """A threshold of 1 is never reached; a threshold of 0 always is."""
    (verdict,) = parse_verdicts(invoke("classify", song, "--format", "json", "--threshold", 1).stdout)
    assert verdict["genre"] is None and verdict["reason"] == "low_confidence"
    (verdict,) = parse_verdicts(invoke("classify", song, "--format", "json", "--threshold", 0).stdout)
    assert verdict["genre"] == verdict["genres"][0]["genre"] and verdict["reason"] is None


def test_classify_standard_input_equals_file(cli: Cli, invoke: Cli, song_wav: Path) -> None:
    """A file, the same WAV on standard input, and its raw PCM give equal verdicts."""
    options = ("--format", "json", "--segments")
    (file,) = parse_verdicts(invoke("classify", song_wav, *options).stdout)
    samples, _ = soundfile.read(song_wav, dtype="int16")
    (piped,) = parse_verdicts(cli("classify", "-", *options, input=song_wav.read_bytes()).stdout)
    raw_arguments = ("classify", "-", "--raw", "s16le:22050:1", *options)
    (raw,) = parse_verdicts(cli(*raw_arguments, input=samples.astype("<i2").tobytes()).stdout)
    for other in (piped, raw):
        assert other | {"source": str(song_wav)} == file


def test_classify_directory_pattern_and_jobs(
    invoke: Cli, song_wav: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory and a pattern are classified in a stable order, with any number of jobs."""
    monkeypatch.chdir(tmp_path)
    names = ["b.wav", "a.wav", "sub/c.wav", "sub/ignored.txt", ".hidden.wav"]
    (tmp_path / "sub").mkdir()
    for name in names:
        (tmp_path / name).write_bytes(song_wav.read_bytes())
    expected = ["a.wav", "b.wav", "sub/c.wav"]
    runs = [
        parse_verdicts(invoke("classify", *arguments, "--format", "json").stdout)
        for arguments in ((".",), ("**/*.wav",), (".", "--jobs", 3))
    ]
    for verdicts in runs:
        assert sorted(str(Path(v["source"])) for v in verdicts) == expected
        assert [v["genres"] for v in verdicts] == [runs[0][0]["genres"]] * 3
    assert runs[0] == runs[2]


def test_classify_model_by_name_and_path(invoke: Cli, song: Path) -> None:
    """`--model` accepts the name and the path of a bundle."""
    (named,) = parse_verdicts(invoke("classify", song, "--model", "paper", "--format", "json").stdout)
    path = ROOT / "models" / "paper"
    (by_path,) = parse_verdicts(invoke("classify", song, "--model", path, "--format", "json").stdout)
    assert named["model"]["name"] == "paper"
    assert named == by_path


def test_models_json_and_table(invoke: Cli) -> None:
    """`models` lists each model with its accuracy, labels and SHA-256."""
    done = invoke("models", "--format", "json")
    models = {model["name"]: model for model in json.loads(done.stdout)}
    assert done.returncode == 0
    assert {"edge", "nano", "paper"} <= set(models)
    assert all(0 < model["accuracy"] < 1 and len(model["labels"]) == 10 for model in models.values())
    table = invoke("models").stdout
    assert all(model["sha256"] in table for model in models.values())


def test_models_styles(invoke: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`models` lists the styles in JSON and their number in the table."""
    shutil.copytree(STYLED, tmp_path / "styled")
    shutil.copytree(TINY, tmp_path / "tiny")
    monkeypatch.setattr("genre_edge.model.bundle.MODELS", tmp_path)
    models = json.loads(invoke("models", "--format", "json").stdout)
    assert [model["styles"] for model in models] == [["dark", "bass", "bright"], []]
    heading, *rows = invoke("models").stdout.splitlines()
    column = heading.split().index("styles")
    assert [row.split()[column + 1] for row in rows] == ["3", "0"]  # the column before has a unit


@pytest.fixture(scope="module")
def low_tone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A low tone, whose styles in the bundle `styled` are "bass" and "dark"."""
    path = tmp_path_factory.mktemp("tone") / "low.wav"
    soundfile.write(path, tone(150, 3, RATE), RATE)
    return path


@pytest.mark.parametrize(
    ("options", "genre", "styles"),
    [
        ([], "low", ["bass", "dark"]),
        (["--styles", 1], "low", ["bass"]),
        (["--styles", 0], "low", []),
        (["--vocabulary", "styles"], "bass", ["bass", "dark"]),
        (["--vocabulary", "styles", "--threshold", 0.999], None, ["bass", "dark"]),
    ],
)
def test_classify_styles(invoke: Cli, low_tone: Path, options: list[Any], genre: str | None, styles: list[str]) -> None:
    """`--styles` limits the styles; with `--vocabulary styles`, the best one is the genre."""
    done = invoke("classify", low_tone, "--model", STYLED, "--format", "json", "--segments", *options)
    (verdict,) = parse_verdicts(done.stdout)
    assert verdict["genre"] == genre
    for part in (verdict, verdict["segments"][0]):
        assert [entry["style"] for entry in part["styles"]] == styles


def test_classify_styles_table_and_csv(invoke: Cli, low_tone: Path) -> None:
    """The table and CSV show the styles."""
    arguments = ("classify", low_tone, "--model", STYLED, "--top", 1)
    assert re.search(r"low \d\d% · bass, dark  ", invoke(*arguments).stdout)
    assert re.search(r",bass 0\.\d\d; dark 0\.\d\d,\r?\n", invoke(*arguments, "--format", "csv").stdout)
    assert "·" not in invoke(*arguments, "--styles", 0).stdout


def test_stream_styles(invoke: Cli, low_tone: Path) -> None:
    """`stream` has the same options."""
    done = invoke("stream", low_tone, "--model", STYLED, "--styles", 1, "--vocabulary", "styles")
    verdict = json.loads(done.stdout.splitlines()[0])
    assert verdict["genre"] == "bass" and [entry["style"] for entry in verdict["styles"]] == ["bass"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["classify"], "Missing argument"),
        (["classify", "x", "--nonsense"], "No such option"),
        (["classify", "x", "--format", "xml"], "xml"),
        (["classify", "x", "--top", "0"], "--top"),
        (["classify", "x", "--jobs", "0"], "--jobs"),
        (["classify", "x", "--threshold", "1.5"], "--threshold"),
        (["classify", "x", "--model", "nosuch"], "no model 'nosuch'"),
        (["classify", "x", "--styles", "-1"], "--styles"),
        (["classify", "x", "--vocabulary", "moods"], "moods"),
        (["classify", "x", "--vocabulary", "styles", "--model", str(TINY)], "the model tiny 1 has no styles"),
        (["stream", "x", "--vocabulary", "styles", "--model", str(TINY)], "the model tiny 1 has no styles"),
        (["classify", "-", "--raw", "s16le"], "--raw must be ENCODING:RATE:CHANNELS"),
        (["classify", "x", "--raw", "s16le:22050:1"], "give - as the path"),
        (["classify", "-", "-"], "can be given only once"),
        (["stream", "x", "--raw", "s16le:22050:1"], "give - as the source"),
        (["nonsense"], "No such command"),
    ],
)
def test_wrong_usage(invoke: Cli, arguments: list[str], message: str) -> None:
    """Wrong usage is reported on standard error, with exit code 2."""
    done = invoke(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_classify_closed_pipe(song: Path) -> None:
    """A reader that closes the pipe early, as `head` does, causes no error message."""
    command = [sys.executable, "-m", "genre_edge", "classify", *[str(song)] * 3, "--format", "jsonl"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def test_classify_full_disk(song: Path) -> None:
    """An output that cannot be written is reported, with exit code 1."""
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    command = [sys.executable, "-m", "genre_edge", "classify", str(song)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr and "Traceback" not in done.stderr


def test_spectrogram_png(invoke: Cli, song: Path, tmp_path: Path) -> None:
    """`spectrogram` writes a PNG and no other file; a failure leaves no file."""
    from PIL import Image

    done = invoke("spectrogram", song, "-o", tmp_path / "out.png")
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]
    pixels = np.asarray(Image.open(tmp_path / "out.png"))
    assert pixels.shape[0] > 128 * 3 and pixels.shape[1] > 800
    failed = invoke("spectrogram", Path(__file__), "-o", tmp_path / "none.png")
    assert failed.returncode == 1 and "test_cli.py" in failed.stderr
    assert not (tmp_path / "none.png").exists()
    assert invoke("spectrogram", song, "-o", tmp_path / "no" / "dir.png").returncode == 1
