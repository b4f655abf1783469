"""How many threads judging uses, and one place where they are kept."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")

MOST_THREADS = 8  # more feed no judge faster
PER_TASK = 4  # pictures that a thread takes at a time: on busy cores a hand-over can cost milliseconds


@lru_cache(maxsize=1)
def n_threads() -> int:
    """As many as OMP_NUM_THREADS says, as for torch; else as many as this process has cores, up to MOST_THREADS."""
    said = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(int(said) if said.isdigit() and int(said) else cores, MOST_THREADS)


@lru_cache(maxsize=1)
def pool() -> ThreadPoolExecutor:
    """Threads for short work that waits for no other work in the pool."""
    return ThreadPoolExecutor(n_threads(), thread_name_prefix="judging")


def in_threads(work: Callable[[Given], Made], given: Iterable[Given]) -> list[Made]:
    """``work`` on each, several at a time, in order. The first error is raised."""
    items = list(given)
    if len(items) <= PER_TASK or n_threads() == 1:
        return [work(item) for item in items]
    return [made for some in pool().map(lambda some: [work(item) for item in some], tasks(items)) for made in some]


def tasks(items: Sequence[Given]) -> list[Sequence[Given]]:
    """What one thread does at a time, each."""
    return [items[start : start + PER_TASK] for start in range(0, len(items), PER_TASK)]
