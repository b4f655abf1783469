"""A run's own log file: one line per happening, for the Queue page and for whoever looks into the folder."""

import json
from datetime import datetime

from workbench.workspace import Workspace


def note(ws: Workspace, run_id: int, text: str) -> None:
    """Append a line with the time to the run's log."""
    if not text:
        return
    path = ws.run_log(run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S} {text.rstrip()}\n")


def log_tail(ws: Workspace, run_id: int, lines: int = 40) -> str:
    """The last lines of a run's log, empty before its first attempt."""
    path = ws.run_log(run_id)
    if not path.exists():
        return ""
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def losses(ws: Workspace, run_id: int) -> list[tuple[int, float]]:
    """(update, loss) of every update so far; a line that is just being written is left out."""
    path = ws.run_folder(run_id) / "loss.jsonl"
    points = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        points.append((row["update"], row["loss"]))
    return points
