"""How large the window draws everything, in percent: Qt's own factor, which a process has from its start to its end."""

import os
import subprocess
import sys

from app.settings import Settings

STEPS = (75, 90, 100, 110, 125, 150, 175, 200)
FACTOR = "QT_SCALE_FACTOR"
REOPEN = 75
"""The exit code of an event loop after which the window is to be opened again."""


def zoom(settings: Settings) -> int:
    """The step that the next window has."""
    found = settings.get("window.zoom", 100)
    return found if found in STEPS else 100


def step_from(now: int, direction: int) -> int:
    """The next larger or smaller step, if there is one."""
    return STEPS[min(max(STEPS.index(now) + direction, 0), len(STEPS) - 1)]


def apply_zoom(percent: int) -> None:
    """Have the application that is made next draw so large; a factor that the desktop has set stays part of it."""
    os.environ[FACTOR] = str(_factor() * percent / 100)


def _factor() -> float:
    """What is set, but for what is no number, such as "1,5": Qt passes it over, too."""
    try:
        return float(os.environ.get(FACTOR, "1"))
    except ValueError:
        return 1.0


def reopen(percent: int) -> None:
    """Put a new window in the place of this process, which had that zoom."""
    os.environ[FACTOR] = str(_factor() * 100 / percent)
    command = [sys.executable, *sys.orig_argv[1:]]
    if sys.platform == "win32":  # where exec neither quotes spaces nor keeps the process
        subprocess.Popen(command)
    else:
        os.execv(sys.executable, command)
