"""The worker: claims runs, supervises the engine, and is the only one who writes results. Loads no torch."""

import logging
import os
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlite_utils import Database

from db import library, results, runs
from trainer.events import Event, Failed, Finished, Progress, Saved, Started, StateSaved, Stopped
from workbench.keeping import retention
from workbench.plans import missing
from workbench.plans.missing import Job
from workbench.running import disk, hours, write_down
from workbench.running.device import DeviceInfo, known_device
from workbench.running.engine_process import EngineDied, EngineProcess
from workbench.running.run_log import note
from workbench.running.terminal import Terminal
from workbench.running.training import training_command
from workbench.running.worker_process import is_alive
from workbench.scores import missing_scores, no_score
from workbench.sentences import reason
from workbench.workspace import Workspace

log = logging.getLogger(__name__)

HEARTBEAT_S = 2.0
STILLBORN = 3  # engines that die before they are ready, one after the other: then there is no point in a fourth
IDLE_S = 1.0  # how often an idle worker looks for work
CANCEL_PATIENCE_S = 60.0  # then the engine is killed; the run is cancelled all the same
MAX_JOB_FAILURES = 2  # a preview or score job that failed so often is left alone until the next start
NO_ROOM = ("cannot_write", "disk_full")  # reasons of a failure that is not the run's fault when the disk is full


class EngineBroken(RuntimeError):
    """No engine can be started here."""


