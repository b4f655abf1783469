"""The command line: ``python -m workbench [--home DIR] VERB``."""

import os
import sys

if __name__ == "__main__":
    if "app" in sys.argv:
        # Before numpy is imported: its threads spin while they wait for each other. Beside four busy programs on two
        # cores an order of 25 checkpoints took 1 to 9 s (3 s of the processor) with two threads, 1 to 3 s (0.1 s) with
        # one. Not for the worker: trainings inherit its environment, and on some machines torch goes by this too.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from workbench.cli import main

    sys.exit(main())
