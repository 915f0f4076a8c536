"""Rewrite an sdist so that equal content has equal bytes: sorted members, one time, no owners, plain modes.

    python -m tools.release.repack_sdist FILE.tar.gz

SOURCE_DATE_EPOCH is the time of all members, in seconds. setuptools sets it in wheels, but not in sdists.
"""

import gzip
import io
import os
import sys
import tarfile
from pathlib import Path


def repack(path: Path, time_s: int) -> None:
    """Rewrite an sdist in place."""
    content = io.BytesIO()
    with tarfile.open(path) as old, tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as new:
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname = time_s, 0, 0, "", ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.pax_headers = {}
            new.addfile(member, old.extractfile(member) if member.isreg() else None)
    path.write_bytes(gzip.compress(content.getvalue(), mtime=time_s))


if __name__ == "__main__":
    repack(Path(sys.argv[1]), int(os.environ["SOURCE_DATE_EPOCH"]))
