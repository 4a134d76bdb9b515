"""Which layer, head, shard and example lies in which process, where several share the training."""

from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from app.session import Session
from app.theme import GRID
from app.titles import problem_words
from app.widgets.device_grid import Card, DeviceGrid
from tfmcore.config import Config, Problem
from tfmcore.config.parallel import sizes
from tfmcore.config.placement import held_by, layout_words, num_processes, share_of

FIELDS = ("training.parallel", "training.num_processes", "training.parallel_sizes", "training.batch_size")


class Devices(QWidget):
    """Follows the draft at every change; not there where one process does all."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent, objectName="devices")
        self._draft = session.draft
        self._title = QLabel(objectName="devices_title")
        self._problem = QLabel(objectName="devices_problem", wordWrap=True)
        self._problem.setProperty("role", "muted")
        self._grid = DeviceGrid(objectName="device_grid")
        column = QVBoxLayout(self, spacing=GRID // 2)
        column.setContentsMargins(GRID, GRID, GRID, GRID)
        for part in (self._title, self._problem, self._grid):
            column.addWidget(part)
        self._draft.changed.connect(self.redraw)
        self.redraw()

    def redraw(self) -> None:
        """Show the picture of the draft, or why there is none."""
        config, problem = self._draft.config, None
        if config is None:
            problems = self._draft.problems
            problem = next((problem for problem in problems if problem.field in FIELDS), problems[0])
        self.setVisible(bool(self._draft.value("training.parallel")))
        self._show(config, problem)

    def _show(self, config: Config | None, problem: Problem | None) -> None:
        self._problem.setVisible(problem is not None)
        self._problem.setText(f"No picture yet: {problem_words(problem)}" if problem else "")
        shared = config is not None and bool(config.training.parallel)
        self._grid.setVisible(shared)
        if config is None or not shared:
            self._title.setText("<b>What each process holds</b>")
            return
        self._title.setText(f"<b>{layout_words(config.training)}</b>")
        self._grid.set_cards(list(sizes(config.training).items()), lambda rank: card_of(config, rank))


def card_of(config: Config, rank: int) -> Card:
    """The card of a process, which people count from 1."""
    share = share_of(config, rank)
    held, found = held_by(config, share), sizes(config.training)
    among = ", ".join(f"{kind} {number + 1:,} of {found[kind]:,}" for kind, number in share.place.items())
    title = f"Process {rank + 1:,}"
    tip = [f"{title} of {num_processes(config.training):,} (rank {rank})", among, *(each.sentence for each in held)]
    return Card(title, held, "\n".join(tip))
