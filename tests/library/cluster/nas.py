"""An fsspec file system whose URLs have hosts, users and passwords, as those of sftp://, in memory."""

import errno
import io
import os
from typing import Any, ClassVar

from fsspec import AbstractFileSystem, register_implementation
from fsspec.utils import infer_storage_options


class NasFileSystem(AbstractFileSystem):
    """nas://user:password@host/path.

    Attributes:
        files: host -> path -> content.
        unlistable: paths of folders that raise an I/O error.
        users: those who have opened files.
    """

    protocol = "nas"
    cachable = False
    files: ClassVar[dict[str, dict[str, bytes]]] = {}
    unlistable: ClassVar[set[str]] = set()
    users: ClassVar[set[str]] = set()

    def __init__(self, host: str, username: str = "", password: str = "", **options: Any) -> None:
        super().__init__(**options)
        self.host, self.username = host, username

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(infer_storage_options(path)["path"]).lstrip("/") if "://" in path else path.rstrip("/")

    @staticmethod
    def _get_kwargs_from_urls(url: str) -> dict[str, Any]:
        options = infer_storage_options(url)
        return {name: options[name] for name in ("host", "username", "password") if name in options}

    def ls(self, path: str, detail: bool = True, **options: Any) -> Any:
        """List a folder."""
        if path in self.unlistable:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        entries: dict[str, dict[str, Any]] = {}
        for name, content in self.files[self.host].items():
            if name.startswith(f"{path}/"):
                first, _, rest = name.removeprefix(f"{path}/").partition("/")
                kind = "directory" if rest else "file"
                entries[first] = {"name": f"{path}/{first}", "size": len(content), "type": kind}
        if not entries:
            raise FileNotFoundError(path)
        return list(entries.values()) if detail else [entry["name"] for entry in entries.values()]

    def _open(self, path: str, mode: str = "rb", **options: Any) -> io.BytesIO:
        self.users.add(self.username)
        return io.BytesIO(self.files[self.host][path])


def register_nas() -> type[NasFileSystem]:
    """Make nas:// known to fsspec, without any file."""
    NasFileSystem.files.clear()
    NasFileSystem.unlistable.clear()
    NasFileSystem.users.clear()
    register_implementation("nas", NasFileSystem, clobber=True)
    return NasFileSystem
