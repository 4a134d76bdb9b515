"""Compare: all runs side by side with the options in which they differ, their curves in one plot, and what a lower loss
goes with."""

from typing import ClassVar

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QSplitter, QStackedWidget, QVBoxLayout, QWidget

from app.panels.loss_by_option import LossByOption
from app.panels.run_curves import RunCurves
from app.panels.run_sheet import RunSheet
from app.session import Session
from app.theme import GRID
from app.widgets.empty_state import EmptyState


class ComparePage(QWidget):
    """What the sheet shows and what is chosen in it is drawn below it."""

    help: ClassVar[str] = (
        "A row for each run: its losses, its steps, and the options in which the runs shown differ. A click on a "
        "heading sorts by it; the filter narrows the list. The lowest validation loss is bold if all learn from the "
        "same tokens; of language models of the same text in different tokens, the fewest bits per byte. Below are the "
        "curves of the first eight, or of those that you choose with Ctrl or Shift: by "
        "steps, by tokens or by training time. Runs that differ only in the seed can be one curve: their mean, in a "
        "band from the lowest to the highest. Beside the curves is the loss of all runs over one option: a dot is a "
        "run, a click selects it, a bar is the mean of those with the same value, and ρ shows how strongly the loss "
        "correlates with the option. Enter shows a run on Train. Several runs can be deleted at once, or put into the "
        "queue."
    )

    def __init__(self, session: Session) -> None:
        super().__init__(objectName="page_compare")
        self._session = session
        self._sheet, self._curves, self._by_option = RunSheet(session), RunCurves(session), LossByOption(session)
        self._late = QTimer(self, singleShot=True, interval=0)
        self.addActions([*self._sheet.acts, *self._sheet.sorting])
        self._lay_out()
        self._late.timeout.connect(self._draw)
        self._sheet.looked_over.connect(self._late.start)
        session.runs.changed.connect(self._show)
        self._show()

    def _lay_out(self) -> None:
        below = self._splitter("plots", Qt.Orientation.Horizontal, [560, 440], self._curves, self._by_option)
        whole = self._splitter("splitter", Qt.Orientation.Vertical, [300, 400], self._sheet, below)
        empty = EmptyState(
            icon_name="scale-balance",
            heading="Nothing to compare yet",
            sentence="Train a template on Home; or, on Model, train many runs that differ in an option (Sweep).",
            action="Go to Home",
            action_name="action_home_from_compare",
        )
        empty.action_triggered.connect(lambda: self._session.show_page("home"))
        self._stack = QStackedWidget(self)
        self._stack.addWidget(empty)
        self._stack.addWidget(whole)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * GRID, GRID, 2 * GRID, GRID)
        column.addWidget(self._stack)

    def _splitter(self, name: str, along: Qt.Orientation, sizes: list[int], *parts: QWidget) -> QSplitter:
        """One whose sizes are remembered."""
        splitter = QSplitter(along, objectName=f"compare_{name}", childrenCollapsible=False)
        for part in parts:
            splitter.addWidget(part)
        splitter.setSizes(self._session.settings.get(f"compare.{name}", sizes))
        splitter.splitterMoved.connect(lambda *_: self._session.settings.set(f"compare.{name}", splitter.sizes()))
        return splitter

    def _show(self) -> None:
        self._stack.setCurrentIndex(int(bool(self._session.runs.facts)))

    def _draw(self) -> None:
        drawn, rows, chosen = self._sheet.drawn, self._sheet.rows, self._sheet.chosen
        bold = chosen[0].id if len(chosen) == 1 else ""
        self._curves.show_runs(drawn, rows.colours, bold)
        self._by_option.show_runs(rows.rows, rows.options, rows.colours)
