"""The real PortAudio with virtual ALSA sound cards, which deliver silence far faster than real time."""

import ctypes.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import TIMEOUT_S, Cli

ALSA = Path("/usr/share/alsa/alsa.conf")
CARD = """
pcm.{name} {{
    type file
    slave.pcm "null"
    file "/dev/null"
    infile "/dev/zero"
    format "raw"
    hint {{ show on description "{name}" }}
}}
"""

pytestmark = [
    pytest.mark.skipif(ctypes.util.find_library("portaudio") is None, reason="libportaudio2 is not installed"),
    pytest.mark.skipif(not ALSA.exists(), reason="libasound2-data is not installed"),
]


@pytest.fixture
def cards(tmp_path: Path) -> dict[str, str]:
    """Environment variables that define two virtual cards."""
    pytest.importorskip("sounddevice")
    text = f"<{ALSA}>\n" + "".join(CARD.format(name=name) for name in ("zeros_left", "zeros_right"))
    (tmp_path / "asound.conf").write_text(text)
    return os.environ | {"ALSA_CONFIG_PATH": str(tmp_path / "asound.conf")}


def test_devices_lists_cards(cards: dict[str, str], cli: Cli) -> None:
    """`genre-edge devices` lists the cards."""
    found = json.loads(cli("devices", "--format", "json", env=cards).stdout)
    assert {"zeros_left", "zeros_right"} <= {device["name"] for device in found}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stream_reports_drops_until_signal(cards: dict[str, str], number: int) -> None:
    """`genre-edge stream` counts the samples that do not fit, and a signal ends it with code 0."""
    command = [sys.executable, "-m", "genre_edge", "stream", "zeros_left", "--interval", "1", "--tries", "1"]
    with subprocess.Popen(command, env=cards, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        lines: list[bytes] = []
        while not lines or json.loads(lines[-1])["dropped_samples"] == 0:  # the card is faster than real time
            lines.append(process.stdout.readline() or process.stderr.read())
        process.send_signal(number)
        lines += process.stdout.read().splitlines()
        assert (process.wait(TIMEOUT_S), process.stderr.read()) == (0, b"")
    verdicts = [json.loads(line) for line in lines]
    dropped = [verdict["dropped_samples"] for verdict in verdicts]
    assert dropped == sorted(dropped) and dropped[-1] > 0
    assert {verdict["source"] for verdict in verdicts} == {"zeros_left"}
    assert {verdict["reason"] for verdict in verdicts} <= {"silence", "too_short"}


def test_ambiguous_name(cards: dict[str, str], cli: Cli) -> None:
    """A name that matches two cards is an error in one line, without a second attempt."""
    done = cli("stream", "zeros", env=cards)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "genre-edge: zeros: several sound cards have this name; use a number or a longer name: "
    )
    assert "zeros_left" in done.stderr and "zeros_right" in done.stderr and done.stderr.count("\n") == 1


def test_missing_card_is_retried(cards: dict[str, str], cli: Cli) -> None:
    """A name that matches no card is tried again, up to `--tries`."""
    done = cli("stream", "Nosuch", "--tries", 2, env=cards)
    assert done.returncode == 3
    assert done.stderr == (
        "genre-edge: Nosuch: No input device matching 'Nosuch'; trying again\n"
        "genre-edge: Nosuch: No input device matching 'Nosuch'; giving up after 2 failed attempts\n"
    )
