"""Replacement of a file: at once or not at all, with everything else about the file."""

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from genre_edge.library.tagging.replace import Replacement, remove_leftovers
from genre_edge.library.tagging.tags import TagError

TIME_NS = 1_234_567_890_123_456_789


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file in a folder of its own."""
    (tmp_path / "folder").mkdir()
    path = tmp_path / "folder" / "song.flac"
    path.write_bytes(b"old")
    os.utime(path, ns=(TIME_NS, TIME_NS + 1))
    return path


def replace(path: Path, content: bytes = b"new") -> None:
    """Replace a file's content."""
    with Replacement(path) as replacement:
        replacement.file.write(content)
        replacement.finish()
        replacement.commit()


def test_replacement_keeps_mode_and_times(path: Path) -> None:
    """Mode and times stay, to the nanosecond."""
    path.chmod(0o640)
    replace(path)
    status = path.stat()
    assert path.read_bytes() == b"new"
    assert (status.st_mode & 0o7777, status.st_atime_ns, status.st_mtime_ns) == (0o640, TIME_NS, TIME_NS + 1)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_replacement_keeps_owner(path: Path) -> None:
    """Owner and group stay where the system permits."""
    os.chown(path, 1234, 2345)
    path.chmod(0o4755)
    replace(path)
    status = path.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (1234, 2345, 0o4755)


def test_replacement_keeps_extended_attributes(path: Path) -> None:
    """Extended attributes stay, and with them access control lists, which Linux keeps there."""
    # Version 2; rw- for the owner, r-- for user 1234, r-- for the group, mask r--, --- for others
    entries = [(1, 6, -1), (2, 4, 1234), (4, 4, -1), (16, 4, -1), (32, 0, -1)]
    acl = b"\2\0\0\0" + b"".join(
        tag.to_bytes(2, "little") + rights.to_bytes(2, "little") + (user % (1 << 32)).to_bytes(4, "little")
        for tag, rights, user in entries
    )
    attributes = {"user.rating": b"\x00\xff5", "system.posix_acl_access": acl}
    for name, value in attributes.items():
        try:
            os.setxattr(path, name, value)
        except OSError as error:
            if error.errno != errno.ENOTSUP:
                raise
            pytest.skip(f"the file system has no {name}")
    replace(path)
    assert {name: os.getxattr(path, name) for name in attributes} == attributes


def test_replacement_follows_symbolic_link(path: Path, tmp_path: Path) -> None:
    """A symbolic link stays one; its target is replaced, in the target's folder."""
    link = tmp_path / "link.flac"
    link.symlink_to(path)
    replace(link)
    assert link.is_symlink()
    assert path.read_bytes() == b"new"
    assert sorted(tmp_path.iterdir()) == [path.parent, link]


def test_replacement_refuses_hard_links(path: Path, tmp_path: Path) -> None:
    """A file with several names is refused: a rename would change one of them only."""
    (tmp_path / "other").hardlink_to(path)
    with pytest.raises(TagError, match=r"2 names \(hard links\)"):
        replace(path)
    assert path.read_bytes() == (tmp_path / "other").read_bytes() == b"old"


@pytest.mark.parametrize(("kind", "message"), [("file", "write-protected"), ("folder", "no file can be written")])
def test_replacement_of_protected_file(kind: str, message: str) -> None:
    """A protected file, and one in a protected folder, is refused with a message. Tried by another user than root."""
    program = (
        "import os, sys; from pathlib import Path; from genre_edge.library.tagging.replace import Replacement\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "try: Replacement(Path(sys.argv[1]))\n"
        "except Exception as error: print(getattr(error, 'strerror', None) or error)"
    )
    with tempfile.TemporaryDirectory() as name:  # others may enter it, unlike tmp_path
        folder, path = Path(name), Path(name) / "song.flac"
        path.write_bytes(b"old")
        path.chmod(0o444 if kind == "file" else 0o666)
        folder.chmod(0o777 if kind == "file" else 0o555)
        done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=60)
        assert message in done.stdout, done
        folder.chmod(0o755)


def test_replacement_without_commit(path: Path) -> None:
    """Without a commit, and after an exception, the old file stays and no other one is left."""
    with Replacement(path) as replacement:
        replacement.file.write(b"new")
    with pytest.raises(KeyboardInterrupt), Replacement(path) as replacement:
        replacement.file.write(b"new")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_replacement_of_file_changed_meanwhile(path: Path) -> None:
    """A file that another program changes, or deletes, while its replacement is written is not replaced."""
    for change in (lambda: path.write_bytes(b"other"), path.unlink):
        with pytest.raises((TagError, FileNotFoundError)), Replacement(path) as replacement:
            replacement.file.write(b"new")
            replacement.finish()
            change()
            replacement.commit()
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("kind", ["pipe", "folder", "missing"])
def test_replacement_of_no_file(kind: str, tmp_path: Path) -> None:
    """A pipe, a folder and nothing are OSErrors."""
    path = tmp_path / "song.flac"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(OSError, match=r"regular file|directory|No such file"):
        Replacement(path)


def test_remove_leftovers_of_dead_only(path: Path) -> None:
    """Temporary files of programs that ended are removed; those in use, and files with other names, stay."""
    dead, other = path.with_name(".genre-edge-0123456789abcdef.tmp"), path.with_name(".genre-edge-mine.tmp")
    dead.write_bytes(b"")
    other.write_bytes(b"")
    with Replacement(path) as replacement:
        assert not remove_leftovers(path.parent)
        assert not dead.exists()
        replacement.finish()
        replacement.commit()
    assert remove_leftovers(path.parent)
    assert sorted(path.parent.iterdir()) == [other, path]
    assert not remove_leftovers(path.parent / "missing")
