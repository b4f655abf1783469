"""A folder for the copies of an import that isn't done yet: gone with it, whatever ends it."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START = "import-"
KEPT_S = 24 * 3600.0  # an import that has written nothing for so long is none any more


@contextmanager
def half_done(cache: Path) -> Iterator[Path]:
    """An empty folder in the workspace's cache, removed afterwards; those of killed imports go after a day."""
    cache.mkdir(parents=True, exist_ok=True)
    for each in cache.glob(f"{START}*"):
        if time.time() - each.stat().st_mtime > KEPT_S:
            shutil.rmtree(each, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=START, dir=cache, ignore_cleanup_errors=True) as folder:
        inside = Path(folder, "copies")  # may be moved away as a whole
        inside.mkdir()
        yield inside
