"""A folder that appears whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tfmcore.config import UserError
from tfmcore.patience import patiently


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """A folder to write into, which becomes `target` at the end; on an error, or when it is given up, nothing is left.
    Raises UserError where `target` exists or cannot be made."""
    if target.exists() or target.is_symlink():
        raise UserError(f"{target} exists already: name another folder, or move it away")
    folder = target.with_name(f".tmp-{target.name}-{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        yield folder
        for path in folder.iterdir():
            with open(path, "rb+") as file:
                os.fsync(file.fileno())
        patiently(lambda: folder.rename(target))
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
