"""Imports that are killed, meet each other or find no room: nothing half there, and the same command works again."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from drawn_elsewhere import picture, save
from filled import fill
from lora_files import packed, tensors

from db import imports, library, results, runs
from workbench.elsewhere.half_done import half_done
from workbench.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent
N_PICTURES = 40
N_LORAS = 12


def command(ws: Workspace, *words: object, before: str = "") -> list[str]:
    """The command line's own, in a process of its own; ``before``: what it does first."""
    program = f"{before}\nimport sys\nfrom workbench.cli import main\nsys.exit(main(sys.argv[1:]))"
    return [sys.executable, "-c", program, "--home", str(ws.home), *map(str, words)]


def run(words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=ROOT, timeout=120, capture_output=True, text=True)


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "w")


@pytest.fixture
def pictures(tmp_path: Path) -> list[object]:
    """Arguments of an import of many large pictures into a new project, without judges."""
    for number in range(N_PICTURES):
        save(picture(number, 256), tmp_path / "given" / f"anna_e{number + 1:06d}_00_20240101120000_7.png")
    for number, side in enumerate(("training", "unseen")):
        save(picture(number + 90, 80), tmp_path / side / "photo.png")
    judges = ("--face-judge", "none", "--clip-judge", "none")
    photos = ("--training", tmp_path / "training", "--unseen", tmp_path / "unseen")
    return ["import-pictures", tmp_path / "given", "--new", "anna", *judges, *photos]


@pytest.fixture
def loras(tmp_path: Path) -> list[object]:
    """Arguments of an import of LoRA files into a filled project."""
    (tmp_path / "loras").mkdir()
    for number in range(N_LORAS):
        named = tensors()
        for key in named:
            if "lora_up" in key:
                named[key] += number
        data = packed(named, {"ss_session_id": "1", "ss_steps": str(number + 1), "padding": "x" * 3_000_000})
        (tmp_path / "loras" / f"anna-{number + 1:06d}.safetensors").write_bytes(data)
    return ["import-loras", tmp_path / "loras"]


def copied(ws: Workspace) -> list[Path]:
    return [path for path in ws.cache.glob("import-*/copies/*") if path.is_file()]


def kill_when(words: list[str], far_enough: Callable[[], bool]) -> None:
    """Start a command and kill it at that moment."""
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not far_enough():
        assert process.poll() is None and time.monotonic() < end, "it ended before it could be killed"
        time.sleep(0.002)
    process.kill()
    process.wait()


