"""`genre-edge classify`, `models`, `spectrogram`: what a user types and what comes back."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import soundfile

from tests.conftest import DATA, ROOT, Cli

SCHEMA = json.loads((DATA / "verdict.schema.json").read_text())


def verdicts(text: str) -> list[dict]:
    found = json.loads(text)
    for verdict in found:
        jsonschema.validate(verdict, SCHEMA)
    return found


def test_the_song_gets_a_verdict_in_every_format(cli: Cli, song: Path) -> None:
    (as_json,) = verdicts(cli("classify", song, "--format", "json").stdout)
    (as_line,) = map(json.loads, cli("classify", song, "--format", "jsonl").stdout.splitlines())
    (row,) = csv.DictReader(io.StringIO(cli("classify", song, "--format", "csv").stdout))
    table = cli("classify", song).stdout.splitlines()
    assert as_json == as_line
    assert row["source"] == as_json["source"] == str(song)
    assert row["genre_1"] == as_json["genres"][0]["genre"]
    assert float(row["probability_1"]) == as_json["genres"][0]["probability"]
    assert len(table) == 2 and table[1].endswith(str(song)) and as_json["genres"][0]["genre"] in table[1]
    assert as_json["end_s"] == pytest.approx(31.024, abs=1e-3)
    assert sum(g["probability"] for g in as_json["genres"]) == pytest.approx(1, abs=1e-3)


def test_top_and_segments(cli: Cli, song: Path) -> None:
    (verdict,) = verdicts(cli("classify", song, "--format", "json", "--top", 2, "--segments").stdout)
    assert len(verdict["genres"]) == 2
    assert len(verdict["segments"]) > 1
    assert all(len(segment["genres"]) == 2 for segment in verdict["segments"])
    assert verdict["segments"][-1]["end_s"] <= verdict["end_s"]
    rows = list(csv.DictReader(io.StringIO(cli("classify", song, "--format", "csv", "--segments").stdout)))
    assert [row["kind"] for row in rows] == ["file"] + ["segment"] * len(verdict["segments"])


def test_threshold_one_is_never_reached(cli: Cli, song: Path) -> None:
    (verdict,) = verdicts(cli("classify", song, "--format", "json", "--threshold", 1).stdout)
    assert verdict["genre"] is None and verdict["reason"] == "low_confidence"
    (verdict,) = verdicts(cli("classify", song, "--format", "json", "--threshold", 0).stdout)
    assert verdict["genre"] == verdict["genres"][0]["genre"] and verdict["reason"] is None


def test_file_and_standard_input_agree(cli: Cli, song_wav: Path) -> None:
    (file,) = verdicts(cli("classify", song_wav, "--format", "json", "--segments").stdout)
    wav = song_wav.read_bytes()
    samples, _ = soundfile.read(song_wav, dtype="int16")
    (piped,) = verdicts(cli("classify", "-", "--format", "json", "--segments", input=wav).stdout)
    raw_arguments = ("classify", "-", "--raw", "s16le:22050:1", "--format", "json", "--segments")
    (raw,) = verdicts(cli(*raw_arguments, input=samples.astype("<i2").tobytes()).stdout)
    for other in (piped, raw):
        assert other | {"source": str(song_wav)} == file


def test_a_directory_and_a_pattern_in_order_with_any_number_of_jobs(cli: Cli, song_wav: Path, tmp_path: Path) -> None:
    names = ["b.wav", "a.wav", "sub/c.wav", "sub/ignored.txt", ".hidden.wav"]
    (tmp_path / "sub").mkdir()
    for name in names:
        (tmp_path / name).write_bytes(song_wav.read_bytes())
    expected = ["a.wav", "b.wav", "sub/c.wav"]
    found = [
        verdicts(cli("classify", *words, "--format", "json", cwd=tmp_path).stdout)
        for words in ((".",), ("**/*.wav",), (".", "--jobs", 3))
    ]
    for one in found:
        assert sorted(str(Path(v["source"])) for v in one) == expected
        assert [v["genres"] for v in one] == [found[0][0]["genres"]] * 3
    assert found[0] == found[2]


def test_models_are_verified(cli: Cli) -> None:
    done = cli("models", "--format", "json")
    models = {model["name"]: model for model in json.loads(done.stdout)}
    assert done.returncode == 0
    assert {"edge", "paper"} <= set(models)
    assert all(0 < model["accuracy"] < 1 and len(model["labels"]) == 10 for model in models.values())
    table = cli("models").stdout
    assert all(model["sha256"] in table for model in models.values())


def test_the_paper_model_and_a_bundle_by_path(cli: Cli, song: Path) -> None:
    (named,) = verdicts(cli("classify", song, "--model", "paper", "--format", "json").stdout)
    path = ROOT / "models" / "paper"
    (by_path,) = verdicts(cli("classify", song, "--model", path, "--format", "json").stdout)
    assert named["model"]["name"] == "paper"
    assert named == by_path


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["classify"], "Missing argument"),
        (["classify", "x", "--nonsense"], "No such option"),
        (["classify", "x", "--format", "xml"], "xml"),
        (["classify", "x", "--top", "0"], "--top"),
        (["classify", "x", "--jobs", "0"], "--jobs"),
        (["classify", "x", "--threshold", "1.5"], "--threshold"),
        (["classify", "x", "--model", "nosuch"], "no model 'nosuch'"),
        (["classify", "-", "--raw", "s16le"], "--raw must be ENCODING:RATE:CHANNELS"),
        (["classify", "x", "--raw", "s16le:22050:1"], "give - as the path"),
        (["classify", "-", "-"], "can be given once"),
        (["stream", "x", "--raw", "s16le:22050:1"], "give - as the source"),
        (["nonsense"], "No such command"),
    ],
)
def test_wrong_usage_is_told_with_code_2(cli: Cli, arguments: list[str], complaint: str) -> None:
    done = cli(*arguments)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stdout == ""


def test_help_and_import_load_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['genre-edge', 'classify', '--help']\n"
        "import genre_edge\n"
        "from genre_edge.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'soundfile', 'soxr', 'ai_edge_litert', 'PIL', 'sounddevice', 'tensorflow', 'pyfftw',\n"
        "         'starlette', 'uvicorn', 'paho', 'prometheus_client', 'sqlite3'}\n"
        "print('loaded:', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded: []"


def test_classifying_never_loads_tensorflow_or_pyfftw(song: Path) -> None:
    program = (
        f"import sys; sys.argv = ['genre-edge', 'classify', {str(song)!r}]\n"
        "from genre_edge.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "print('loaded:', sorted({'tensorflow', 'pyfftw', 'librosa', 'scipy', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded: []"
    assert done.stderr == ""


def test_a_reader_that_leaves_early_is_no_error_message(song: Path) -> None:
    command = [sys.executable, "-m", "genre_edge", "classify", *[str(song)] * 3, "--format", "jsonl"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def test_output_that_cannot_be_written_is_told(cli: Cli, song: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    command = [sys.executable, "-m", "genre_edge", "classify", str(song)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr and "Traceback" not in done.stderr


def test_spectrogram_draws_a_png_and_leaves_no_other_file(cli: Cli, song: Path, tmp_path: Path) -> None:
    from PIL import Image

    done = cli("spectrogram", song, "-o", tmp_path / "out.png")
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]
    pixels = np.asarray(Image.open(tmp_path / "out.png"))
    assert pixels.shape[0] > 128 * 3 and pixels.shape[1] > 800
    failed = cli("spectrogram", Path(__file__), "-o", tmp_path / "none.png")
    assert failed.returncode == 1 and "test_cli.py" in failed.stderr
    assert not (tmp_path / "none.png").exists()
    assert cli("spectrogram", song, "-o", tmp_path / "no" / "dir.png").returncode == 1
