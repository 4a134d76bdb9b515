"""Where a user's things are: the workspace (`runs/ models/ datasets/ settings.toml`) and the caches."""

import os
from pathlib import Path

import platformdirs

from tfmcore.config.problems import UserError


def find_workspace(chosen: str | Path | None = None) -> Path:
    """The folder that was chosen, else TFM_WORKSPACE, else "Transformer Playground" in the user's documents."""
    named = chosen or os.environ.get("TFM_WORKSPACE")
    folder = Path(named) if named else platformdirs.user_documents_path() / "Transformer Playground"
    return folder.expanduser().absolute()


def workspace_folder(chosen: str | Path | None = None) -> Path:
    """The same folder, made where it is missing; raises UserError where it cannot be."""
    return _made(find_workspace(chosen), "the workspace", "choose another by --workspace or TFM_WORKSPACE")


def cache_folder() -> Path:
    """Where prepared data is kept between runs, made where it is missing; a user may empty it any time.

    TFM_CACHE, else the system's cache folder. Raises UserError where it cannot be made.
    """
    chosen = os.environ.get("TFM_CACHE")
    folder = Path(chosen) if chosen else platformdirs.user_cache_path("transformer-playground", appauthor=False)
    return _made(folder.expanduser().absolute(), "the cache", "choose another by TFM_CACHE")


def _made(folder: Path, noun: str, advice: str) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{noun} {folder} cannot be made ({error.strerror}): {advice}") from None
    return folder
