"""The folder that holds everything a person made: one database, photos, LoRA files, previews."""

import os
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database

from db import open_db

HOME_VARIABLE = "WORKBENCH_HOME"
DATABASE = "workbench.db"


@dataclass(frozen=True)
class Workspace:
    """A folder; every path in its database is relative to it, so it can be moved as a whole."""

    home: Path

    @staticmethod
    def default() -> "Workspace":
        """The folder named by ``$WORKBENCH_HOME``, else ``./workspace``."""
        return Workspace(Path(os.environ.get(HOME_VARIABLE) or "workspace").expanduser().resolve())

    def open(self) -> Database:
        """Open the database (made and brought up to date as needed). Takes under a millisecond."""
        return open_db(self.home / DATABASE)

    def path(self, relative: str) -> Path:
        """The file that a path from the database means."""
        return self.home / relative

    def relative(self, path: Path) -> str:
        """How the database writes a path: from the workspace, with forward slashes."""
        return path.resolve().relative_to(self.home.resolve()).as_posix()

    # where things are

    def run_folder(self, run_id: int) -> Path:
        return self.home / "runs" / str(run_id)

    def run_log(self, run_id: int) -> Path:
        return self.run_folder(run_id) / "log.txt"

    def preview_folder(self, plan_id: int) -> Path:
        return self.home / "previews" / str(plan_id)

    @property
    def cache(self) -> Path:
        """Latents and text embeddings, shared by all runs; may be deleted at any time."""
        return self.home / "cache"

    @property
    def bin(self) -> Path:
        """Files that rules took away, under the paths that they had; what people deleted stays where it is."""
        return self.home / "bin"

    @property
    def logs(self) -> Path:
        return self.home / "logs"
