"""File systems behind fsspec URLs, such as s3://bucket/music, and how messages name them and their errors."""

from __future__ import annotations

import errno
import os
from typing import Any

from genre_edge.audio.ffmpeg.url import redact_text, redact_url
from genre_edge.errors import GenreEdgeError

# Schemes of stores that list all objects below a prefix at once, and show an object when it is complete
_OBJECT_STORES = frozenset(["s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci"])
_LOCAL_PREFIXES = ("file://", "local://")


def is_url(location: str) -> bool:
    """Return True for a URL, False for a local path, also one with the prefix file://."""
    return "://" in location and not location.startswith(_LOCAL_PREFIXES)


def local_path(location: str) -> str:
    """Return a local path, absolute and without the prefix file://."""
    for prefix in _LOCAL_PREFIXES:
        location = location.removeprefix(prefix)
    return os.path.abspath(location)  # noqa: PTH100 (a path may be any string)


def is_object_store(url: str) -> bool:
    """Return True if a URL's file system is an object store."""
    return url.partition("://")[0] in _OBJECT_STORES


def open_file_system(url: str) -> tuple[Any, str]:
    """Return a URL's file system, host and credentials included, and the URL's path in it, without a slash at the end.

    Raises:
        GenreEdgeError: fsspec or the package for the URL's file system is not installed, or the URL is not valid.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise GenreEdgeError("a scan on a cluster needs fsspec; run: pip install 'genre-edge[cluster]'") from None
    try:
        fs, path = url_to_fs(url)
    except Exception as error:  # its package is not installed, or one of its own errors
        raise GenreEdgeError(f"{redact_url(url)}: {reason(error)}") from None
    return fs, str(path).rstrip("/")


def public_url(url: str, path: str) -> str:
    """Return a URL without credentials.

    Args:
        url: the URL.
        path: its path in its file system. If the URL ends with it, its `?` and `#` are kept, which names may contain.
    """
    url, path = url.rstrip("/"), path.lstrip("/")
    before = url.removesuffix(path)
    return redact_url(before) + path if path and before != url and "://" in before else redact_url(url)


def reason(error: BaseException) -> str:
    """Return what an error of any file system says: one line without credentials."""
    if isinstance(error, FileNotFoundError):
        return os.strerror(errno.ENOENT)
    if isinstance(error, OSError) and error.strerror:
        return redact_text(" ".join(error.strerror.split()))
    text = redact_text(" ".join(str(error).split()))
    if isinstance(error, GenreEdgeError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
