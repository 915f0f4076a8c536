"""Audio files behind fsspec URLs, such as s3://bucket/music: found and copied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from genre_edge.audio.ffmpeg.url import redact_url
from genre_edge.audio.suffixes import is_audio_name
from genre_edge.errors import AudioError, GenreEdgeError
from genre_edge.library.cluster.file_systems import (
    is_object_store,
    is_url,
    local_path,
    open_file_system,
    public_url,
    reason,
)
from genre_edge.library.discovery import Filter, FolderError, FoundFile, discover

_TIMES = ("mtime", "LastModified", "last_modified", "updated", "created")  # names in fsspec's file systems
_CHUNK = 1 << 20
_MAX_BYTES = 1 << 32  # of a file whose size is not listed


@dataclass(frozen=True)
class RemoteFile(FoundFile):
    """A file behind a URL. Its `path` is its URL without credentials.

    Attributes:
        root: the URL below which it was found: file system, host and credentials.
        source: the path in this file system. Only `root` is parsed as a URL: a name may hold `::`, `?` and `#`.
    """

    root: str
    source: str


def find(roots: Iterable[str], chosen: Filter) -> Iterator[FoundFile | AudioError]:
    """Yield the chosen audio files below folders and URLs, in an order that is the same each time.

    Local folders come first, and are searched as a local scan does. A folder that cannot be listed is a `FolderError`.
    """
    roots = list(dict.fromkeys(roots))
    yield from discover([local_path(root) for root in roots if not is_url(root)], chosen)
    for root in filter(is_url, roots):
        if any(root != other and root.startswith(f"{other.rstrip('/')}/") for other in roots):
            continue  # a part of another one
        try:
            yield from _find_below(root, chosen)
        except GenreEdgeError as error:  # it names the URL
            yield FolderError(str(error))
        except Exception as error:  # each file system has errors of its own
            yield FolderError(f"{redact_url(root)}: {reason(error)}")


def _find_below(root: str, chosen: Filter) -> Iterator[FoundFile | AudioError]:
    fs, folder = open_file_system(root)
    name = public_url(root, folder)
    n_items = 0
    for item in (_list_store if is_object_store(root) else _list_tree)(fs, folder):
        if isinstance(item, _Unlisted):
            n_items += 1
            yield FolderError(f"{_url_of(item.path, folder, name)}: {item.reason}")
        elif item["type"] == "file" and is_audio_name(path := str(item["name"])):
            n_items += 1
            size = int(item.get("size") or 0)
            file = RemoteFile(_url_of(path, folder, name), size, _mtime_ns(item), root, path)
            if chosen.accepts(file):
                yield file
    if not n_items:
        yield FolderError(f"{name}: no audio files")


def _url_of(path: str, folder: str, url: str) -> str:
    """Return the URL of a path in or below a folder, whose URL is given."""
    if path == folder:
        return url
    return f"{url}{'' if url.endswith('/') else '/'}{path.removeprefix(f'{folder}/')}"


@dataclass(frozen=True)
class _Unlisted:
    """A folder that cannot be listed."""

    path: str
    reason: str


def _list_store(fs: Any, folder: str) -> Iterator[dict[str, Any]]:
    """Yield descriptions of the objects below a folder; of one of its folders at a time, to save memory."""
    entries = _ls(fs, folder)
    if any(entry["type"] == "directory" and entry["name"].rstrip("/") == folder for entry in entries):
        entries = [{"name": folder, "type": "directory"}]  # a folder without a name, which cannot be listed alone
    for entry in entries:
        if entry["type"] == "directory":
            found = fs.find(entry["name"], detail=True)
            yield from (found[path] for path in sorted(found))
            fs.invalidate_cache()
        else:
            yield entry


def _list_tree(fs: Any, folder: str) -> Iterator[dict[str, Any] | _Unlisted]:
    """Yield descriptions of the files below a folder, and each folder below it that cannot be listed."""
    for entry in _ls(fs, folder):
        path = entry["name"].rstrip("/")
        if entry["type"] != "directory":
            yield entry
        elif path != folder:
            try:
                yield from _list_tree(fs, path)
            except Exception as error:  # each file system has errors of its own
                yield _Unlisted(path, reason(error))


def _ls(fs: Any, folder: str) -> list[dict[str, Any]]:
    entries = sorted(fs.ls(folder, detail=True), key=lambda entry: str(entry["name"]))
    fs.invalidate_cache()
    return entries


def _mtime_ns(info: dict[str, Any]) -> int:
    """Return the time of modification in ns; 0 if the file system does not know it."""
    for name in _TIMES:
        value = info.get(name)
        if isinstance(value, datetime):
            return int(value.timestamp() * 1e9)
        if isinstance(value, (int, float)):
            return int(value * 1e9)
    return 0


def download(file: RemoteFile, folder: Path) -> Path:
    """Copy a file into a folder; return the copy, which has the same suffix.

    Raises:
        AudioError: the file cannot be read, has another size than listed, or the copy cannot be written.
    """
    copy = folder / f"song{Path(file.source).suffix}"
    limit = file.size or _MAX_BYTES
    n_bytes = 0
    try:
        fs, _ = open_file_system(file.root)
        with fs.open(file.source, "rb") as source, copy.open("wb") as target:
            while n_bytes <= limit and (chunk := source.read(_CHUNK)):
                n_bytes += target.write(chunk)
    except MemoryError:
        raise
    except Exception as error:  # each file system has errors of its own
        raise AudioError(f"{file.path}: {reason(error)}") from None
    if n_bytes > limit or (file.size and n_bytes < file.size):
        raise AudioError(f"{file.path}: the file has another size than when it was listed, {file.size} bytes")
    return copy