class Worker:
    """One worker of a workspace, with one engine."""

    def __init__(self, ws: Workspace, echo: Callable[[str], None] = print) -> None:
        self.ws = ws
        self.db: Database = ws.open()
        self.id = uuid.uuid4().hex
        self.terminal = Terminal(ws, echo)
        self.engine: EngineProcess | None = None
        self.run: dict[str, Any] | None = None  # the run in training
        self.jobs: dict[int, Job] = {}  # preview and score jobs that the engine has not finished
        self.failures: Counter[tuple[Any, ...]] = Counter()
        self.in_vain: dict[tuple[Any, ...], tuple[str, str]] = {}  # jobs that give no value: status and why
        self.stillborn = 0
        self.next_job = 1
        self.beat = 0.0
        self.cancel_since: float | None = None
        self.device: DeviceInfo | None = None
        self.halt: hours.Halt | None = None  # why no work is done now
        self.resting = False  # the engine was asked to stop what it does and has not said yet that it has
        self.stopping = threading.Event()

    def work(self, once: bool = False) -> bool:
        """Work until stopped; with ``once`` until nothing is queued and nothing is missing (a halt is waited out).

        Returns whether nothing had to be given up. Raises EngineBroken when no engine can be started.
        """
        self.start()
        try:
            while not self.stopping.is_set():
                busy = bool(self.run or self.jobs or self.resting) or self.find_work()
                if once and not busy and not (self.halt and self.anything_left()):
                    self.terminal.progress(self.db, now_please=True)
                    break
                self.pump(IDLE_S)
            return not any(count >= MAX_JOB_FAILURES for count in self.failures.values())
        finally:
            self.stop()

    def start(self) -> None:
        """Announce this worker, put back the runs of dead ones, and start the engine."""
        runs.worker_started(self.db, self.id, os.getpid())
        self.terminal.first_scores = results.has_scored_checkpoint(self.db)
        self.device = known_device(self.db)
        for row in runs.live_workers(self.db):
            if row["id"] != self.id and not is_alive(row):
                runs.worker_stopped(self.db, row["id"])
        for run_id in runs.requeue_lost(self.db):
            note(self.ws, run_id, "its worker had died: it is queued again and goes on from its last saved state")
            self.terminal.say(f"run {run_id} was interrupted; it goes on from its last saved state")
        self.start_engine()

    def start_engine(self) -> None:
        self.ready = self.resting = False
        self.engine = EngineProcess(self.ws.logs / "engine.log")

    def stop(self) -> None:
        """Stop in good order: the training saves its state and its run goes back to the queue."""
        if self.engine is not None:
            self.engine.stop(timeout=25 if self.run or self.jobs else 5)
        if self.run is not None:
            self.give_back("the worker was stopped: queued again")
        runs.worker_stopped(self.db, self.id)

    # looking for work

    def find_work(self) -> bool:
        """Start the next run, or else what is missing. False when there is nothing to do, or no work may be done."""
        if self.look_for_halt():
            return False
        return self.start_next_run() or self.ask_for_missing()

    def look_for_halt(self) -> bool:
        """Whether no work may be done now (paused, outside the hours, disk nearly full): then all is put back."""
        disk.look(self.ws, self.db, self.run["id"] if self.run else None)
        before, self.halt = self.halt, hours.halt(self.db)
        if self.halt and (before is None or before.code != self.halt.code):
            self.terminal.say(self.halt.sentence)
        if before and not self.halt:
            self.terminal.say("the queue goes on")
        if self.halt and (self.run or self.jobs) and not self.resting:
            assert self.engine is not None
            self.resting = True
            self.engine.send({"do": "rest"})
        return self.halt is not None

    def anything_left(self) -> bool:
        """Whether something is queued or missing that waits for the end of a halt."""
        return bool(runs.with_status(self.db, "queued")) or any(
            missing_scores.is_anything_missing(self.ws, self.db, project) for project in library.projects(self.db)
        )

    def start_next_run(self) -> bool:
        """Claim the next queued run and send it to the engine. False when there is none."""
        run = runs.claim_next(self.db, self.id)
        if run is None:
            return False
        self.run = runs.get(self.db, run["id"])
        assert self.run is not None and self.engine is not None
        try:
            command = training_command(self.ws, self.db, self.run)
        except Exception as error:  # a run that can't even be described fails alone
            log.exception("run %s can't start", run["id"])
            self.end_run("failed", "error", {"message": str(error)})
            return True
        note(self.ws, run["id"], f"attempt {run['attempt']}: {self.run['label']}, seed {run['seed']}")
        project = self.project(run["project_id"])
        base_row = missing.base_row_job(self.ws, self.db, project, self.run)
        if base_row:  # first, so that the first chart has something to compare with
            self.send(base_row)
        self.ask_for_scores(project)
        self.engine.send(command)
        return True

    def project(self, project_id: int) -> dict[str, Any]:
        row = library.project(self.db, project_id)
        assert row is not None  # runs refer to it
        return row

    def ask_for_missing(self) -> bool:
        """Ask for previews and scores that are missing anywhere. False when nothing is, or nothing can be done."""
        projects = library.projects(self.db)
        return any([ask(project) for project in projects for ask in (self.ask_for_previews, self.ask_for_scores)])

    def ask_for_previews(self, project: dict[str, Any]) -> bool:
        if project["deleted_at"] is not None:
            return False
        return any([self.send(job) for job in missing.fill_jobs(self.ws, self.db, project)])

    def ask_for_scores(self, project: dict[str, Any]) -> bool:
        if project["deleted_at"] is not None:  # it went into the bin while its pictures were made
            return False
        measured = write_down.finishes(self.ws, self.db, project)
        return any([self.send(job) for job in missing_scores.score_jobs(self.ws, self.db, project)]) or measured

    def send(self, job: Job) -> bool:
        """Give a job to the engine, unless the same work is under way or has failed too often."""
        if any(other.key == job.key for other in self.jobs.values()):
            return True
        if job.key in self.in_vain:
            no_score.of_job(self.db, job, *self.in_vain[job.key])
            return False
        if self.halt or self.resting or self.failures[job.key] >= MAX_JOB_FAILURES:
            return False
        assert self.engine is not None
        self.jobs[self.next_job] = job
        self.engine.send({**job.command, "id": self.next_job})
        self.next_job += 1
        return True

    # listening

    def pump(self, timeout: float) -> None:
        """Wait for one event and act on it; then the heartbeat, and the request to cancel if there is one."""
        assert self.engine is not None
        try:
            event = self.engine.receive(timeout)
        except EngineDied as death:
            self.engine_died(death)
            return
        if event is not None:
            self.act_on(event)
        self.heartbeat()

    def heartbeat(self) -> None:
        if time.monotonic() - self.beat < HEARTBEAT_S:
            return
        self.beat = time.monotonic()
        runs.worker_seen(self.db, self.id, self.state(), run_id=self.run["id"] if self.run else None)
        self.terminal.progress(self.db)
        self.look_for_cancel()
        if self.run or self.jobs:
            self.look_for_halt()

    def state(self) -> str:
        """What the pages say this worker does: training | previews | scores | halted | idle."""
        kinds = {job.command["do"] for job in self.jobs.values()}
        if self.run:
            return "training"
        return "previews" if "fill" in kinds else "scores" if kinds else "halted" if self.halt else "idle"

    def look_for_cancel(self) -> None:
        row = runs.get(self.db, self.run["id"]) if self.run else None
        if row is None or not row["cancel_requested"]:
            self.cancel_since = None
            return
        assert self.engine is not None
        if self.cancel_since is None:
            self.cancel_since = time.monotonic()
            self.engine.send({"do": "stop", "run": row["id"], "reason": "cancelled"})
        elif time.monotonic() - self.cancel_since > CANCEL_PATIENCE_S:
            self.end_run("cancelled", "cancelled", {})
            self.jobs.clear()  # they are not to blame; they are asked for again
            self.engine.kill()

    def act_on(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "Ready":
            found = event["device"]
            device = DeviceInfo(found["kind"], found["name"], tuple(found["precisions"])).knowing(self.device)
            self.device = device
            runs.worker_seen(self.db, self.id, self.state(), device=device.to_json())
            self.stillborn = 0
            self.ready = True
            self.terminal.say(f"trains on: {device.name}")
        elif kind == "Optimizers" and self.device is not None:
            self.device = replace(self.device, optimizers=event["found"])
            runs.worker_seen(self.db, self.id, self.state(), device=self.device.to_json())
        elif kind == "Resting":
            self.on_resting()
        elif "run" in event:
            trace = event.pop("traceback", "")
            self.on_training(Event.from_dict(event), trace)
        elif event.get("id") in self.jobs:
            getattr(self, f"on_{kind.lower()}")(self.jobs[event["id"]], event)

    def on_resting(self) -> None:
        """The engine has stopped for a halt: what it had not begun is asked for again afterwards."""
        self.resting = False
        self.jobs.clear()
        if self.run is not None:
            self.give_back("the queue was halted before it began: queued again")

    # training events

    def on_training(self, event: Event, trace: str) -> None:
        """Write down what happened to the run in training."""
        if self.run is None or str(self.run["id"]) != event.run:
            return  # cancelled meanwhile
        run_id = self.run["id"]
        match event:
            case Started():
                begun, total = event.resumed_at, event.total_updates
                runs.started(self.db, run_id, effective=event.effective, device=event.device, step=begun, total=total)
                note(self.ws, run_id, f"{total} updates on {event.device}, from update {begun}")
            case Progress():
                runs.report(self.db, run_id, step=event.update, loss=event.loss, train_seconds=event.seconds)
            case Saved():
                self.on_checkpoint(event)
            case StateSaved():
                note(self.ws, run_id, f"state saved at update {event.update}")
            case Finished():
                self.end_run("done", None, {})
            case Stopped():
                self.on_stopped(event)
            case Failed() if event.reason in NO_ROOM and not disk.look(self.ws, self.db, run_id):
                self.give_back(f"no room to save at update {event.update}: queued again")
            case Failed():
                note(self.ws, run_id, trace)
                self.end_run("failed", event.reason, {**event.params, "update": event.update or self.run["step"]})

    def on_checkpoint(self, event: Saved) -> None:
        """A LoRA file lies under its final name: make its row, and ask for its previews at once."""
        assert self.run is not None
        checkpoint = write_down.checkpoint(self.ws, self.db, self.run["id"], event)
        note(self.ws, self.run["id"], f"saved {event.file} at update {event.update}")
        project = self.project(self.run["project_id"])
        job = missing.checkpoint_job(self.ws, self.db, project, self.run, checkpoint)
        if job:
            self.send(job)

    def on_stopped(self, event: Stopped) -> None:
        assert self.run is not None
        if event.reason == "cancelled":
            self.end_run("cancelled", "cancelled", {})
        else:  # the worker stops, or the queue is halted
            self.give_back(f"stopped at update {event.update}: queued again")

    def give_back(self, text: str) -> None:
        """Put the run back into the queue, with a line in its log; its state is saved, and that costs no attempt."""
        assert self.run is not None
        runs.put_back(self.db, self.run["id"])
        note(self.ws, self.run["id"], text)
        self.run = None
        self.cancel_since = None

    def end_run(self, status: str, code: str | None, params: dict[str, Any]) -> None:
        assert self.run is not None
        runs.end(self.db, self.run["id"], status, code, params)
        sentence = reason(code, params)
        note(self.ws, self.run["id"], f"{status}. {sentence}".strip())
        self.terminal.run_ended(self.db, self.run, status, sentence)
        self.run = None
        self.cancel_since = None

    # previews and scores

    def on_picture(self, job: Job, event: dict[str, Any]) -> None:
        write_down.picture(self.ws, self.db, job, event)

    def on_filled(self, job: Job, event: dict[str, Any]) -> None:
        del self.jobs[event["id"]]
        self.ask_for_scores(self.project(job.about["project_id"]))
        self.tidy(job.about["project_id"])

    def tidy(self, project_id: int) -> None:
        """Move what the project's retention rule doesn't keep into the bin."""
        gone = retention.after_scores(self.ws, self.db, project_id)
        if gone:
            self.terminal.say(f"{gone} went into the bin, as the project's rule says")

    def on_calibrated(self, job: Job, event: dict[str, Any]) -> None:
        del self.jobs[event["id"]]
        project_id = write_down.calibration(self.db, job, event)
        self.ask_for_scores(self.project(project_id))

    def on_scores(self, job: Job, event: dict[str, Any]) -> None:
        write_down.scores(self.db, job, event)
        self.terminal.scored(self.db)

    def on_scored(self, job: Job, event: dict[str, Any]) -> None:
        del self.jobs[event["id"]]
        self.tidy(job.about["project_id"])
        self.ask_for_previews(self.project(job.about["project_id"]))  # of what the scores call promising

    def on_jobfailed(self, job: Job, event: dict[str, Any]) -> None:
        del self.jobs[event["id"]]
        log.error("%s failed: %s", job.command["do"], event["traceback"])
        self.terminal.say(f"{job.command['do']} failed: {reason(event['reason'], event['params'])}")
        if event["reason"] in no_score.LASTING:
            self.in_vain[job.key] = event["reason"], event["params"]["message"]
            no_score.of_job(self.db, job, *self.in_vain[job.key])
        else:
            self.failures[job.key] += 1

    def engine_died(self, death: EngineDied) -> None:
        """Restart it; its run goes on from its last saved state, unless it has killed too many engines."""
        if not self.ready:
            self.give_up_after_some(death)
        if self.jobs and self.run is None:  # else it was the training; either way not the jobs that wait behind
            self.failures[self.jobs[min(self.jobs)].key] += 1
        self.jobs.clear()
        self.cancel_since = None
        if self.run is not None:
            last_words = f":\n{death.log_tail}" if death.log_tail.strip() else ""
            note(self.ws, self.run["id"], f"the engine died with code {death.code}{last_words}")
            again = runs.requeue_lost(self.db, self.id)
            self.terminal.say(
                f"the training process died (code {death.code}); run {self.run['id']} "
                + ("goes on from its last saved state" if again else "failed for good after several attempts")
            )
            self.run = None
        self.start_engine()

    def give_up_after_some(self, death: EngineDied) -> None:
        """An engine that can't even start: wait a little longer each time, then say why and stop."""
        self.stillborn += 1
        last = (death.log_tail.strip().splitlines() or ["it said nothing"])[-1]
        if self.stillborn >= STILLBORN:
            self.engine = None
            raise EngineBroken(f"The training process can't start: {last}. `python -m workbench doctor` looks into it.")
        self.terminal.say(f"the training process didn't start (code {death.code}): {last}")
        self.stopping.wait(2.0**self.stillborn)
