"""FfmpegSource with network streams, read from a server on localhost, and the URLs that it accepts and redacts."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from genre_edge.audio.ffmpeg import redirect
from genre_edge.audio.ffmpeg import source as ffmpeg_source
from genre_edge.audio.ffmpeg.source import FfmpegSource
from genre_edge.audio.ffmpeg.url import NETWORK_PROTOCOLS, NETWORK_SCHEMES, ffmpeg_url, final_reason, is_url, redact_url
from genre_edge.errors import AudioError
from tests.conftest import TIMEOUT_S
from tests.helpers.audio import encode, music
from tests.helpers.fake_ffmpeg import install_fake_ffmpeg
from tests.helpers.live import RadioServer, Response

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not in PATH")


def encoded(seconds: float, *codec: str) -> bytes:
    command = ["ffmpeg", "-v", "error", "-i", "-", "-c:a", *codec, "-"]
    wav = encode(music(seconds, 44100)[:, None], 44100)
    return subprocess.run(command, input=wav, stdout=subprocess.PIPE, check=True).stdout


def read_from(server: RadioServer) -> np.ndarray:
    with FfmpegSource.from_url(server.url, TIMEOUT_S) as source:
        return np.concatenate([block.samples for block in source.blocks()])


def response(content: bytes) -> Response:
    return lambda client: client.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + content)


@needs_ffmpeg
def test_timestamp_gap_is_filled_with_silence() -> None:
    """Packets missing from a stream with timestamps become silence, so that time stays true."""
    packets = encoded(20, "aac", "-f", "mpegts")
    gap_start, gap_end = (188 * (len(packets) // 188 * tenths // 10) for tenths in (3, 5))
    server = RadioServer(response(packets[:gap_start] + packets[gap_end:]))
    samples = read_from(server)
    server.close()
    assert len(samples) / 44100 == pytest.approx(20, abs=0.5)
    silent = np.flatnonzero(np.abs(samples) < 1e-4)
    assert silent[-1] - silent[0] > 3 * 44100


@pytest.mark.slow
@needs_ffmpeg
@pytest.mark.parametrize("codec", [("libmp3lame", "-f", "mp3"), ("libvorbis", "-f", "ogg"), ("aac", "-f", "adts")])
def test_stream_without_gaps_is_unchanged(codec: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """The filter that fills gaps does not change a stream without gaps."""
    server = RadioServer(*[response(encoded(10, *codec))] * 2)
    samples = read_from(server)
    monkeypatch.setattr(ffmpeg_source, "_FILL_GAPS", [])
    assert len(samples) > 9 * 44100 and np.array_equal(samples, read_from(server))
    server.close()


@pytest.mark.parametrize(
    ("source", "expected"),
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
def test_is_url(source: str, expected: bool) -> None:
    """Only network schemes are URLs, in any case."""
    assert is_url(source) == expected


@pytest.mark.parametrize(
    ("url", "redacted"),
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
def test_redact_url(url: str, redacted: str) -> None:
    """Credentials, query and fragment are removed; an ambiguous URL is shortened further."""
    assert redact_url(url) == redacted


@needs_ffmpeg
def test_ffmpeg_supports_all_schemes() -> None:
    """Each scheme has a name that ffmpeg knows, in lower case, and that the whitelist contains."""
    done = subprocess.run(["ffmpeg", "-v", "error", "-protocols"], capture_output=True, text=True, check=True)
    inputs = done.stdout.partition("Output:")[0].split()
    demuxers = {"rtsp", "rtsps"}  # not among ffmpeg's protocols
    for scheme in NETWORK_SCHEMES:
        name = ffmpeg_url(f"{scheme.upper()}://Host/Path").removesuffix("://Host/Path")
        assert name in {*inputs, *demuxers}
        assert name in NETWORK_PROTOCOLS.split(",")


GONE = "no audio at this address: 410 Gone"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http://x/y: HTTP error 410 Gone", GONE),
        ("http://x/y: Server returned 404 Not Found", None),  # a radio that is not on the air yet
        ("[in#0] x\nError opening input: Server returned 403 Forbidden (access denied)", None),
        ("[rtsp @ 1] method DESCRIBE failed: 410 Gone\n", "no audio at this address: 410 Gone"),
        ("[rtsp @ 1] method PLAY failed: 403 Forbidden\nx: Server returned 403 Forbidden (access denied)", None),
        ("[rtsp @ 1] method SETUP failed: 461 Unsupported\nx: HTTP error 410 Gone", GONE),
        ("Server returned 5XX Server Error reply", None),
        ("", None),
    ],
)
def test_final_reason(text: str, reason: str | None) -> None:
    """The messages of several versions of ffmpeg are understood."""
    assert final_reason(text) == reason


@pytest.mark.parametrize(
    ("url", "sockets", "shown"),
    [
        ("http://user:pass@radio.example/live", "/nowhere", "http://radio.example/live"),
        ("http://radio.example/live", "/nowhere", None),
        ("rtmp://user:pass@radio.example/live", "/dev/null", "rtmp://radio.example/live"),
        ("http://user:pass@radio.example/live", "/dev/null", None),
    ],
    ids=["no /proc", "no /proc, no password", "RTMP", "redirect"],
)
def test_visible_password_warning(
    url: str,
    sockets: str,
    shown: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One warning names a source whose password is an argument of ffmpeg, however often it is opened."""
    install_fake_ffmpeg(tmp_path, monkeypatch, "exit 1")
    monkeypatch.setattr(redirect, "_SOCKETS", Path(sockets))
    ffmpeg_source._warn_of_visible_url.cache_clear()
    for _ in range(2):
        with pytest.raises(AudioError):
            FfmpegSource.from_url(url, TIMEOUT_S)
    message = "other users of this machine can see this URL, with its password or key, in ffmpeg's arguments"
    assert [record.getMessage() for record in caplog.records] == ([f"{shown}: {message}"] if shown else [])
