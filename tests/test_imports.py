"""Who may import whom, read from the source, and what stays unloaded, seen in a fresh process."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = {"app", "boot", "db", "pages", "start", "tests", "trainer", "workbench"}
# a room -> which of our rooms it may import
MAY_IMPORT = {
    "trainer": {"trainer"},
    "db": {"db"},
    "workbench": {"workbench", "trainer", "db"},
    "pages": {"pages", "workbench"},
    "app.py": {"pages", "workbench"},
    "boot": {"boot"},
    "start.py": {"boot"},
}
HEAVY = {"cv2", "diffusers", "insightface", "onnxruntime", "open_clip", "peft", "torch", "transformers"}
TORCH_FREE = {
    "trainer/__init__.py",
    "trainer/base_kind.py",
    "trainer/captions.py",
    "trainer/config.py",
    "trainer/effective.py",
    "trainer/events.py",
    "trainer/__main__.py",
}
PICKLES = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
UNSAFE = {"allow_pickle=True", "weights_only=False"}


def sources(room: str) -> list[Path]:
    place = ROOT / room
    return [place] if place.suffix else sorted(p for p in place.rglob("*.py") if "__pycache__" not in p.parts)


def imported(source: str, package: str, *, at_import_only: bool = False) -> set[str]:
    """The dotted names that a module imports; `package` is the package that it is in.

    With `at_import_only` those inside functions and under `if TYPE_CHECKING` are left out.
    """
    names: set[str] = set()

    def visit(node: ast.AST) -> None:
        if at_import_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            return
        if at_import_only and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.orelse:
                visit(child)
            return
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            names.add(".".join([*above, *([node.module] if node.module else [])]))
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(source))
    return names


def imports_of(path: Path, *, at_import_only: bool = False) -> set[str]:
    package = ".".join(path.relative_to(ROOT).parent.parts)
    return imported(path.read_text(encoding="utf-8"), package, at_import_only=at_import_only)


def first(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def test_the_reader_of_imports_sees_every_form():
    source = "import a.b\nfrom c import d\nfrom . import e\nfrom ..f import g\ndef h():\n    import torch\n"
    assert imported(source, "p.q") == {"a.b", "c", "p.q", "p.f", "torch"}
    assert imported(source, "p.q", at_import_only=True) == {"a.b", "c", "p.q", "p.f"}
    guarded = "if TYPE_CHECKING:\n    import torch\nelse:\n    import os\n"
    assert imported(guarded, "p", at_import_only=True) == {"os"}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_each_room_imports_only_the_rooms_below_it(room):
    assert sources(room), f"{room} is gone"
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(room)
        for name in first(imports_of(path)) & OURS - MAY_IMPORT[room]
    }
    assert not wrong


def test_streamlit_is_imported_by_the_pages_the_entry_and_the_launcher_only():
    allowed = {"app.py", "workbench/launch.py"}
    users = {
        path.relative_to(ROOT).as_posix()
        for room in ("trainer", "db", "workbench", "boot")
        for path in sources(room)
        if "streamlit" in first(imports_of(path))
    }
    assert users <= allowed


def test_peft_is_imported_by_the_adapter_only():
    users = {
        path.relative_to(ROOT).as_posix()
        for room in ("trainer", "db", "workbench", "pages")
        for path in sources(room)
        if "peft" in first(imports_of(path))
    }
    assert users == {"trainer/adapter.py"}


def test_heavy_packages_are_imported_late_outside_the_trainer():
    early = {
        f"{path.relative_to(ROOT)} imports {name}"
        for room in MAY_IMPORT
        for path in sources(room)
        for name in first(imports_of(path, at_import_only=True)) & HEAVY
        if room != "trainer" or path.relative_to(ROOT).as_posix() in TORCH_FREE
    }
    assert not early


def test_nothing_can_load_a_pickle():
    wrong = []
    for room in MAY_IMPORT:
        for path in sources(room):
            name = path.relative_to(ROOT).as_posix()
            if first(imports_of(path)) & PICKLES:
                wrong.append(f"{name} imports a module that reads pickles")
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute) and ast.unparse(node) == "torch.load":
                    wrong.append(f"{name}:{node.lineno} calls torch.load")
                if isinstance(node, ast.keyword) and ast.unparse(node) in UNSAFE:
                    wrong.append(f"{name}:{node.value.lineno} allows pickles")
    assert not wrong


def loaded_by(lines: list[str]) -> set[str]:
    """Run import lines in a fresh process and return which heavy packages are loaded afterwards."""
    code = "\n".join(["import sys", *lines, f"print(' '.join({HEAVY!r} & set(sys.modules)))"])
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def import_lines(room: str) -> list[str]:
    """One line for each module that the files of a room import when they are loaded."""
    names = {name for path in sources(room) for name in imports_of(path, at_import_only=True)}
    return [f"import {name}" for name in sorted(names)]


def modules(room: str) -> list[str]:
    dotted = [path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".") for path in sources(room)]
    return [name.removesuffix(".__init__") for name in dotted]


def test_a_process_that_does_load_torch_is_seen():
    assert "torch" in loaded_by(["import torch"])


@pytest.mark.parametrize("room", ["pages", "app.py"])
def test_what_pages_import_leaves_the_models_unloaded(room):
    assert loaded_by(import_lines(room)) == set()


@pytest.mark.parametrize("room", ["workbench", "db"])
def test_importing_every_module_leaves_the_models_unloaded(room):
    assert loaded_by([f"import {name}" for name in modules(room)]) == set()


def test_the_settings_and_events_of_the_trainer_are_torch_free():
    assert loaded_by(["import trainer.config", "import trainer.events"]) == set()
