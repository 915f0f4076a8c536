"""Copying of a file's attributes: mode, times, flags, extended attributes and access control lists."""

import ctypes
import os
import shutil
from pathlib import Path

_COPYFILE_ACL, _COPYFILE_XATTR = 1, 4  # copyfile(3) of macOS


def copy_attributes(source: Path, target: Path) -> None:
    """Copy the attributes of a file to another one.

    Python copies extended attributes on Linux only, where access control lists are among them. On macOS the system
    copies both.

    Raises:
        OSError: an attribute cannot be copied.
    """
    if not hasattr(os, "listxattr"):
        copyfile = getattr(ctypes.CDLL(None, use_errno=True), "copyfile", None)
        flags = _COPYFILE_ACL | _COPYFILE_XATTR
        if copyfile is not None and copyfile(os.fsencode(source), os.fsencode(target), None, flags) < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(source))
    shutil.copystat(source, target)
