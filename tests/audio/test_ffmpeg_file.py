"""FfmpegFile: which files it opens, what it reports, and its limits."""

import http.server
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from genre_edge.audio.ffmpeg import file as ffmpeg_file
from genre_edge.audio.files import open_file
from genre_edge.errors import AudioError
from tests.helpers.audio import encode, music, read_samples
from tests.helpers.fake_ffmpeg import install_fake_ffmpeg
from tests.helpers.live import child_pids
from tests.helpers.wav import endless_header

RATE = 22050
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not in PATH")


def ffmpeg(directory: Path, *arguments: str) -> None:
    """Run ffmpeg on before.wav in a directory."""
    command = ["ffmpeg", "-v", "error", "-y", "-i", "before.wav", *arguments]
    subprocess.run(command, cwd=directory, check=True, stdin=subprocess.DEVNULL)


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """Folder with four seconds of music in before.wav."""
    (tmp_path / "before.wav").write_bytes(encode(music(4, RATE), RATE))
    return tmp_path


# Each opens its neighbour, or the network, if ffmpeg may choose any demuxer.
PLAYLISTS = {
    "HLS": "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{target}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{target}'\n",
    "SDP": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
    "DASH": '<?xml version="1.0"?><MPD><Period><AdaptationSet mimeType="audio/mp4"><Representation id="0" '
    'bandwidth="1"><BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>',
    "M3U": "{target}\n",
}


@needs_ffmpeg
@pytest.mark.parametrize("name", ["x.m4a", "x.mp3", "x.wav", "x.mkv"])
@pytest.mark.parametrize("kind", PLAYLISTS)
def test_playlist_is_no_audio(before: Path, kind: str, name: str) -> None:
    """A text file opens neither its neighbour nor the network, whatever its suffix, and fails at once."""
    requests: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)

    ffmpeg(before, "-c:a", "aac", "song.m4a")
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        targets = ["song.m4a", str(before / "song.m4a"), f"http://127.0.0.1:{server.server_address[1]}/song.m4a"]
        for target in targets:
            (before / name).write_text(PLAYLISTS[kind].format(target=target))
            with pytest.raises(AudioError) as caught:
                read_samples(open_file(before / name))
            assert str(caught.value) == f"{before / name}: not an audio file that can be read"
        server.shutdown()
    assert not requests


CONTAINERS = {
    "mkv": ("-f", "lavfi", "-i", "testsrc=s=64x64:r=5:d=4", "-c:v", "mpeg4", "-c:a", "aac"),
    "mov": ("-f", "lavfi", "-i", "testsrc=s=64x64:r=5:d=4", "-c:v", "mpeg4", "-c:a", "aac"),
    "avi": ("-f", "lavfi", "-i", "testsrc=s=64x64:r=5:d=4", "-c:v", "mpeg4", "-c:a", "mp2"),
    "ts": ("-f", "lavfi", "-i", "testsrc=s=64x64:r=5:d=4", "-c:v", "mpeg2video", "-c:a", "mp2"),
    "m4v": ("-f", "lavfi", "-i", "testsrc=s=64x64:r=5:d=4", "-c:v", "mpeg4", "-c:a", "aac", "-f", "mp4"),
}


@needs_ffmpeg
@pytest.mark.parametrize("suffix", [*CONTAINERS, "mp3", "wav", "unknown"])
def test_container_with_picture(before: Path, suffix: str, caplog: pytest.LogCaptureFixture) -> None:
    """The sound of a film is decoded, under a wrong name, too, without a warning."""
    kind = suffix if suffix in CONTAINERS else "mkv"
    ffmpeg(before, *CONTAINERS[kind], f"film.{kind}")
    path = before / f"film.{suffix}"
    (before / f"film.{kind}").rename(path)
    with open_file(path) as source:
        assert sum(len(block.samples) / block.rate for block in source.blocks()) == pytest.approx(4, abs=0.15)
    assert not caplog.records


@needs_ffmpeg
def test_film_without_sound(before: Path) -> None:
    """A film without sound is an error that says so."""
    ffmpeg(before, "-f", "lavfi", "-i", "testsrc=s=64x64:r=5:d=2", "-an", "-c:v", "mpeg4", "film.mp4")
    with pytest.raises(AudioError, match=r"film\.mp4: holds no audio$"):
        open_file(before / "film.mp4")


