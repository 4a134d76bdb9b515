"""Every test: no display, no network, a workspace and caches of its own."""

import gc
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
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


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is imported and collected here stays to the end: nobody looks for garbage in it, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The modules with the longest tests come first and those with the fewest tests last: so workers, each of which
    takes one whole module after another, end at nearly the same time."""
    longest, number = defaultdict[Path, float](float), Counter(item.path for item in items)
    for item in items:
        if timeout := item.get_closest_marker("timeout"):
            longest[item.path] = max(longest[item.path], timeout.args[0])
    items.sort(key=lambda item: (-longest[item.path], -number[item.path]))


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The workspace of this test; the cache is shared by all tests, also of workers side by side, as it is by runs."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    workspace = base / f"workspace-{next(NUMBERS)}"  # `mktemp` would list all folders before it, for every test
    workspace.mkdir()
    monkeypatch.setenv("TFM_WORKSPACE", str(workspace))
    monkeypatch.setenv("TFM_CACHE", str(shared / "cache"))
    return workspace
