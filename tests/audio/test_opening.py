"""Opening live sources: a server with outages on localhost and the real ffmpeg, and a sound card that appears late."""

import json
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from genre_edge.audio import microphone, opening
from genre_edge.audio.live.reconnect import RetryPolicy
from genre_edge.audio.opening import open_live
from genre_edge.cli.devices import devices
from genre_edge.cli.options import ListFormat
from genre_edge.errors import AudioError, ParameterError, SourceLostError
from tests.conftest import Cli
from tests.helpers.audio import encode, music
from tests.helpers.live import RATE, RadioServer, Response, ffmpeg_pids, wav_response

SHORT_DELAYS = RetryPolicy(initial_delay_s=0.05, max_delay_s=0.2, tries=6)
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not in PATH")
StartServer = Callable[..., RadioServer]


def no_response(client: socket.socket) -> None:
    """Keep the connection open without sending anything."""
    client.recv(1)


@pytest.fixture
def start_server() -> Iterator[StartServer]:
    servers: list[RadioServer] = []

    def start(*responses: Response) -> RadioServer:
        servers.append(RadioServer(*responses))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@needs_ffmpeg
def test_radio_is_reconnected(start_server: StartServer) -> None:
    """A radio that returns after an outage goes on at the right position, with one ffmpeg process at a time."""
    server = start_server(wav_response(2), lambda client: time.sleep(0.5), wav_response(3, 44100))
    blocks = []
    lost = pytest.raises(SourceLostError, match="giving up after 6 failed attempts")
    with open_live(server.url, SHORT_DELAYS) as source, lost:
        for block in source.blocks():
            assert len(ffmpeg_pids()) <= 1
            blocks.append(block)
    assert not ffmpeg_pids()
    first = [block for block in blocks if block.rate == RATE]
    second = [block for block in blocks if block.rate == 44100]
    assert sum(len(b.samples) for b in first) == 2 * RATE and sum(len(b.samples) for b in second) == 3 * 44100
    assert sum(block.dropped for block in first) == 0
    assert second[0].dropped > 0  # the outage, 0.5 s or more, is longer than a block
    assert second[0].position == 2 * 44100 + second[0].dropped
    np.testing.assert_array_equal(np.concatenate([b.samples for b in first]), music(2, RATE))


