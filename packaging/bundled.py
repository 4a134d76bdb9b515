"""Where the bundled programs begin: `tfm-playground` opens the window, `tfm` is the terminal.

Each runs `-m MODULE` too, as Python does: that is how the programs start one another.
"""

import multiprocessing
import runpy
import sys
from pathlib import Path

PACKAGES = {"tfm-playground": "app", "tfm": "tfmcore"}


def chosen(arguments: list[str], program: str) -> tuple[str, list[str]]:
    """The module to run, and the arguments that are its own."""
    return (arguments[1], arguments[2:]) if arguments[:1] == ["-m"] else (PACKAGES[program.lower()], arguments)


if __name__ == "__main__":
    multiprocessing.freeze_support()
    module, sys.argv[1:] = chosen(sys.argv[1:], Path(sys.executable).stem)
    runpy.run_module(module, run_name="__main__", alter_sys=True)
