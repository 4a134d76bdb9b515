"""One of the processes that share a run: it trains as the main one does, and does not outlive its launcher."""

import os
import subprocess
import sys
import threading

from tfmcore.runs import start_time
from tfmcore.training import heap
from tfmcore.training.controls import Controls
from tfmcore.training.parallel import worker


def test_it_ends_with_its_launcher_though_the_system_still_names_that_as_its_parent(monkeypatch):
    launcher = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    ends = threading.Event()
    monkeypatch.setattr(os, "getppid", lambda: launcher.pid)  # as Windows does
    monkeypatch.setattr(os, "_exit", lambda code: ends.set())
    monkeypatch.setattr(worker, "POLL_SECONDS", 0.01)
    threading.Thread(target=worker._follow, args=(launcher.pid, start_time(launcher.pid)), daemon=True).start()
    assert not ends.wait(0.3)
    launcher.kill()
    launcher.wait()
    assert ends.wait(20)


def test_it_too_keeps_the_memory_that_a_step_has_freed(make_run, monkeypatch):
    kept = []
    monkeypatch.setattr(heap, "_set", lambda *sizes: kept.append(sizes))
    monkeypatch.setattr(worker.Ranks, "strategy", lambda self, config: None)
    run = make_run("reverse", "training.steps=1")
    assert worker._not_main(run, Controls(run.folder), worker.Ranks()) == 0
    assert kept == [heap.KEPT, heap.USUAL]
