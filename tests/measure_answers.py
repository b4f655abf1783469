"""How long an answer takes from the browser's POST to the reply, in a large project: median and worst.

    python tests/measure_answers.py [--previews 5000] [--events 2000] [--items 350] [--answers 300]

The real app answers over HTTP on this machine. The events that were there before are another rater's; the sitting
that is measured asks ``--items`` pictures (350 are twenty minutes of the quick deck, 2,000 two hours). Where the
machine does much else, the processor time that the app takes for an answer says more than the clock.
"""

import argparse
import http.client
import json
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from random import Random
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psutil
from filled_many import fill_many
from one_sitting import asking

from db import library, results
from workbench.rating import answers, sitting
from workbench.rating.progress import progress
from workbench.rating.state import state

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--previews", type=int, default=5000)
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--items", type=int, default=350)
    parser.add_argument("--answers", type=int, default=300)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        token, facts = fill_with(Path(folder), wanted.previews, wanted.events, wanted.items)
        print(facts, flush=True)
        port = free_port()
        command = [sys.executable, "-m", "workbench", "--home", folder, "app", "--port", str(port), "--watch-stdin"]
        app = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
        try:
            app.stdout.readline()
            answer_all(port, token, 5)  # what is loaded with the first one
            before = processor_s(app.pid)
            took = [1000 * seconds for seconds in answer_all(port, token, wanted.answers)]
            each = 1000 * (processor_s(app.pid) - before) / len(took)
        finally:
            app.stdin.close()
            app.wait(20)
    print(f"{len(took)} answers: median {median(took):.1f} ms, worst {max(took):.1f} ms; processor {each:.1f} ms each")


def fill_with(home: Path, n_previews: int, n_events: int, n_items: int) -> tuple[str, str]:
    """A project of that size; the token of a sitting that is just begun, and what there is in words."""
    filled = fill_many(home, n_patterns=40, n_checkpoints=n_previews // 320, px=64)
    project = library.project(filled.db, filled.project_id)
    previews = [row["id"] for row in results.previews(filled.db, filled.project_id, filled.plan_id)]
    asked = Random(1).sample(previews, min(n_events, len(previews) - 100))
    before = sitting.begin(filled.db, project, "Mia", asking("deck", asked))
    began = time.perf_counter()
    for item in progress(filled.db, answers.sitting_of(filled.db, before)).items:
        if item.part != "repeat":
            payload = {"item": item.token, "seconds": 2.0, "marks": {"likeness": 50.0}}
            answers.save(filled.db, before, payload)
    took = time.perf_counter() - began
    token = sitting.begin(filled.db, project, "me", asking("deck", asked[:n_items]))
    total = state(filled.db, token, filled.ws)["total"]
    facts = f"{len(previews)} previews, {len(asked)} answers before (saved in {took:.0f} s), a sitting of {total} items"
    filled.db.conn.close()
    return token, facts


def answer_all(port: int, token: str, n: int) -> list[float]:
    """Seconds that each POST took, until its reply was read."""
    path, took = f"/app/rate/{token}", []
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", path)
        now = json.loads(connection.getresponse().read())
        for number in range(n):
            payload = {"item": now["items"][0]["token"], "seconds": 2.0, "marks": {"likeness": number % 101}}
            began = time.perf_counter()
            connection.request("POST", path, json.dumps(payload), {"Content-Type": "application/json"})
            reply = connection.getresponse()
            body = reply.read()
            took.append(time.perf_counter() - began)
            assert reply.status == 200, body
            now = json.loads(body)
    return took


def processor_s(pid: int) -> float:
    """Seconds that a process has computed."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
