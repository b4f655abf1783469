"""The engine: one long-lived process that holds the models, reads jobs and emits events as JSON lines.

It knows no database. The worker sends commands on its standard input and gets events on its standard output;
everything that libraries print goes to standard error. When its input closes (the worker is gone) it exits at once:
a training goes on later from its last saved state.
"""

import errno
import json
import logging
import os
import queue
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TextIO

from workbench.running.stdin_watch import own_stdin

log = logging.getLogger(__name__)

WORKER_GONE, DEVICE_LOST = 3, 4  # exit codes
PROBE_AFTER_S = 3.0  # of idleness: trying every optimiser takes seconds, which a sweep should not lose at its start

Command = dict[str, Any]
Emit = Callable[[dict[str, Any]], None]


class Engine:
    """Carries out commands one after the other; while it trains, pictures and scores go between two updates."""

    def __init__(self, emit: Emit, device: str | None = None) -> None:
        from trainer.device import probe

        self.emit = emit
        self.device = probe(device)
        self.bases: dict[str, Any] = {}
        self.studio: Any = None
        self.inbox: queue.Queue[Command] = queue.Queue()
        self.pending: deque[Command] = deque()  # read from the inbox, not done yet
        self.job: Any = None  # the training in progress
        self.vaes: dict[str, Any] = {}
        self.quitting = False
        self.resting = False  # the queue is halted: stop in good order, and forget what waits
        self.probed = False  # whether every optimiser was tried here

    def announce(self) -> None:
        """Say that the engine is up, and on what."""
        device = {
            "kind": self.device.kind,
            "name": self.device.name,
            "precisions": sorted(self.device.precisions),
        }
        self.emit({"event": "Ready", "device": device})

    def serve(self) -> None:
        """Work until a quit command comes."""
        while not self.quitting:
            if self.pending:
                self.carry_out(self.pending.popleft())
            else:
                self.wait()
            self.take_all()
            if self.resting:
                self.rest()

    def wait(self) -> None:
        """Wait for a command; where none comes soon, nobody minds that the optimisers are tried first."""
        try:
            self.take(self.inbox.get(timeout=None if self.probed else PROBE_AFTER_S))
        except queue.Empty:
            self.probe_optimizers()

    def rest(self) -> None:
        """Say that nothing is under way any more. The worker asks again when the queue goes on."""
        self.pending.clear()
        self.resting = False
        self.emit({"event": "Resting"})

    def probe_optimizers(self) -> None:
        """Try one step of every optimiser, so that people hear of those that can't work here before they queue them."""
        from trainer.probe import probe_optimizers

        self.probed = True
        self.emit({"event": "Optimizers", "found": probe_optimizers(self.device)})

    def take(self, command: Command) -> None:
        """Note a command. Stop, rest and quit take effect at once, the others wait for their turn."""
        if command["do"] == "quit":
            self.quitting = True
            if self.job is not None:
                self.job.stop = "worker_stopped"
        elif command["do"] == "rest":
            self.resting = True
            if self.job is not None:
                self.job.stop = "halted"
        elif command["do"] == "stop":
            if self.job is not None and self.job.run == str(command["run"]):
                self.job.stop = command["reason"]
        else:
            self.pending.append(command)

    def take_all(self) -> None:
        while not self.inbox.empty():
            self.take(self.inbox.get_nowait())

    def interrupted(self) -> bool:
        """Whether somebody waits for us to stop what we do."""
        self.take_all()
        return self.quitting or self.resting or (self.job is not None and self.job.stop is not None)

    def carry_out(self, command: Command) -> None:
        """Do one command; whatever goes wrong becomes an event, and the engine lives on."""
        handler = {
            "train": self.train,
            "fill": self.fill,
            "calibrate": self.calibrate,
            "score": self.score,
        }[command["do"]]
        try:
            handler(command)
        except Exception as error:  # the one broad except: a job that fails must not stop the queue
            log.exception("%s failed", command["do"])
            self.emit(failure(command, error))
            if is_device_lost(error):
                os._exit(DEVICE_LOST)  # every later job would fail as well; the worker starts a fresh engine

    def base(self, location: str) -> Any:
        """The base model; one is kept, so that the runs of a sweep share the load."""
        from trainer.base import load_base

        if location not in self.bases:
            self.bases.clear()
            self.bases[location] = load_base(location, self.device)
        return self.bases[location]

    def vae(self, place: str | None) -> Any:
        """A VAE other than the base's own; one is kept. None = the base's own."""
        from trainer.vae import load_vae

        if place is None:
            return None
        if place not in self.vaes:
            self.vaes.clear()
            self.vaes[place] = load_vae(Path(place), self.device)
        return self.vaes[place]

    # training

    def train(self, command: Command) -> None:
        from trainer.config import parse_config
        from trainer.data import Photo
        from trainer.lora import Job, train

        def photos(listed: list[dict[str, str]]) -> list[Photo]:
            return [Photo(Path(p["path"]), p["caption"], p["sha256"]) for p in listed]

        config = parse_config(command["config"])
        base = self.base(command["base"])
        self.job = Job(
            run=str(command["run"]),
            config=config,
            seed=command["seed"],
            photos=photos(command["photos"]),
            reference=photos(command["reference"]),
            continues=Path(command["continues"]) if command["continues"] else None,
            out=Path(command["out"]),
            name=command["name"],
            trigger=command["trigger"],
            class_noun=command["class_noun"],
        )
        try:
            for event in train(base, [self.job], cache=Path(command["cache"])):
                self.emit(event.to_dict())
                self.between_updates()
        finally:
            self.job = None

    def between_updates(self) -> None:
        """Make pictures and scores that were asked for meanwhile; another training has to wait."""
        while not self.interrupted():
            command = next((command for command in self.pending if command["do"] != "train"), None)
            if command is None:
                return
            self.pending.remove(command)
            self.carry_out(command)

    # previews and scores

    def fill(self, command: Command) -> None:
        """Render the cells of one checkpoint, or of the base row, and write their files.

        A broken picture of half precision is drawn once more in fp32, alone: it is not kept, but how it came out
        tells whether the precision or the weights are to blame. Whoever wants us to stop doesn't wait for all of
        them: the worker asks again for what is missing.
        """
        from trainer.preview import Cell, Picture, Sampling, render
        from workbench.scores.picture import picture_status
        from workbench.scores.preview_file import write_preview

        cells = [Cell(c["key"], c["text"], c["seed"], c["strength"]) for c in command["cells"]]
        lora = Path(command["lora"]) if command["lora"] else None
        base = self.base(command["base"])
        vae = self.vae(command.get("vae"))
        sampling = Sampling(**command["sampling"])

        def in_fp32(picture: Picture, status: str) -> str | None:
            if status == "ok" or not picture.half:
                return None
            [again] = render(base, lora, [picture.cell], sampling, vae=vae, full=True)
            return picture_status(again.pixels, again.finite)

        for picture in render(base, lora, cells, sampling, vae=vae):
            files = write_preview(Path(command["out"]), picture.pixels, picture.finite)
            self.emit(
                {
                    "event": "Picture",
                    "id": command["id"],
                    "key": picture.cell.key,
                    **files,
                    "seconds": picture.seconds,
                    "in_fp32": in_fp32(picture, files["status"]),
                }
            )
            if self.interrupted():
                break
        self.emit({"event": "Filled", "id": command["id"]})

    def judges(self) -> Any:
        """The judges that are loaded, with the reference faces that they have seen."""
        from workbench.scores.studio import Studio

        if self.studio is None:
            self.studio = Studio("cuda" if self.device.kind == "cuda" else "cpu")
        return self.studio

    def calibrate(self, command: Command) -> None:
        result = self.judges().calibrate(command["judge"], command["photos"])
        self.emit({"event": "Calibrated", "id": command["id"], **result})

    def score(self, command: Command) -> None:
        """Judge pictures batch by batch. A batch is told as it comes, so that a kill loses one at most."""
        for rows in self.judges().score(command["judge"], command["photos"], command["pictures"]):
            self.emit({"event": "Scores", "id": command["id"], "scores": rows})
            if self.interrupted():
                break
        self.emit({"event": "Scored", "id": command["id"]})