@needs_ffmpeg
@pytest.mark.parametrize("codec", [("m4a", "aac", "-movflags", "faststart"), ("mka", "flac"), ("tta", "tta")])
def test_truncated_file(before: Path, codec: tuple[str, ...], caplog: pytest.LogCaptureFixture) -> None:
    """A cut file is decoded up to its end; the warning has both lengths, as for libsndfile's formats."""
    suffix, name, *options = codec
    ffmpeg(before, "-c:a", name, *options, f"x.{suffix}")
    path = before / f"x.{suffix}"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    seconds = len(read_samples(open_file(path))) / RATE
    assert 1.5 < seconds < 3
    (record,) = caplog.records
    assert record.message.startswith(f"{path}: the file is damaged; decoded {seconds:.1f} of 4.")


@pytest.mark.parametrize("suffix", ["mkv", "m4a", "spx", "aac"])
def test_file_needs_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    """Without ffmpeg, one line says that it is needed, under a wrong name, too."""
    heads = {
        "mkv": b"\x1aE\xdf\xa3",
        "m4a": b"\0\0\0\x20ftypM4A ",
        "spx": b"OggS\0\2" + bytes(22) + b"Speex   ",
        "aac": b"\xff\xf1",
    }
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in (f"x.{suffix}", "x.mp3", "x"):
        (tmp_path / name).write_bytes(heads[suffix] + bytes(5000))
        with pytest.raises(AudioError) as caught:
            open_file(tmp_path / name)
        assert str(caught.value) == f"{tmp_path / name}: needs ffmpeg, which is not installed (apt install ffmpeg)"


@pytest.mark.parametrize("errors", ["", "[error] Invalid data found when processing input"])
@pytest.mark.parametrize("output", [b"", endless_header(8000), endless_header(8000) + bytes(16000)])
def test_stalled_process_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: bytes, errors: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An ffmpeg that decodes nothing for the stated time is ended with that reason; what it decoded before is kept."""
    monkeypatch.setattr(ffmpeg_file, "STALL_TIMEOUT_S", 0.5)
    (tmp_path / "output").write_bytes(output)
    children = set(child_pids())
    script = f"echo '{errors}' >&2; /bin/cat {tmp_path}/output; exec /bin/sleep 600"
    path = install_fake_ffmpeg(tmp_path, monkeypatch, script)
    reason = "ffmpeg decoded nothing for 0 s and is stopped"
    if len(output) < 1000:
        with pytest.raises(AudioError, match=rf"x\.m4a: {reason}$"):
            read_samples(open_file(path))
    else:
        assert len(read_samples(open_file(path))) == pytest.approx(8000, abs=100)
        assert f"{path}: {reason}; decoded 1.0 s" in caplog.text
    assert set(child_pids()) <= children


@needs_ffmpeg
def test_rest_after_libsndfile(before: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where libsndfile stops before the last frame, ffmpeg decodes what follows."""
    from genre_edge.audio.sndfile import SndfileDecoder

    path = before / "x.mp3"
    path.write_bytes(encode(music(10, RATE), RATE, "MP3"))
    whole = read_samples(open_file(path))
    arrays = SndfileDecoder.arrays

    def stop_early(decoder: SndfileDecoder):  # type: ignore[no-untyped-def]
        yield next(arrays(decoder))[: 3 * RATE]

    monkeypatch.setattr(SndfileDecoder, "arrays", stop_early)
    samples = read_samples(open_file(path))
    assert len(samples) == pytest.approx(len(whole), abs=2400) and not caplog.records


@needs_ffmpeg
@pytest.mark.parametrize("comment", ["x" * 90_000, "line\n" * 6000])
def test_long_tags(before: Path, comment: str, caplog: pytest.LogCaptureFixture) -> None:
    """Long tags neither hide the audio nor the length of a truncated file."""
    escaped = comment.replace("\n", "\\\n")
    (before / "tags.txt").write_text(f";FFMETADATA1\ncomment={escaped}\n")
    ffmpeg(before, "-i", "tags.txt", "-map_metadata", "1", "-c:a", "flac", "x.mka")
    path = before / "x.mka"
    assert len(read_samples(open_file(path))) == 4 * RATE and not caplog.records
    content = path.read_bytes()
    path.write_bytes(content[: (len(content) + len(comment)) // 2])
    assert 0 < len(read_samples(open_file(path))) < 4 * RATE
    assert "of 4.0 s" in caplog.text
