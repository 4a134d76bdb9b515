"""Every test: no display, no network, a workspace and caches of its own."""

import os
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings
from pytestqt.qtbot import QtBot

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the tests of several workers share the cores

PATIENCE_MS = 60_000
for wait in (QtBot.waitUntil, QtBot.waitSignal, QtBot.waitSignals, QtBot.waitExposed):
    wait.__kwdefaults__["timeout"] = PATIENCE_MS  # only a test that fails waits so long; a machine may be busy


settings.register_profile("busy machine", deadline=None)
settings.load_profile("busy machine")
NUMBERS = count()


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The workspace of this test; the cache is shared by the tests of one process, as it is by runs."""
    base = tmp_path_factory.getbasetemp()
    workspace = base / f"workspace-{next(NUMBERS)}"  # `mktemp` would list all folders before it, for every test
    workspace.mkdir()
    monkeypatch.setenv("TFM_WORKSPACE", str(workspace))
    monkeypatch.setenv("TFM_CACHE", str(base / "cache"))
    return workspace