def failure(command: Command, error: Exception) -> dict[str, Any]:
    """An event that says which command failed, why, and where in the code."""
    reason, params = why(error)
    if command["do"] == "train":
        about = {"event": "Failed", "run": str(command["run"]), "update": 0}
    else:
        about = {"event": "JobFailed", "id": command.get("id")}
    return {**about, "reason": reason, "params": params, "traceback": traceback.format_exc()}


def why(error: Exception) -> tuple[str, dict[str, Any]]:
    """The reason code and parameters of an exception."""
    name = type(error).__name__
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "disk_full", {}
    if name == "OutOfMemoryError" or isinstance(error, MemoryError):
        return "out_of_memory", {"update": 0}
    codes = {
        "BaseModelError": "bad_base",
        "ConfigError": "bad_config",
        "CalibrationError": "not_calibrated",
        "JudgeUnavailable": "unavailable",
        "PreviewError": "bad_config",
        "VaeError": "bad_base",
        "WrongWorld": "outside_world",
    }
    message = str(error) if name in codes else f"{name}: {error}"
    return codes.get(name, "error"), {"message": message}


def is_device_lost(error: Exception) -> bool:
    """Whether the GPU can't be used any more by this process (out of memory is not that)."""
    return type(error).__name__ == "AcceleratorError" or "CUDA error" in str(error)


def read_commands(stream: Iterable[str], inbox: "queue.Queue[Command]") -> None:
    """Put every line's command into the inbox; when the input closes, the worker is gone and so are we."""
    for line in stream:
        inbox.put(json.loads(line))
    os._exit(WORKER_GONE)


def main() -> None:
    """Serve on standard input and output."""
    for name in (signal.SIGINT, signal.SIGTERM):  # they reach the whole group; the worker decides what they mean
        signal.signal(name, signal.SIG_IGN)
    events = take_over_stdout()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    lock = threading.Lock()

    def emit(event: dict[str, Any]) -> None:
        with lock:
            events.write(json.dumps(event) + "\n")
            events.flush()

    commands = own_stdin()
    engine = Engine(emit, os.environ.get("WORKBENCH_DEVICE") or None)
    threading.Thread(target=read_commands, args=(commands, engine.inbox), daemon=True).start()
    engine.announce()
    engine.serve()
    os._exit(0)  # native libraries keep threads that would delay the exit


def take_over_stdout() -> TextIO:
    """Keep the real standard output for events, and send whatever else is printed to standard error."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return events


if __name__ == "__main__":
    main()
