"""Where deleted runs wait for a week, so that a slip of the hand costs nothing."""

import os
import shutil
import time
from pathlib import Path

from tfmcore.patience import patiently

KEPT_SECONDS = 7 * 24 * 3600


class Trash:
    """A folder beside the runs, so that moving in and out of it copies nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, thing: Path) -> Path:
        """Move a folder here and give its new path; raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        kept = self._folder / thing.name
        patiently(lambda: thing.rename(kept))
        os.utime(kept)
        return kept

    def give_back(self, kept: Path, path: Path) -> None:
        """Move a folder back to where it was; raises OSError."""
        patiently(lambda: kept.rename(path))

    def sweep(self) -> None:
        """Delete for good what has been here longer than KEPT_SECONDS."""
        if self._folder.is_dir():
            for kept in self._folder.iterdir():
                if time.time() - kept.stat().st_mtime > KEPT_SECONDS:
                    shutil.rmtree(kept, ignore_errors=True)
