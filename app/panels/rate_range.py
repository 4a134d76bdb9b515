"""The learning-rate range test of the design: its curve, and the rate that it suggests, to take over."""

import numpy as np
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from app.actions import named_keys
from app.session import Session
from app.theme import GRID, icon
from app.widgets.curve import CurveStyle
from app.widgets.focus import show_instead
from app.widgets.live_plot import LivePlot
from tfmcore import units
from tfmcore.config import Config
from tfmcore.messages import AnyReply, Arrays, FindRate, Progress, RateFound, Refused


class RateRange(QWidget):
    """Asks the engine; what was found is shown until it is asked again."""

    def __init__(self, session: Session) -> None:
        super().__init__(objectName="rate_range")
        self._session = session
        self._request = 0
        self._asked: Config | None = None
        self._found: RateFound | None = None
        self._find = QPushButton("Find a learning rate", objectName="action_find_rate", icon=icon("chart-bell-curve"))
        self._find.setToolTip(
            named_keys("Range test: train from scratch at a rising learning rate to see where the loss falls  (Ctrl+L)")
        )
        self._cancel = QPushButton("Cancel", objectName="action_cancel_rate")
        self._progress = QProgressBar(objectName="rate_progress", textVisible=False, maximum=0)
        self._progress.setFixedHeight(6)
        self._words = QLabel(objectName="rate_outcome", wordWrap=True)
        self._take = QPushButton(objectName="action_take_rate")
        self._plot = LivePlot(title="Loss", unit="nats", x_name="log₁₀ lr", smoothing=0.0, objectName="plot_rates")
        self._plot.chart.axes["bottom"].setLogMode(True)
        self._plot.setMinimumHeight(24 * GRID)
        self._plot.exporter.failed.connect(lambda sentence: session.notify("error", sentence))
        self._lay_out()
        self._find.clicked.connect(self.begin)
        self._cancel.clicked.connect(self.cancel)
        self._take.clicked.connect(self._on_take_clicked)
        session.draft.changed.connect(self._redraw)
        self._redraw()

    def _lay_out(self) -> None:
        buttons = QHBoxLayout(spacing=GRID)
        buttons.addWidget(self._find)
        buttons.addWidget(self._cancel)
        buttons.addWidget(self._progress, 1)
        buttons.addStretch(0)
        outcome = QHBoxLayout(spacing=GRID)
        outcome.addWidget(self._words, 1)
        outcome.addWidget(self._take)
        column = QVBoxLayout(self, spacing=GRID // 2)
        column.setContentsMargins(0, GRID, 0, 0)
        column.addLayout(buttons)
        column.addLayout(outcome)
        column.addWidget(self._plot)  # may have to be scrolled to

    def begin(self) -> None:
        """Ask the engine; needs a draft without problems."""
        config = self._session.draft.config
        if config is None:
            self._say(self._session.show_problem(), "error")
            return
        self._asked, self._found = config, None
        self._request = self._session.data_engine.ask(FindRate, self._on_reply, panel="rate", config=config.raw())
        self._say("", "")
        self._redraw()

    def cancel(self) -> None:
        self._session.data_engine.cancel(self._request)

    def _on_reply(self, reply: AnyReply, arrays: Arrays) -> None:
        if reply.id != self._request:
            return
        match reply:
            case Progress():
                self._progress.setMaximum(reply.total)
                self._progress.setValue(reply.done)
                self._say(reply.phase, "muted")
            case RateFound():
                self._found = reply
                self._draw(reply)
            case Refused():
                self._say(reply.sentence, "error", reply.details)
            case _:
                self._say("Cancelled.", "muted")
        if reply.final:
            self._request = 0
            self._progress.setMaximum(0)
        self._redraw()

    def _draw(self, found: RateFound) -> None:
        self._plot.clear()
        self._plot.add_series("training", CurveStyle(colour="training", bold=True), title="loss")
        self._plot.set_series("training", np.log10(found.rates), found.losses)
        self._plot.add_marker(float(np.log10(found.suggestion)), "suggested", "accent")

    def _redraw(self) -> None:
        found, config = self._found, self._session.draft.config
        finding = [self._cancel, self._progress]
        show_instead(*(finding, [self._find]) if self._request else ([self._find], finding))
        self._plot.setVisible(found is not None)
        taken = found is not None and config is not None and config.training.learning_rate == found.suggestion
        self._take.setVisible(found is not None and not taken)
        if found:
            rate = units.number(found.suggestion)
            self._take.setText(f"Use {rate}")
            if config and self._asked and _without_rate(config) != _without_rate(self._asked):
                self._say(f"Before the last change, a learning rate of {rate} suited the design.", "muted")
            else:
                self._say(f"A learning rate of {rate} suits this design.", "")
        self._words.setVisible(bool(self._words.text()))

    def _on_take_clicked(self) -> None:
        if self._found:
            self._session.draft.set("training.learning_rate", self._found.suggestion)

    def _say(self, sentence: str, role: str, details: str = "") -> None:
        self._words.setText(sentence)
        self._words.setToolTip(details)
        if self._words.property("role") != role:
            self._words.setProperty("role", role)
            self._words.style().polish(self._words)


def _without_rate(config: Config) -> Config:
    return config.replaced(training__learning_rate=1.0)
