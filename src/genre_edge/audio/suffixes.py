"""Suffixes of audio files. They choose the files of a directory; the content of a file decides how it is decoded."""

from collections.abc import Iterable
from pathlib import Path


def _suffixes(groups: Iterable[str]) -> frozenset[str]:
    return frozenset(f".{suffix}" for group in groups for suffix in group.split())


# Formats of libsndfile 1.2. Without .mat (mostly data that is no audio), .raw and .sd2 (no header in the file).
SOUNDFILE_SUFFIXES = _suffixes(
    [
        "wav wave bwf wavex rf64 bw64 w64 aif aiff aifc afc caf au snd flac mp3 mp2 mp1 mpa m2a ogg oga opus",
        "8svx 16svx svx avr htk ircam sf nist sph paf fap pvf sds voc wve xi",
    ]
)

# ffmpeg's demuxers of single media files, and the suffixes of their files. No playlist, image or subtitle demuxer, no
# headerless format, no device. A demuxer with several names stands under one of them.
FFMPEG_DEMUXERS = {
    "aac": "aac adts",
    "ac3": "ac3",
    "aea": "aea",
    "aiff": "",
    "amr": "amr awb",
    "ape": "ape mac",
    "asf": "wma wmv asf",
    "au": "",
    "avi": "avi divx",
    "caf": "",
    "dsf": "dsf",
    "dts": "dts",
    "dtshd": "dtshd",
    "dv": "dv",
    "eac3": "eac3 ec3",
    "flac": "",
    "flv": "flv",
    "iff": "dff",
    "ircam": "",
    "libopenmpt": "it mod s3m xm",
    "loas": "latm loas",
    "matroska": "mka mkv mk3d webm weba",
    "mlp": "mlp",
    "mov": "m4a m4b m4r mp4 m4v mov qt 3gp 3gpp 3g2 f4a f4v alac",
    "mp3": "",
    "mpc": "mpc mp+ mpp",
    "mpc8": "",
    "mpeg": "mpg mpeg mpe m2p vob",
    "mpegts": "ts m2ts mts m2t tp trp",
    "mxf": "mxf",
    "nistsphere": "",
    "nsv": "nsv",
    "nut": "nut",
    "ogg": "spx ogm ogv ogx",
    "oma": "oma omg aa3",
    "rm": "ra rm rmvb",
    "shn": "shn",
    "sox": "sox",
    "tak": "tak",
    "truehd": "thd truehd",
    "tta": "tta",
    "voc": "",
    "vqf": "vqf",
    "w64": "",
    "wav": "at3",
    "wsd": "wsd",
    "wtv": "wtv",
    "wv": "wv",
    "xwma": "xwma",
}
FFMPEG_SUFFIXES = _suffixes(FFMPEG_DEMUXERS.values())

SUFFIXES = SOUNDFILE_SUFFIXES | FFMPEG_SUFFIXES

# Files that lie beside music and hold none: nothing is lost when a directory's search passes over them.
_COMPANION_SUFFIXES = _suffixes(
    [
        "avif bmp gif heic heif ico jfif jpe jpeg jpg jxl png psd svg tif tiff webp xcf",  # pictures
        "csv css diz doc docx epub htm html js json jsonl log md nfo odt pdf rst rtf toml tsv txt xml yaml yml",  # text
        "asx b4s cue fpl m3u m3u8 mpcpl pls wpl xspf zpl",  # playlists
        "ass idx lrc srt ssa sub sup vtt",  # lyrics and subtitles
        "accurip asc ffp md5 par2 sfv sha1 sha256 sig st5 torrent",  # checksums
        "asd bup db ifo ini ovw peak pek pk reapeaks sfk sqlite",  # indexes and caches of other programs
        "db-journal db-shm db-wal tags tags-shm tags-wal",  # databases of SQLite, ours among them
        "bat desktop exe lnk py sh url webloc",
    ]
)


def is_audio_name(path: str | Path) -> bool:
    """Return True if a path has the suffix of an audio file and is not hidden; "._song.mp3" is metadata of macOS."""
    path = Path(path)
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def is_companion_name(path: str | Path) -> bool:
    """Return True if a path is hidden, or has the suffix of a file without music, such as a cover or a cue sheet."""
    path = Path(path)
    return path.suffix.lower() in _COMPANION_SUFFIXES or path.name.startswith(".")
