"""Files behind fsspec URLs, such as s3://bucket/music: found, read and written."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from genre_edge.audio.suffixes import is_audio_name
from genre_edge.errors import AudioError, GenreEdgeError
from genre_edge.library.discovery import Filter, FolderError, FoundFile, discover
from genre_edge.system.atomic_write import write_atomically

_TIMES = ("mtime", "LastModified", "last_modified", "updated", "created")  # names in fsspec's file systems
_CHUNK = 1 << 20
# Stores that show an object when it is complete
_OBJECT_STORES = ("s3://", "s3a://", "gs://", "gcs://", "az://", "abfs://", "abfss://", "adl://", "oci://")


def is_url(path: str) -> bool:
    """Return True for a URL, False for a local path."""
    return "://" in path


def find(roots: Iterable[str], chosen: Filter) -> Iterator[FoundFile | AudioError]:
    """Yield the chosen audio files below folders and URLs, in an order that is the same each time.

    Local folders come first, and are searched as a local scan does. A URL that cannot be listed is a `FolderError`.
    """
    roots = list(dict.fromkeys(roots))
    yield from discover([root for root in roots if not is_url(root)], chosen)
    for root in filter(is_url, roots):
        if any(root != other and root.startswith(f"{other.rstrip('/')}/") for other in roots):
            continue  # a part of another one
        try:
            yield from _find_below(root, chosen)
        except Exception as error:  # each file system has errors of its own
            yield FolderError(f"{root}: {_one_line(error)}")


def _find_below(root: str, chosen: Filter) -> Iterator[FoundFile | AudioError]:
    fs, folder = _file_system(root)
    n_files = 0
    for path, info in _list(fs, folder):
        if is_audio_name(path):
            file = FoundFile(fs.unstrip_protocol(path), int(info.get("size") or 0), _mtime_ns(info))
            n_files += 1
            if chosen.accepts(file):
                yield file
    if not n_files:
        yield FolderError(f"{root}: no audio files")


def _list(fs: Any, folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield paths and descriptions of the files below a folder; of one of its folders at a time, to save memory."""
    for entry in sorted(fs.ls(folder, detail=True), key=lambda entry: str(entry["name"])):
        if entry["type"] == "directory":
            yield from sorted(fs.find(entry["name"], detail=True).items())
        else:
            yield entry["name"], entry
        fs.invalidate_cache()


def _mtime_ns(info: dict[str, Any]) -> int:
    """Return the time of modification in ns; 0 if the file system does not know it."""
    for name in _TIMES:
        value = info.get(name)
        if isinstance(value, datetime):
            return int(value.timestamp() * 1e9)
        if isinstance(value, (int, float)):
            return int(value * 1e9)
    return 0


def download(url: str, folder: Path) -> Path:
    """Copy a file into a folder; return the copy, which has the same suffix.

    Raises:
        AudioError: the file cannot be read, or the copy cannot be written.
    """
    copy = folder / f"song{Path(url).suffix}"
    try:
        fs, path = _file_system(url)
        with fs.open(path, "rb") as source, copy.open("wb") as target:
            while chunk := source.read(_CHUNK):
                target.write(chunk)
    except Exception as error:  # each file system has errors of its own
        raise AudioError(f"{url}: {_one_line(error)}") from None
    return copy


class Folder:
    """A local folder, or one behind a URL, for files that appear whole or not at all.

    Args:
        location: path or URL; created when a file is written.

    Raises:
        GenreEdgeError: fsspec or the package for the URL's file system is not installed.
    """

    def __init__(self, location: str) -> None:
        self.location = location
        self._fs, self._path = _file_system(location)
        self._is_local = not is_url(location) or location.startswith(("file://", "local://"))

    def names(self) -> set[str]:
        """Return the names of the files in the folder; none if it does not exist.

        Raises:
            GenreEdgeError: the folder cannot be listed.
        """
        self._fs.invalidate_cache()
        try:
            return {path.rsplit("/", 1)[-1] for path in self._fs.ls(self._path, detail=False)}
        except FileNotFoundError:
            return set()
        except Exception as error:  # each file system has errors of its own
            raise GenreEdgeError(f"{self.location}: {_one_line(error)}") from None

    def write(self, name: str, content: bytes) -> None:
        """Write a file. Two writers of one name write one after the other; neither leaves a part.

        Raises:
            GenreEdgeError: the file cannot be written.
        """
        try:
            if self._is_local:
                Path(self._path).mkdir(parents=True, exist_ok=True)
                write_atomically(Path(self._path) / name, content)
            elif self.location.startswith(_OBJECT_STORES):
                self._fs.pipe_file(f"{self._path}/{name}", content)
            else:
                self._replace(name, content)
        except Exception as error:  # each file system has errors of its own
            raise GenreEdgeError(f"{self.location}/{name}: {_one_line(error)}") from None

    def _replace(self, name: str, content: bytes) -> None:
        """Write a file under another name, and rename it."""
        self._fs.makedirs(self._path, exist_ok=True)
        temporary = f"{self._path}/.{secrets.token_hex(8)}.tmp"
        try:
            self._fs.pipe_file(temporary, content)
            self._fs.mv(temporary, f"{self._path}/{name}")
        except BaseException:
            with contextlib.suppress(Exception):
                self._fs.rm_file(temporary)
            raise


def _file_system(url: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise GenreEdgeError("a scan on a cluster needs fsspec; run: pip install 'genre-edge[cluster]'") from None
    try:
        fs, path = url_to_fs(url if is_url(url) else os.path.abspath(url))  # noqa: PTH100 (may be no path)
    except Exception as error:  # its package is not installed, or one of its own errors
        raise GenreEdgeError(f"{url}: {_one_line(error)}") from None
    return fs, str(path).rstrip("/")


def _one_line(error: BaseException) -> str:
    with contextlib.suppress(AttributeError):
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
