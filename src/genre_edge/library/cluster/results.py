"""The folder of the results, local or behind a URL."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genre_edge.errors import GenreEdgeError
from genre_edge.library.cluster.file_systems import (
    is_object_store,
    is_url,
    local_path,
    open_file_system,
    public_url,
    reason,
)
from genre_edge.system.atomic_write import write_atomically


class ResultFolder:
    """A folder of files that are replaced as a whole.

    Args:
        location: path or URL.

    Attributes:
        location: absolute path or URL, with which another process opens the folder.
        name: the same without credentials, for messages.

    Raises:
        GenreEdgeError: fsspec or the package for the URL's file system is not installed.
    """

    def __init__(self, location: str) -> None:
        if is_url(location):
            self.location = location
            self._fs, self._path = open_file_system(location)
            self.name = public_url(location, self._path)
        else:
            self.location = self.name = self._path = local_path(location)
            self._fs = None

    def create(self) -> None:
        """Create the folder if it does not exist. Behind a URL, the first file does that.

        Raises:
            GenreEdgeError: the folder cannot be created.
        """
        if self._fs is None:
            with self._errors():
                Path(self._path).mkdir(parents=True, exist_ok=True)

    def check(self) -> None:
        """Check that a local folder exists: it must not be created where a disk is not mounted.

        Raises:
            GenreEdgeError: it does not exist.
        """
        with self._errors():
            if self._fs is None and not Path(self._path).is_dir():
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    def names(self) -> set[str]:
        """Return the names of the files in the folder; none if it does not exist.

        Raises:
            GenreEdgeError: the folder cannot be listed.
        """
        with self._errors():
            try:
                if self._fs is None:
                    return set(os.listdir(self._path))  # noqa: PTH208
                self._fs.invalidate_cache()
                return {path.rsplit("/", 1)[-1] for path in self._fs.ls(self._path, detail=False)}
            except FileNotFoundError:
                return set()

    def is_visible(self, name: str) -> bool:
        """Return True unless a local folder lacks a file. A URL is the same folder on each machine."""
        return self._fs is not None or (Path(self._path) / name).exists()

    def write(self, name: str, content: bytes) -> None:
        """Write a file. Two writers of one name write one after the other; neither leaves a part.

        Raises:
            GenreEdgeError: the file cannot be written.
        """
        with self._errors(name):
            if self._fs is None:
                write_atomically(Path(self._path) / name, content)
            elif is_object_store(self.location):
                self._fs.pipe_file(f"{self._path}/{name}", content)
            else:
                self._replace(name, content)

    def remove(self, name: str) -> None:
        """Remove a file; do nothing if it does not exist.

        Raises:
            GenreEdgeError: the file cannot be removed.
        """
        with self._errors(name), contextlib.suppress(FileNotFoundError):
            if self._fs is None:
                (Path(self._path) / name).unlink()
            else:
                self._fs.rm_file(f"{self._path}/{name}")

    def _replace(self, name: str, content: bytes) -> None:
        """Write a file under another name, and rename it."""
        assert self._fs is not None
        self._fs.makedirs(self._path, exist_ok=True)
        temporary = f"{self._path}/.{secrets.token_hex(8)}.tmp"
        try:
            self._fs.pipe_file(temporary, content)
            self._fs.mv(temporary, f"{self._path}/{name}")
        except BaseException:
            with contextlib.suppress(Exception):
                self._fs.rm_file(temporary)
            raise

    @contextmanager
    def _errors(self, name: str | None = None) -> Iterator[None]:
        """Raise each error as a GenreEdgeError that names the folder, or a file in it."""
        try:
            yield
        except Exception as error:  # each file system has errors of its own
            place = self.name if name is None else f"{self.name}/{name}"
            raise GenreEdgeError(f"{place}: {reason(error)}") from None
