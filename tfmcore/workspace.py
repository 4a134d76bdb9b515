"""Where a user's things are: the workspace (`runs/ models/ datasets/ settings.toml`) and the caches."""

import os
from collections.abc import Callable
from pathlib import Path

import platformdirs

from tfmcore.config.problems import UserError

WORKSPACE = "the workspace", "choose another by --workspace or TFM_WORKSPACE"
CACHE = "the cache", "choose another by TFM_CACHE"


def find_workspace(chosen: str | Path | None = None) -> Path:
    """The folder that was chosen, else TFM_WORKSPACE, else "Transformer Playground" in the user's documents; raises
    UserError for a user without a home."""
    named = chosen or os.environ.get("TFM_WORKSPACE")
    usual = platformdirs.user_documents_path
    return _whole(lambda: Path(named) if named else usual() / "Transformer Playground", *WORKSPACE)


def workspace_folder(chosen: str | Path | None = None) -> Path:
    """The same folder, made where it is missing; raises UserError where it cannot be."""
    return _made(find_workspace(chosen), *WORKSPACE)


def cache_folder() -> Path:
    """Where prepared data is kept between runs, made where it is missing; a user may empty it any time.

    TFM_CACHE, else the system's cache folder. Raises UserError where it cannot be made.
    """
    chosen = os.environ.get("TFM_CACHE")
    usual = platformdirs.user_cache_path
    folder = _whole(lambda: Path(chosen) if chosen else usual("transformer-playground", appauthor=False), *CACHE)
    return _made(folder, *CACHE)


def _whole(find: Callable[[], Path], noun: str, advice: str) -> Path:
    try:
        return find().expanduser().absolute()
    except RuntimeError as error:  # a user without a home
        raise UserError(f"{noun} cannot be found ({error}): {advice}") from None


def _made(folder: Path, noun: str, advice: str) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{noun} {folder} cannot be made ({error.strerror}): {advice}") from None
    return folder