@pytest.mark.slow
@needs_ffmpeg
def test_silent_connection_times_out(start_server: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that delivers nothing is a failed attempt after the timeout."""
    monkeypatch.setattr(opening, "TIMEOUT_S", 1.0)
    server = start_server(no_response, no_response)
    with pytest.raises(SourceLostError, match="giving up after 2 failed attempts"):
        open_live(server.url, RetryPolicy(initial_delay_s=0.0, tries=2))
    assert server.n_requests == 2 and not ffmpeg_pids()


@needs_ffmpeg
def test_playlist_cannot_name_local_files(start_server: StartServer, tmp_path: Path) -> None:
    """A playlist on a server that names a local file is an error."""
    (tmp_path / "secret.wav").write_bytes(encode(music(1, RATE)[:, None], RATE))
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{tmp_path}/secret.wav\n#EXT-X-ENDLIST\n"
    head = "HTTP/1.0 200 OK\r\nContent-Type: application/vnd.apple.mpegurl\r\n\r\n"
    server = start_server(*[lambda client: client.sendall((head + playlist).encode())] * 2)
    with pytest.raises(SourceLostError):
        open_live(server.url, RetryPolicy(initial_delay_s=0.0, tries=2))
    assert server.n_requests >= 1


@needs_ffmpeg
def test_stream_exits_with_3_when_radio_is_lost(start_server: StartServer, cli: Cli) -> None:
    """`genre-edge stream` ends with exit code 3 and two lines when a radio is lost."""
    server = start_server(wav_response(20))
    done = cli("stream", server.url, "--interval", 5, "--tries", 2)
    assert done.returncode == 3
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(verdicts) >= 3 and {verdict["source"] for verdict in verdicts} == {server.url}
    first, last = done.stderr.splitlines()
    assert first.endswith("; trying again") and last.endswith("; giving up after 2 failed attempts")


@needs_ffmpeg
@pytest.mark.parametrize("user", ["user:secret", "user:a secret", "user:se/secret"])
def test_error_has_no_password(start_server: StartServer, user: str) -> None:
    """ffmpeg's own message, which quotes the URL, is redacted too."""
    server = start_server()
    server.close()
    with pytest.raises(SourceLostError) as caught:
        open_live(server.url.replace("//", f"//{user}@") + "?key=secret", RetryPolicy(tries=1))
    assert "secret" not in str(caught.value) and "ffmpeg: " in str(caught.value)


@needs_ffmpeg
@pytest.mark.parametrize("scheme", ["icecast", "HTTP"])
def test_scheme_alias(start_server: StartServer, scheme: str) -> None:
    """Schemes that ffmpeg does not read, or not in capitals, are opened; the name keeps the user's spelling."""
    server = start_server(wav_response(1))
    url = server.url.replace("http", scheme)
    with open_live(url, SHORT_DELAYS) as source:
        assert len(next(source.blocks()).samples) > 0 and source.name == url


def test_unknown_scheme() -> None:
    """A URL with an unknown scheme is an error without an attempt; the message has no secrets."""
    with pytest.raises(ParameterError, match=r"^ftp://x/y: unknown URL scheme; supported: http, https, icecast, "):
        open_live("ftp://u:secret@x/y?secret", RetryPolicy())


def test_url_without_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ffmpeg, a URL is an error without an attempt."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(AudioError, match="http://radio/live: needs ffmpeg"):
        open_live("http://user:secret@radio/live", RetryPolicy())


class PortAudioError(Exception):
    """Stands for sounddevice.PortAudioError."""


class LateCard(SimpleNamespace):
    """Fake module sounddevice: its card appears at the third rescan, and delivers a second of samples when started."""

    PortAudioError = PortAudioError
    default = SimpleNamespace(device=(1, 0))

    def __init__(self) -> None:
        super().__init__(n_scans=0, n_open=0)

    def _terminate(self) -> None:
        assert self.n_open == 0, "a stream is open"

    def _initialize(self) -> None:
        self.n_scans += 1

    def query_devices(self, device: Any = None, kind: str | None = None) -> Any:
        inputs = {"name": "USB\x1b microphone", "max_input_channels": 1, "default_samplerate": 44100.0}
        if device is None:
            return [{"name": "speaker", "max_input_channels": 0, "default_samplerate": 48000.0}, inputs]
        if self.n_scans < 3:
            raise ValueError("No input device")
        return inputs

    def InputStream(self, callback: Any, **settings: Any) -> Any:  # noqa: N802 (sounddevice's name)
        self.n_open += 1

        def play() -> None:
            for _ in range(10):
                timing, status = SimpleNamespace(inputBufferAdcTime=0.0), SimpleNamespace(input_overflow=False)
                callback(np.zeros((4410, 1), dtype=np.float32), 4410, timing, status)

        def close() -> None:
            self.n_open -= 1

        return SimpleNamespace(start=play, close=close)


def test_late_card_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """A card that is missing at first is opened when it appears, and again after it was unplugged."""
    card = LateCard()
    monkeypatch.setitem(sys.modules, "sounddevice", card)
    monkeypatch.setattr(microphone, "TIMEOUT_S", 0.05)
    blocks = []
    with open_live("USB", SHORT_DELAYS) as source:
        for block in source.blocks():
            blocks.append(block)
            if len(blocks) == 20:  # unplugged once, and reopened
                break
    assert card.n_scans == 4 and card.n_open == 0
    assert [block.position for block in blocks[:10]] == list(range(0, 44100, 4410)) and blocks[0].dropped == 0
    assert blocks[19].position + 4410 == 20 * 4410 + blocks[10].dropped


def test_devices_lists_inputs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`genre-edge devices` lists inputs only, without control characters in the table."""
    monkeypatch.setitem(sys.modules, "sounddevice", LateCard())
    devices(ListFormat.json)
    (device,) = json.loads(capsys.readouterr().out)
    assert device == {"number": 1, "name": "USB\x1b microphone", "channels": 1, "rate": 44100.0, "default": True}
    devices(ListFormat.table)
    line = capsys.readouterr().out.splitlines()[1]
    assert "44100 Hz" in line and line.endswith("(default)") and "\x1b" not in line
