"""Live sources with the real ffmpeg and a server on this machine that misbehaves, and a card that comes late."""

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from genre_edge.audio import ffmpeg, microphone
from genre_edge.audio import opening as live
from genre_edge.audio.ffmpeg import FfmpegSource, is_url, redact_url
from genre_edge.audio.live.reconnect import RetryPolicy
from genre_edge.audio.opening import open_live
from genre_edge.cli.options import ListFormat
from genre_edge.errors import AudioError, ParameterError, SourceLostError
from tests.conftest import Cli
from tests.helpers.audio import encode, music
from tests.helpers.live import RATE, Response, RadioServer, ffmpeg_pids, wav_response

HASTY = RetryPolicy(initial_delay_s=0.05, max_delay_s=0.2, tries=6)
real_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not in PATH")


def silence_of_death(caller: socket.socket) -> None:
    """The connection stays open and says nothing."""
    caller.recv(1)


@pytest.fixture
def radio() -> Iterator[Callable[..., RadioServer]]:
    opened: list[RadioServer] = []

    def start(*answers: Response) -> RadioServer:
        opened.append(RadioServer(*answers))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


@real_ffmpeg
def test_a_radio_that_comes_back_is_heard_on(radio: Callable[..., RadioServer]) -> None:
    server = radio(wav_response(2), lambda caller: time.sleep(0.5), wav_response(3, 44100))  # longer than a block
    found = []
    with open_live(server.url, HASTY) as source, pytest.raises(SourceLostError, match="giving up after 6 failed attempts"):
        for block in source.blocks():
            assert len(ffmpeg_pids()) <= 1
            found.append(block)
    assert not ffmpeg_pids()
    first = [block for block in found if block.rate == RATE]
    second = [block for block in found if block.rate == 44100]
    assert sum(len(b.samples) for b in first) == 2 * RATE and sum(len(b.samples) for b in second) == 3 * 44100
    assert sum(block.dropped for block in first) == 0 and second[0].dropped > 0
    assert second[0].position == 2 * 44100 + second[0].dropped
    np.testing.assert_array_equal(np.concatenate([b.samples for b in first]), music(2, RATE))


def encoded(seconds: float, *codec: str) -> bytes:
    command = ["ffmpeg", "-v", "error", "-i", "-", "-c:a", *codec, "-"]
    wav = encode(music(seconds, 44100)[:, None], 44100)
    return subprocess.run(command, input=wav, stdout=subprocess.PIPE, check=True).stdout


def heard_of(server: RadioServer) -> np.ndarray:
    with FfmpegSource.from_url(server.url, 10.0) as source:
        return np.concatenate([block.samples for block in source.blocks()])


def answer(content: bytes) -> Response:
    return lambda caller: caller.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + content)