# a point at which the process kills itself, between files and rows
KILL_BEFORE_COMMIT = """
import os, signal
from db import imports
imports.add_import = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("when", ["copying", "before the rows are there"])
def test_a_killed_import_of_pictures_leaves_nothing_and_works_again(ws: Workspace, pictures: list[object], when: str):
    if when == "copying":
        ws.open()
        kill_when(command(ws, *pictures), lambda: len(copied(ws)) > 4)
    else:
        if os.name == "nt":
            pytest.skip("Windows has no SIGKILL")
        assert run(command(ws, *pictures, before=KILL_BEFORE_COMMIT)).returncode == -9
        assert list(ws.home.glob("previews/import-*")), "it came so far"
    assert library.projects(ws.open()) == [] and ws.open().table("previews").count == 0

    done = run(command(ws, *pictures))
    assert done.returncode == 0, done.stderr
    [project] = library.projects(ws.open())
    rows = results.previews(ws.open(), project["id"], project["plan_id"])
    assert len(rows) == N_PICTURES and all(ws.path(row["file"]).is_file() for row in rows)
    files = {path for path in ws.home.glob("previews/*/*") if path.is_file()}
    assert files == {ws.path(row[name]) for row in rows for name in ("file", "thumb")}, "no orphans"


@pytest.mark.parametrize("when", ["copying", "before the rows are there"])
def test_a_killed_import_of_loras_leaves_nothing_and_works_again(tmp_path: Path, loras: list[object], when: str):
    full = fill(tmp_path / "w", rated=False)
    before = len(runs.of_project(full.db, full.project_id))
    if when == "copying":
        kill_when(command(full.ws, *loras), lambda: len(copied(full.ws)) > 1)
    else:
        if os.name == "nt":
            pytest.skip("Windows has no SIGKILL")
        assert run(command(full.ws, *loras, before=KILL_BEFORE_COMMIT)).returncode == -9
    assert len(runs.of_project(full.db, full.project_id)) == before

    done = run(command(full.ws, *loras))
    assert done.returncode == 0, done.stderr
    new = runs.of_project(full.db, full.project_id)[-1]
    rows = runs.checkpoints(full.db, new["id"])
    assert [row["updates"] for row in rows] == list(range(1, N_LORAS + 1))
    files = set(full.ws.run_folder(new["id"]).glob("*.safetensors"))
    assert files == {full.ws.path(row["file"]) for row in rows}, "no orphans"


def test_what_a_killed_import_left_in_the_cache_goes_after_a_day(ws: Workspace):
    for name, age in (("import-old", 25 * 3600), ("import-now", 60)):
        (ws.cache / name).mkdir(parents=True)
        os.utime(ws.cache / name, (time.time() - age,) * 2)
    with half_done(ws.cache) as folder:
        (folder / "a.png").write_bytes(b"a")
    assert [path.name for path in ws.cache.glob("import-*")] == ["import-now"]


def both(words: list[str]) -> list[subprocess.CompletedProcess[str]]:
    """Two of a command at once."""
    started = [subprocess.Popen(words, cwd=ROOT, stdout=-1, stderr=-1, text=True) for _ in range(2)]
    ended = [(process, *process.communicate(timeout=120)) for process in started]
    return [subprocess.CompletedProcess(words, process.returncode, *told) for process, *told in ended]


def test_two_imports_of_the_same_pictures_at_once_make_one_project(ws: Workspace, pictures: list[object]):
    ended = both(command(ws, *pictures))
    assert sorted(each.returncode for each in ended) == [0, 1], [each.stderr for each in ended]
    assert ws.open().table("previews").count == N_PICTURES
    assert len(list(ws.home.glob("previews/import-*"))) == 1 and copied(ws) == []


def test_two_imports_of_the_same_loras_at_once_make_one_run(tmp_path: Path, loras: list[object]):
    full = fill(tmp_path / "w", rated=False)
    before = len(runs.of_project(full.db, full.project_id))
    ended = both(command(full.ws, *loras))
    told = " ".join(each.stderr for each in ended)
    assert "ended just now" in told or "0 new" in told, told  # the second one was late by much or little
    assert len(runs.of_project(full.db, full.project_id)) == before + 1
    assert len(runs.checkpoints(full.db, runs.of_project(full.db, full.project_id)[-1]["id"])) == N_LORAS
    assert len(imports.of_project(full.db, full.project_id, "loras")) == 1


LIMITED = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of a file")
@pytest.mark.parametrize(
    ("limit", "said"),  # bytes: enough for no picture; for all of them, but not for the rows
    [(2_000, "The pictures can't be copied (File too large)"), (12_000, "disk I/O error")],
)
def test_pictures_that_find_no_room_leave_nothing(ws: Workspace, pictures: list[object], limit: int, said: str):
    ws.open()
    ended = run(command(ws, *pictures, before=LIMITED.format(limit=limit)))
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert said in ended.stderr, ended.stderr
    assert library.projects(ws.open()) == [] and not list(ws.home.glob("previews/*/*")) and copied(ws) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of a file")
def test_loras_that_find_no_room_leave_nothing_and_say_so(tmp_path: Path, loras: list[object]):
    full = fill(tmp_path / "w", rated=False)
    before = runs.of_project(full.db, full.project_id)
    ended = run(command(full.ws, *loras, before=LIMITED.format(limit=2_000_000)))
    assert ended.returncode == 1 and "anna-000001.safetensors can't be copied" in ended.stderr, ended.stderr
    assert runs.of_project(full.db, full.project_id) == before and copied(full.ws) == []
    shutil.rmtree(full.ws.cache, ignore_errors=True)
    assert run(command(full.ws, *loras)).returncode == 0
