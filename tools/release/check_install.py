"""Check an installed genre-edge: doctor with golden numbers, a song and a stream, for each shipped model.

    python check_install.py SONG.ogg [EXPECTED.json]

Runs with the Python of the environment in which genre-edge is installed, and needs nothing else. The verdict of the
stream must be that of the file. With EXPECTED.json, the output of `genre-edge classify --format jsonl` on another
machine, so must the other machine's: the int8 kernels of another processor round differently, so probabilities may
differ by up to 0.1.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

MODELS = ("edge", "nano", "paper")
MAX_DIFFERENCE = 0.1
KEYS = ("genre", "reason", "start_s", "end_s", "input")


def run(*arguments: str, data: bytes | None = None) -> str:
    """Run genre-edge; return its standard output, or end the program with its messages."""
    command = [sys.executable, "-m", "genre_edge", *arguments]
    done = subprocess.run(command, input=data, capture_output=True, timeout=1800, check=False)
    if done.returncode:
        output = (done.stdout + done.stderr).decode(errors="replace")
        sys.exit(f"FAILED (exit code {done.returncode}): genre-edge {' '.join(arguments)}\n{output}")
    return done.stdout.decode()


def compare(actual: dict[str, Any], expected: dict[str, Any], keys: tuple[str, ...]) -> float:
    """Return the largest difference of probabilities, or end the program if verdicts differ."""
    differing = [key for key in keys if actual[key] != expected[key]]
    probabilities = {item["genre"]: item["probability"] for item in actual["genres"]}
    largest = max(abs(probabilities[item["genre"]] - item["probability"]) for item in expected["genres"])
    if differing or largest > MAX_DIFFERENCE:
        sys.exit(f"FAILED: verdicts differ in {differing}, probabilities by up to {largest:.4f}")
    return float(largest)


def stream_input(song: str) -> bytes:
    """Return the song as 16-bit mono samples."""
    import soundfile

    samples, rate = soundfile.read(song, dtype="int16", always_2d=True)
    if rate != 22050:
        sys.exit(f"FAILED: {song} has {rate} Hz instead of 22050")
    return bytes(samples[:, 0].tobytes())


def main() -> None:
    """Run the checks and print a line for each model."""
    song, *rest = sys.argv[1:]
    expected = [json.loads(line) for line in Path(rest[0]).read_text().splitlines()] if rest else []
    print(run("--version").strip(), "on Python", sys.version.split()[0])
    for i, model in enumerate(MODELS):
        run("doctor", "--model", model)
        verdict = json.loads(run("classify", "--model", model, "--format", "jsonl", song))
        lines = run("stream", "-", "--raw", "s16le:22050:1", "--model", model, data=stream_input(song)).splitlines()
        streamed = json.loads(lines[-1])
        if streamed["genre"] != verdict["genre"]:
            sys.exit(f"FAILED: the stream is {streamed['genre']}, the file {verdict['genre']}")
        text = f"{model}: {verdict['genre']} {verdict['confidence']:.3f}"
        if expected:
            text += f", differs by {compare(verdict, expected[i], KEYS):.4f}"
        print(text)


if __name__ == "__main__":
    main()
