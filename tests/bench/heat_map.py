"""Painting time of a 512 × 512 heat map with its axes: python -m tests.bench.heat_map [PAINTS]."""

import os
import sys

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from app.theme import apply_theme
from app.widgets.heat_map import HeatMap
from tests.bench.painting import milliseconds, words

SIZE, SIDE = 512, 900


def main(paints: int = 30) -> None:
    """The first paint of new values makes the image of its cells; later ones reuse it."""
    app = QApplication([])
    apply_theme(app, "dark")
    tokens = [f"token{number}" for number in range(SIZE)]
    values = np.random.default_rng(0).random((SIZE, SIZE), dtype=np.float32)
    heat_map = HeatMap()
    heat_map.resize(SIDE, SIDE)
    canvas = QImage(heat_map.size(), QImage.Format.Format_RGB32)

    def show_new() -> None:
        heat_map.set_matrix(values, tokens, tokens)
        heat_map.render(canvas)

    print(f"{SIZE} × {SIZE} cells with axes on {SIDE} × {SIDE} pixels, {app.platformName()}")
    print(f"new values, painted: {words(milliseconds(show_new, paints))}")
    print(f"painted again:       {words(milliseconds(lambda: heat_map.render(canvas), paints))}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
