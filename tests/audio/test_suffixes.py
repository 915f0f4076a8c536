"""The suffixes of audio files: complete for the formats of libsndfile and ffmpeg, and no dangerous demuxer."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genre_edge.audio.files import open_file
from genre_edge.audio.paths import expand
from genre_edge.audio.suffixes import FFMPEG_DEMUXERS, SUFFIXES, is_audio_name, is_companion_name
from tests.helpers.audio import music, read_samples

COMMON_KINDS = (
    "mp3 mp2 mpa flac wav w64 rf64 bwf aif aiff aifc caf au snd ogg oga opus spx m4a m4b aac alac wma asf wv ape mpc",
    "tak tta shn dsf dff ac3 eac3 dts mlp ra amr awb mka webm mkv mp4 m4v mov 3gp 3g2 avi flv f4v wmv mpg mpeg vob",
    "ts m2ts mts ogv ogx ogm mxf voc sf xm MP2 Mkv",
)
DANGEROUS = (
    "hls",
    "concat",
    "dash",
    "imf",
    "sdp",
    "rtp",
    "rtsp",
    "sap",
    "lavfi",
    "image2",
    "tty",
    "ffmetadata",
    "libgme",
)
# libsndfile's format -> suffix, where it is not the name in lower case
SUFFIX_OF = {"SVX": "8svx", "MPC2K": "mpc", "IRCAM": "sf", "NIST": "sph", "WAVEX": "wav"}
WITHOUT_SUFFIX = {"RAW", "MAT4", "MAT5", "SD2"}  # no header, mostly data that is no audio, a second file for the header
# What ffmpeg can write: suffix -> options
MUXERS = {
    "mp2": "", "m4a": "", "m4b": "-f ipod", "aac": "", "3gp": "-c:a aac", "3g2": "-c:a aac", "mov": "",
    "m4v": "-f mp4", "mka": "", "mkv": "", "webm": "-c:a libopus", "avi": "", "flv": "-c:a aac", "wma": "", "asf": "",
    "wv": "", "tta": "", "ac3": "", "eac3": "", "dts": "-strict -2", "ts": "", "m2ts": "", "mpg": "", "vob": "",
    "spx": "-c:a libspeex", "nut": "", "mlp": "-strict -2", "thd": "-strict -2", "latm": "-c:a aac", "rm": "",
    "voc": "", "ogx": "-f ogg", "at3": "-f wav", "wtv": "", "sox": "",
}  # fmt: skip
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not in PATH")


def found_in(directory: Path) -> list[str]:
    return [Path(str(item)).name for item in expand(str(directory))]


@pytest.mark.parametrize("suffix", " ".join(COMMON_KINDS).split())
def test_directory_every_audio_kind(tmp_path: Path, suffix: str) -> None:
    """A directory's search finds every common kind of audio file and of video."""
    (tmp_path / f"a.{suffix}").touch()
    assert found_in(tmp_path) == [f"a.{suffix}"]


@pytest.mark.parametrize("format", sorted(set(soundfile.available_formats()) - WITHOUT_SUFFIX))
def test_every_libsndfile_format(tmp_path: Path, format: str) -> None:
    """Every format of libsndfile has a suffix, and such a file can be read."""
    path = tmp_path / f"a.{SUFFIX_OF.get(format, format.lower())}"
    rate = 8000 if format == "WVE" else 44100
    soundfile.write(path, music(1, rate), rate, format=format)
    assert found_in(tmp_path) == [path.name]
    if format != "MPC2K":  # the suffix of Musepack
        assert len(read_samples(open_file(path))) >= 0.9 * rate


@needs_ffmpeg
@pytest.mark.parametrize("suffix", MUXERS)
def test_every_ffmpeg_format(tmp_path: Path, suffix: str) -> None:
    """ffmpeg reads these kinds with the demuxers of the list."""
    soundfile.write(tmp_path / "before.wav", music(2, 48000), 48000)
    (tmp_path / "after").mkdir()
    path = tmp_path / "after" / f"a.{suffix}"
    command = ["ffmpeg", "-v", "error", "-nostdin", "-i", tmp_path / "before.wav", *MUXERS[suffix].split(), path]
    if subprocess.run(command, stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("this build of ffmpeg cannot write the format")
    assert found_in(path.parent) == [path.name]
    demuxers = ",".join(FFMPEG_DEMUXERS)
    command = ["ffmpeg", "-v", "error", "-nostdin", "-format_whitelist", demuxers, "-i", path, "-f", "f32le", "-"]
    decoded = np.frombuffer(subprocess.run(command, check=True, capture_output=True).stdout, dtype=np.float32)
    assert len(decoded) > 0 and np.abs(decoded).max() > 0.01


def test_demuxers_of_single_files() -> None:
    """No demuxer of the list opens other files, the network or devices; suffixes are lower case."""
    assert not set(DANGEROUS) & set(FFMPEG_DEMUXERS)
    assert all(suffix == suffix.lower() and suffix[0] == "." and len(suffix) > 1 for suffix in SUFFIXES)


@pytest.mark.parametrize("name", ["cover.jpg", "A.CUE", "a.m3u8", ".hidden.mp3", "._song.mp3", "dir.mp3/notes.txt"])
def test_companion_name(name: str) -> None:
    """Covers, cue sheets, playlists and hidden files are companions of music, not audio."""
    assert is_companion_name(name) and not is_audio_name(name)


@pytest.mark.parametrize("name", ["song", "a.mid", "a.unknown", "a.mp3.part", "a.zip"])
def test_unknown_name(name: str) -> None:
    """Anything else may be audio: the search counts it."""
    assert not is_companion_name(name) and not is_audio_name(name)
