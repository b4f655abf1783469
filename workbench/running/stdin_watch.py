"""Notice when whoever started this process is gone: its end of our standard input closes."""

import os
import threading
from collections.abc import Callable
from typing import TextIO


def own_stdin() -> TextIO:
    """Standard input as a stream that nobody else knows; what libraries see as standard input is empty.

    A thread that blocks in a read of the real one makes other threads hang on Windows as soon as they load certain
    native libraries (numpy issue 24290): these look at descriptor 0, and wait for its lock.
    """
    stream = os.fdopen(os.dup(0), encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return stream


def when_stdin_closes(act: Callable[[], None]) -> None:
    """Call ``act`` in a thread of its own when standard input closes."""
    stream = own_stdin()

    def watch() -> None:
        stream.read()
        act()

    threading.Thread(target=watch, daemon=True).start()
