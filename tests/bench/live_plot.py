"""Painting time of a live plot of a million points: python -m tests.bench.live_plot [PAINTS]."""

import os
import sys

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtWidgets import QApplication

from app.theme import apply_theme
from app.widgets.live_plot import LivePlot
from tests.bench.painting import milliseconds, words

POINTS = 1_000_000


def main(paints: int = 30) -> None:
    """Each paint is of one more point, as while a run trains."""
    app = QApplication([])
    apply_theme(app, "dark")
    plot = LivePlot(title="Loss")
    plot.resize(900, 400)
    plot.show()
    plot.set_series("training", np.arange(float(POINTS)), np.random.default_rng(0).random(POINTS))
    plot.set_smoothing(0.95)
    plot.redraw()
    steps = iter(range(POINTS, 2 * POINTS))

    def append_and_paint() -> None:
        plot.append("training", next(steps), 0.5)
        plot.redraw()
        plot.chart.viewport().grab()

    drawn = len(plot.curves["training"].line.xData)
    print(f"{POINTS:,} points, {drawn:,} of them drawn, smoothed line over the raw one, {app.platformName()}")
    print(f"one more point, painted: {words(milliseconds(append_and_paint, paints))}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
