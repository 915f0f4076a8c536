"""Simulation of macOS for genre-edge. Python imports this file at its start if its folder is in PYTHONPATH.

Libraries are those of Linux, so they are imported first. Then the functions, constants and files that only Linux has
disappear, for Python code; access to the files and to functions of the C library is checked by an audit hook.
"""

import fcntl
import os
import resource
import select
import shutil
import signal
import socket
import sys
import sysconfig
import time
from importlib import import_module
from types import ModuleType
from typing import Any

LIBRARIES = (
    "asyncio", "multiprocessing.connection", "concurrent.futures.thread", "subprocess", "sqlite3", "webbrowser",
    "ai_edge_litert.interpreter", "numpy", "numpy.random", "soundfile", "soxr", "rich.console", "rich.progress",
    "rich.table", "typer", "uvicorn", "starlette.applications", "paho.mqtt.client", "prometheus_client", "mutagen",
    "watchfiles", "pyarrow.parquet", "distributed", "fsspec",
)  # fmt: skip
LINUX_ONLY: dict[ModuleType, tuple[str, ...]] = {
    os: (
        "copy_file_range", "eventfd", "fdatasync", "getrandom", "getresuid", "getxattr", "listxattr", "memfd_create",
        "O_DIRECT", "O_PATH", "O_TMPFILE", "pidfd_open", "pipe2", "posix_fadvise", "posix_fallocate", "removexattr",
        "sched_getaffinity", "sched_setaffinity", "sched_setscheduler", "setns", "setxattr", "splice", "unshare",
    ),
    fcntl: (
        "F_SETPIPE_SZ", "F_GETPIPE_SZ", "F_SETSIG", "F_NOTIFY",
        "F_OFD_GETLK", "F_OFD_SETLK", "F_OFD_SETLKW",  # only recent macOS has them, with other numbers
    ),
    resource: ("prlimit", "RLIMIT_RTPRIO", "RUSAGE_THREAD"),
    select: ("epoll",),
    signal: ("sigwaitinfo", "sigtimedwait", "SIGPWR", "SIGRTMIN"),
    socket: ("SOCK_NONBLOCK", "SOCK_CLOEXEC", "SO_PEERCRED", "AF_NETLINK", "AF_PACKET", "TCP_KEEPIDLE", "TCP_QUICKACK"),
    time: ("CLOCK_BOOTTIME", "pthread_getcpuclockid"),
}  # fmt: skip
FOLDERS = ("/proc/", "/sys/")
SYMBOLS = frozenset(["prctl", "sched_setaffinity", "gettid", "syscall"])


def is_linux_only(path: object) -> bool:
    return isinstance(path, (str, bytes, os.PathLike)) and f"{os.fsdecode(path)}/".startswith(FOLDERS)


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """Fail as macOS does. Audit hook."""
    if event in ("open", "os.listdir", "os.scandir") and is_linux_only(arguments[0]):
        raise FileNotFoundError(2, "No such file or directory", os.fsdecode(arguments[0]))
    if event == "ctypes.dlsym" and arguments[1] in SYMBOLS:
        raise AttributeError(f"symbol not found: {arguments[1]}")
    if event == "resource.setrlimit" and arguments[0] == resource.RLIMIT_AS:
        raise ValueError("current limit exceeds maximum limit")  # macOS does not limit the address space


def stat(path: Any, **options: Any) -> os.stat_result:
    if is_linux_only(path):
        raise FileNotFoundError(2, "No such file or directory", os.fsdecode(path))
    return linux_stat(path, **options)


def sysconf(name: str) -> int:
    if name == "SC_AVPHYS_PAGES":
        raise ValueError("unrecognized configuration name")
    return linux_sysconf(name)


def getrusage(who: int) -> resource.struct_rusage:
    usage = list(linux_getrusage(who))
    usage[2] *= 1024  # the peak of resident memory, in bytes
    return resource.struct_rusage(usage)


for library in LIBRARIES:
    import_module(library)
sysconfig.get_config_vars()  # reads a module whose name has the platform in it
for module, names in LINUX_ONLY.items():
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
shutil._copyxattr = lambda source, target, **options: None  # type: ignore[attr-defined]  # as it is on macOS
linux_stat, os.stat = os.stat, stat
linux_getrusage, resource.getrusage = resource.getrusage, getrusage
linux_sysconf, os.sysconf = os.sysconf, sysconf
sys.addaudithook(refuse)
sys.platform = "darwin"