@real_ffmpeg
def test_what_the_network_lost_of_a_stream_with_a_clock_is_silence(radio: Callable[..., RadioServer]) -> None:
    packets = encoded(20, "aac", "-f", "mpegts")
    first, last = (188 * (len(packets) // 188 * share // 10) for share in (3, 5))
    samples = heard_of(radio(answer(packets[:first] + packets[last:])))
    assert len(samples) / 44100 == pytest.approx(20, abs=0.5)
    silent = np.flatnonzero(np.abs(samples) < 1e-4)
    assert silent[-1] - silent[0] > 3 * 44100


@real_ffmpeg
@pytest.mark.parametrize("codec", [("libmp3lame", "-f", "mp3"), ("libvorbis", "-f", "ogg"), ("aac", "-f", "adts")])
def test_a_radio_that_loses_nothing_is_not_changed(
    radio: Callable[..., RadioServer], codec: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = radio(*[answer(encoded(10, *codec))] * 2)
    samples = heard_of(server)
    monkeypatch.setattr(ffmpeg, "_GAPS_ARE_SILENCE", [])
    assert len(samples) > 9 * 44100 and np.array_equal(samples, heard_of(server))


@real_ffmpeg
def test_a_half_open_connection_is_given_up(radio: Callable[..., RadioServer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SILENT_S", 1.0)
    server = radio(silence_of_death, silence_of_death)
    with pytest.raises(SourceLostError, match="giving up after 2 failed attempts"):
        open_live(server.url, RetryPolicy(initial_delay_s=0.0, tries=2))
    assert server.n_requests == 2 and not ffmpeg_pids()


@real_ffmpeg
def test_a_server_cannot_name_local_files(radio: Callable[..., RadioServer], tmp_path: Path) -> None:
    (tmp_path / "secret.wav").write_bytes(encode(music(1, RATE)[:, None], RATE))
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{tmp_path}/secret.wav\n#EXT-X-ENDLIST\n"
    head = "HTTP/1.0 200 OK\r\nContent-Type: application/vnd.apple.mpegurl\r\n\r\n"
    server = radio(*[lambda caller: caller.sendall((head + playlist).encode())] * 2)
    with pytest.raises(SourceLostError):
        open_live(server.url, RetryPolicy(initial_delay_s=0.0, tries=2))
    assert server.n_requests >= 1


@real_ffmpeg
def test_the_command_ends_with_code_3_when_a_radio_is_gone(radio: Callable[..., RadioServer], cli: Cli) -> None:
    server = radio(wav_response(20))
    done = cli("stream", server.url, "--interval", 5, "--tries", 2)
    assert done.returncode == 3
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(verdicts) >= 3 and {verdict["source"] for verdict in verdicts} == {server.url}
    *states, last = done.stderr.splitlines()
    assert last.endswith("giving up after 2 failed attempts") and len(states) == 1 and states[0].endswith("; trying again")


@pytest.mark.parametrize(
    ("source", "is_one"),
    [
        ("http://a/b", True),
        ("HTTPS://a", True),
        ("rtsp://u:p@cam/1", True),
        ("file:///etc/passwd", False),
        ("USB microphone", False),
        ("concat:a|b", False),
        ("http", False),
        ("-i://x", False),
    ],
)
def test_what_is_an_address(source: str, is_one: bool) -> None:
    assert is_url(source) == is_one


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rtsp://user:p@ss@cam:554/a", "rtsp://cam:554/a"),
        ("rtsp://user:p?s@cam/1", "rtsp://..."),
        ("http://radio/live", "http://radio/live"),
        ("https://radio/live?key=secret&a=b#there", "https://radio/live"),
        ("http://radio#secret", "http://radio"),
        ("http://radio/live?key=a secret", "http://radio/live"),
        ("rtsp://user:a secret@cam/1", "rtsp://cam/1"),
        ("rtsp://user:se/cret@cam/1/a@b", "rtsp://b"),
        ("rtsp://user:p@s/s@cam/1", "rtsp://cam/1"),
        ("rtsp://user:12/34@cam/1", "rtsp://cam/1"),
        ("rtsp://user:/secret@cam/1", "rtsp://cam/1"),
        ("rtsp://dom/user:secret@cam/1", "rtsp://cam/1"),
        ("http://user:se/cr?et@host/x", "http://..."),
        ("http://radio/@a/live", "http://radio/@a/live"),
        ("http://user@[::1]:80/a", "http://[::1]:80/a"),
        ("http://127.0.0.1:9?user=me@secret", "http://..."),
    ],
)
def test_a_password_or_a_key_is_not_told(text: str, told: str) -> None:
    assert redact_url(text) == told


@real_ffmpeg
@pytest.mark.parametrize("user", ["user:secret", "user:a secret", "user:se/secret"])
def test_a_password_is_not_told_by_ffmpeg_either(radio: Callable[..., RadioServer], user: str) -> None:
    server = radio()
    server.close()
    with pytest.raises(SourceLostError) as caught:
        open_live(server.url.replace("//", f"//{user}@") + "?key=secret", RetryPolicy(tries=1))
    assert "secret" not in str(caught.value) and "ffmpeg: " in str(caught.value)


@real_ffmpeg
@pytest.mark.parametrize("scheme", ["icecast", "HTTP"])
def test_what_players_call_an_address_is_opened(radio: Callable[..., RadioServer], scheme: str) -> None:
    server = radio(wav_response(1))
    url = server.url.replace("http", scheme)
    with open_live(url, HASTY) as source:
        assert len(next(source.blocks()).samples) > 0 and source.name == url


@real_ffmpeg
def test_what_ffmpeg_has_another_name_for() -> None:
    known = subprocess.run(["ffmpeg", "-v", "error", "-protocols"], capture_output=True, text=True, check=True).stdout
    demuxers = {"rtsp", "rtsps"}  # not among its protocols
    for scheme in ffmpeg.NETWORK_SCHEMES:
        name = ffmpeg._for_ffmpeg(f"{scheme.upper()}://Host/Path").removesuffix("://Host/Path")
        assert name in {*known.partition("Output:")[0].split(), *demuxers}
        assert name in ffmpeg._NETWORK_PROTOCOLS.split(",")


def test_an_unknown_kind_of_address_is_told_at_once() -> None:
    with pytest.raises(ParameterError, match=r"^ftp://x/y: known are addresses with http, https, icecast, "):
        open_live("ftp://u:secret@x/y?secret", RetryPolicy())


def test_without_ffmpeg_an_address_is_an_error_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(AudioError, match="http://radio/live: needs ffmpeg"):
        open_live("http://user:secret@radio/live", RetryPolicy())


class PortAudioError(Exception):
    """sounddevice's own."""


class LateCard(SimpleNamespace):
    """The module sounddevice; its card is seen at the third look, and gives a second of sound."""

    PortAudioError = PortAudioError
    default = SimpleNamespace(device=(1, 0))

    def __init__(self) -> None:
        super().__init__(looks=0, open=0)

    def _terminate(self) -> None:
        assert self.open == 0, "a stream is open"

    def _initialize(self) -> None:
        self.looks += 1

    def query_devices(self, device: Any = None, kind: str | None = None) -> Any:
        inputs = {"name": "USB\x1b microphone", "max_input_channels": 1, "default_samplerate": 44100.0}
        if device is None:
            return [{"name": "speaker", "max_input_channels": 0, "default_samplerate": 48000.0}, inputs]
        if self.looks < 3:
            raise ValueError("No input device")
        return inputs

    def InputStream(self, callback: Any, **settings: Any) -> Any:  # noqa: N802 (sounddevice's name)
        self.open += 1

        def play() -> None:
            for _ in range(10):
                timing, status = SimpleNamespace(inputBufferAdcTime=0.0), SimpleNamespace(input_overflow=False)
                callback(np.zeros((4410, 1), dtype=np.float32), 4410, timing, status)

        def close() -> None:
            self.open -= 1

        return SimpleNamespace(start=threading.Thread(target=play).start, close=close)


def test_a_card_that_is_not_there_at_boot_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    card = LateCard()
    monkeypatch.setitem(sys.modules, "sounddevice", card)
    monkeypatch.setattr(microphone, "SILENT_S", 0.05)
    found = []
    with open_live("USB", HASTY) as source:
        for block in source.blocks():
            found.append(block)
            if len(found) == 20:  # unplugged once, and back
                break
    assert card.looks == 4 and card.open == 0
    assert [block.position for block in found[:10]] == list(range(0, 44100, 4410)) and found[0].dropped == 0
    assert found[19].position + 4410 == 20 * 4410 + found[10].dropped


def test_devices_are_those_that_record(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from genre_edge.cli.devices import devices

    monkeypatch.setitem(sys.modules, "sounddevice", LateCard())
    devices(ListFormat.json)
    (found,) = json.loads(capsys.readouterr().out)
    assert found == {"number": 1, "name": "USB\x1b microphone", "channels": 1, "rate": 44100.0, "default": True}
    devices(ListFormat.table)
    line = capsys.readouterr().out.splitlines()[1]
    assert "44100 Hz" in line and line.endswith("(default)") and "\x1b" not in line
