"""Delay of the window's event loop while a run keeps the cores busy: python -m tests.bench.event_loop [SECONDS]."""

import sys
import time

import numpy as np
from PySide6.QtCore import QTimer

from tests.bench.opened import opened

EVERY_MS = 10


def main(seconds: float = 40.0) -> None:
    """Starts the template `write-manual` from the window, shows its curves, and times a 10 ms timer."""
    with opened() as (app, session, _):
        delays: list[float] = []
        last = time.perf_counter()

        def tick() -> None:
            nonlocal last
            now = time.perf_counter()
            facts = session.runs.facts
            if facts and facts[0].step > 5:
                delays.append(max(0.0, (now - last) * 1000 - EVERY_MS))
            last = now

        timer = QTimer(interval=EVERY_MS)
        timer.timeout.connect(tick)
        timer.start()
        session.start_preset("write-manual", ["training.steps=100000"])
        QTimer.singleShot(int(seconds * 1000), app.quit)
        app.exec()
        facts = session.runs.facts[0]
        print(f"state {facts.state}, step {facts.step}")
        facts.run.kill()
    percentiles = np.percentile(delays, [50, 90, 99, 100])
    print(f"{len(delays)} ticks: median {percentiles[0]:.1f} ms, 90 % {percentiles[1]:.1f} ms,", end=" ")
    print(f"99 % {percentiles[2]:.1f} ms, longest {percentiles[3]:.1f} ms")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
