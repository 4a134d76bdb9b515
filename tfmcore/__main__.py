"""`python -m tfmcore` is the `tfm` command."""

import sys

from tfmcore.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
