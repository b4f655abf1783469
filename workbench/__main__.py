"""The command line: ``python -m workbench [--home DIR] VERB``."""

import sys

from workbench.cli import main

if __name__ == "__main__":
    sys.exit(main())
