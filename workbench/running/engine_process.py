"""The engine as its worker sees it: a child process to send commands to and read events from."""

import json
import logging
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

COMMAND = [sys.executable, "-m", "workbench.running.engine"]
LOG_BYTES = 5_000_000  # then the log is put aside and a new one begins
ROOT = Path(__file__).resolve().parents[2]


class EngineProcess:
    """Starts an engine and talks JSON lines with it."""

    def __init__(self, log_file: Path) -> None:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        if log_file.exists() and log_file.stat().st_size > LOG_BYTES:
            log_file.replace(log_file.with_suffix(".old.log"))
        self.log_file = log_file
        with open(log_file, "ab") as errors:
            self.process = subprocess.Popen(
                COMMAND,
                cwd=ROOT,
                env={
                    "OMP_WAIT_POLICY": "PASSIVE",  # threads that wait sleep: the app needs the cores too
                    **os.environ,
                    "PYTHONUNBUFFERED": "1",
                    "PYTHONIOENCODING": "utf-8",
                    "HF_HUB_OFFLINE": "1",
                },
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                encoding="utf-8",
            )
        self.events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        try:
            for line in self.process.stdout:
                self.events.put(json.loads(line))
        except ValueError:
            log.warning("the engine's last line was cut short")  # it was killed while it wrote
        finally:
            self.process.stdout.close()  # nothing waits for us if it still lives
            self.process.wait()
            self.events.put(None)  # the engine is gone

    def send(self, command: dict[str, Any]) -> None:
        """Send a command; nothing happens when the engine has just died (its end is an event of its own)."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(command) + "\n")
            self.process.stdin.flush()
        except (BrokenPipeError, OSError, ValueError):
            pass

    def receive(self, timeout: float) -> dict[str, Any] | None:
        """The next event, or None when none came in time. Raises EngineDied when there will be no more."""
        try:
            event = self.events.get(timeout=timeout)
        except queue.Empty:
            return None
        if event is None:
            raise EngineDied(self.process.returncode, self.log_tail())
        return event

    def log_tail(self, lines: int = 20) -> str:
        """The last lines that the engine and its libraries printed."""
        if not self.log_file.exists():
            return ""
        return "\n".join(self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def stop(self, timeout: float) -> None:
        """Ask it to quit (a training saves its state first); kill it when it takes longer than ``timeout`` seconds."""
        self.send({"do": "quit"})
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class EngineDied(RuntimeError):
    """The engine process ended on its own."""

    def __init__(self, code: int, log_tail: str) -> None:
        super().__init__(f"the engine ended with code {code}")
        self.code = code
        self.log_tail = log_tail
