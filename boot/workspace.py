"""The workspace folder, its lock, and a port for its app."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path
from typing import IO

from boot import StartError, say

FIRST_PORT = 8501


def open_home(home: Path) -> None:
    """Make the workspace folder, or say why it can't be used."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        probe = home / f".write-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise StartError(
            f"The workspace {home} can't be written: {error.strerror}. Choose another folder with --home."
        ) from None


def lock(path: Path) -> IO[bytes] | None:
    """Take the lock on a file until it is closed or this process ends; None when another process has it."""
    try:
        file = open(path, "ab")  # noqa: SIM115 - open for as long as the lock is held
    except OSError as error:
        raise StartError(f"{path} can't be written: {error.strerror}. Is this folder yours?") from None
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        file.close()
        return None
    except OSError:  # a file system without locks: go on without
        pass
    return file


def locked(path: Path, message: str) -> IO[bytes]:
    """Take the lock, waiting for it with a message."""
    file = lock(path)
    if file is None:
        say(message)
    while file is None:
        time.sleep(0.5)
        file = lock(path)
    return file


def free_port(wanted: int | None) -> int:
    """The wanted port, or without one the first free port from 8501 on, on 127.0.0.1."""
    if wanted is not None:
        if not is_free(wanted):
            raise StartError(
                f"Port {wanted} can't be used: another program has it, or it isn't allowed. "
                f"Choose another with --port, or leave --port out to get the next free one from {FIRST_PORT}."
            )
        return wanted
    for port in range(FIRST_PORT, FIRST_PORT + 100):
        if is_free(port):
            return port
    raise StartError(f"Ports {FIRST_PORT} to {FIRST_PORT + 99} are all taken. Choose another with --port.")


def is_free(port: int) -> bool:
    if not 0 < port < 2**16:
        return False
    with socket.socket() as caller:  # macOS lets two programs bind one port under SO_REUSEADDR, so ask it too
        caller.settimeout(0.3)
        if caller.connect_ex(("127.0.0.1", port)) == 0:
            return False
    with socket.socket() as server:
        if sys.platform == "win32":
            server.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:  # a port that our last app left a moment ago counts as free
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
