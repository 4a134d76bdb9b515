"""Every layer over time: the norm of its gradient, how far its weights move in a step, how large its results are."""

from typing import Any

import numpy as np
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from app.history import History
from app.session import Session
from app.theme import GRID
from app.widgets.empty_state import EmptyState
from app.widgets.live_plot import LivePlot
from tfmcore.messages import Examined, Noticed, Started

FIGURES = {
    "gradient_norm": ("Gradient norm of each layer", ""),
    "update_ratio": ("Update ÷ weights of each layer", ""),
    "activation_scale": ("Activation scale of each layer", ""),
}
MOST_LAYERS = 12
"""So many curves can still be told apart; of more layers these are shown, evenly chosen."""


class LayerCurves(QWidget):
    """Draws what a run's looks at its layers have found, on logarithmic axes."""

    def __init__(self, session: Session) -> None:
        super().__init__(objectName="layer_curves")
        self.plots = {
            name: LivePlot(title=title, unit=unit, log=True, smoothing=0.0, objectName=f"plot_layers_{name}")
            for name, (title, unit) in FIGURES.items()
        }
        self._empty = EmptyState(
            icon_name="layers-outline",
            heading="No layer statistics yet",
            sentence="A run records them every few steps (Layer statistics every, among its options).",
        )
        drawn = QWidget()
        column = QVBoxLayout(drawn, spacing=GRID)
        column.setContentsMargins(0, GRID, 0, 0)
        first, *others = self.plots.values()
        for plot in self.plots.values():
            column.addWidget(plot)
            plot.exporter.failed.connect(lambda sentence: session.notify("error", sentence))
        for plot in others:
            plot.link_x(first)
        self._stack = QStackedWidget(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(drawn)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._stack)

    def show_run(self, history: History) -> None:
        """Draw another run from its beginning."""
        for plot in self.plots.values():
            plot.clear()
        self._draw(history.examinations)
        for item in history.notables:
            self._mark(item)

    def advance(self, history: History, items: list[Any]) -> None:
        """Draw what has been added; a restart, which voids points, draws all anew."""
        if any(isinstance(item, Started) for item in items):
            self.show_run(history)
            return
        if any(isinstance(item, Examined) for item in items):
            self._draw(history.examinations)
        for item in items:
            self._mark(item)

    def _draw(self, examinations: list[Examined]) -> None:
        self._stack.setCurrentIndex(int(bool(examinations)))
        if not examinations:
            return
        steps = np.array([event.step for event in examinations], dtype=float)
        layers = list(examinations[-1].layers)
        chosen = np.unique(np.linspace(0, len(layers) - 1, min(MOST_LAYERS, len(layers))).round().astype(int))
        for layer in (layers[index] for index in chosen):
            states = [event.layers.get(layer) for event in examinations]
            for figure, plot in self.plots.items():
                values = [np.nan if state is None else getattr(state, figure) for state in states]
                if layer not in plot.curves:
                    plot.add_series(layer, title=layer.replace("layers.", ""))
                plot.set_series(layer, steps, values)

    def _mark(self, item: object) -> None:
        if isinstance(item, Noticed) and item.layer:
            for plot in self.plots.values():
                plot.add_marker(item.step, f"{item.layer.replace('layers.', '')} {item.what.split('_')[0]}", "bad")
