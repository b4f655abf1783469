"""What works here and what doesn't: device, judges with licence and world, disk, database."""

import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from db import library
from workbench.judges import fitting, list_judges
from workbench.workspace import Workspace

LOW_DISK_GB = 5.0
NO_JUDGE_OF_REAL_PEOPLE = {
    "face": "none for photos of real people. Get one with: python -m workbench doctor --download buffalo_l (weights "
    "for non-commercial research only), or install dlib, free for any use: requirements-dlib.txt says how",
    "clip": "none for photos of real people. Get one with: python -m workbench doctor --download "
    "ViT-B-32/laion2b_s34b_b79k",
}
NETWORK_FILESYSTEMS = {"nfs", "nfs4", "cifs", "smbfs", "smb3", "9p", "drvfs", "fuse.sshfs", "afpfs"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: ok, a warning, or an error that must be mended."""

    level: str  # ok, warn, error
    what: str
    text: str


def examine(ws: Workspace) -> list[Finding]:
    """Look at everything that training needs. Takes some seconds: the device is tried in a process of its own."""
    return [*_python(), *_device(), *_judges(), *_disk(ws.home), *_database(ws)]


def _python() -> list[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    return [Finding("ok", "Python", f"{version} on {sys.platform}")]


def _device() -> list[Finding]:
    """Probe in a child process, so that this one stays free of torch and survives a broken driver."""
    code = (
        "from trainer.device import probe; import torch; d = probe(); "
        "print(f\"{d.name} ({d.kind}), precisions: {', '.join(sorted(d.precisions))}, torch {torch.__version__}\")"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parent.parent
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        return [Finding("error", "Device", f"torch doesn't work here: {last[0]}. Delete .venv and start again.")]
    found = [Finding("ok", "Device", done.stdout.strip())]
    if "(cpu)" in done.stdout and shutil.which("nvidia-smi"):
        found.append(
            Finding(
                "warn",
                "Device",
                "there is an NVIDIA driver, but this torch has no CUDA. The README says how to get one.",
            )
        )
    return found


def _judges() -> list[Finding]:
    found = [
        Finding("ok", f"Judge: {j.kind}", f"{j.name} ({j.version}); licence: {j.licence}; valid for: {j.world}")
        for j in list_judges()
    ]
    for kind, text in NO_JUDGE_OF_REAL_PEOPLE.items():
        if fitting(kind, synthetic=False) == "none":
            found.append(Finding("warn", f"Judge: {kind}", text))
    return found


def _disk(home: Path) -> list[Finding]:
    home.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(home).free / 1e9
    if not os.access(home, os.W_OK):
        return [Finding("error", "Workspace", f"{home} can't be written to. Choose another folder with --home.")]
    level = "ok" if free > LOW_DISK_GB else "warn"
    return [Finding(level, "Workspace", f"{home}, {free:.1f} GB free")]


def _database(ws: Workspace) -> list[Finding]:
    try:
        db = ws.open()
        health = db.conn.execute("pragma quick_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        return [Finding("error", "Database", f"{error}. Put back a backup: workbench.before-*.db lies beside it.")]
    kind = _filesystem(ws.home)
    if kind in NETWORK_FILESYSTEMS:
        text = f"lies on a network file system ({kind}), where SQLite can lose writes. Use a local disk with --home."
        return [Finding("warn", "Database", text)]
    level = "ok" if health == "ok" else "error"
    return [Finding(level, "Database", f"{health}; {len(library.projects(db))} projects")]


def _filesystem(path: Path) -> str:
    """The type of the file system that a folder is on, or an empty text where it can't be told."""
    import psutil

    best = ("", "")
    for part in psutil.disk_partitions(all=True):
        if str(path.resolve()).startswith(part.mountpoint) and len(part.mountpoint) > len(best[0]):
            best = (part.mountpoint, part.fstype)
    return best[1]
