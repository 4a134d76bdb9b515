"""One of the processes that share a run: it does not outlive its launcher."""

import os
import subprocess
import sys
import threading

from tfmcore.runs import start_time
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
