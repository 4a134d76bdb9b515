"""The runs as rows of a view, and the words and colours for what they are doing."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor

from app.metrics import metric_title
from app.run_watch import RunFacts
from app.session import Session
from app.theme import mono_font, theme
from tfmcore import units
from tfmcore.config import TASKS
from tfmcore.runs import RunState

TONES = {
    RunState.PREPARING: "training",
    RunState.RUNNING: "training",
    RunState.PAUSED: "warning",
    RunState.STOPPING: "warning",
    RunState.SILENT: "bad",
    RunState.INTERRUPTED: "warning",
    RunState.FAILED: "bad",
    RunState.FINISHED: "good",
}
"""The theme's colour for a state; the others are muted."""
COLUMNS = ("Run", "State", "Steps", "Curve", "Loss")
FACTS = Qt.ItemDataRole.UserRole
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
PLAIN = Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEnabled
PLAIN_OR_LABEL = PLAIN, PLAIN | Qt.ItemFlag.ItemIsEditable

Index = QModelIndex | QPersistentModelIndex


def tone(facts: RunFacts) -> str:
    """The theme token of a run's state."""
    return TONES.get(facts.state, "muted")


def steps_words(facts: RunFacts) -> str:
    """ "340 / 1,000", or only the steps done where the config cannot be read."""
    return f"{facts.step:,} / {facts.steps:,}" if facts.steps else f"{facts.step:,}"


def progress_words(facts: RunFacts) -> str:
    """ "step 340 of 1,000", or only the step where the config cannot be read."""
    return f"step {facts.step:,} of {facts.steps:,}" if facts.steps else f"step {facts.step:,}"


@dataclass(frozen=True)
class Loss:
    """A run's loss as the lists show it: "val 1.832", else "train 2.013"."""

    words: str = units.NO_NUMBER
    tip: str = ""


def loss_of(facts: RunFacts) -> Loss:
    """The best validation loss where there is one, else the training loss, smoothed."""
    if facts.best_loss is not None:
        value = units.number(facts.best_loss)
        return Loss(f"val {value}", f"Validation loss {value}, of the best checkpoint")
    if facts.status and facts.status.loss is not None:
        value = units.number(facts.status.loss)
        return Loss(f"train {value}", f"Training loss {value}, smoothed; not validated yet")
    return Loss()


def best_words(facts: RunFacts) -> str:
    """ "best at step 90: accuracy 0.682, validation loss 0.6055"; what its
    last sentence says is not said again. Empty where no checkpoint has been validated."""
    if facts.best_loss is None or facts.best_step is None:
        return ""
    loss, best, measures = f"validation loss {facts.best_loss:.4f}", f"best at step {facts.best_step:,}", []
    if facts.best_metric is not None and facts.config:
        measures.append(f"{metric_title(TASKS[facts.config.data.task].metric)} {facts.best_metric:.4g}")
    if facts.step == facts.best_step and loss in facts.ending:
        best = "the last checkpoint is the best"
    else:
        measures.append(loss)
    if facts.best_bits is not None:
        measures.append(f"{facts.best_bits:.4f} bits per byte")
    return ": ".join(filter(None, (best, ", ".join(measures))))


def matches(facts: RunFacts, wanted: str) -> bool:
    """Whether every word of `wanted` stands in the run's label, state or task, or begins its id."""
    task = facts.config.data.task if facts.config else ""
    text = f"{facts.label} {facts.words} {task}".casefold()
    return all(word in text or facts.id.startswith(word) for word in wanted.casefold().split())


def shorter(label: str, others: Iterable[str]) -> Iterator[str]:
    """A label, then ever shorter ones: from its beginning on, of "name=value" only the value is left, and nothing of
    other words that another one begins with too; at last nothing at all that it begins with."""
    yield label
    words = label.split(" ")
    pairs = (zip(words, other.split(" "), strict=False) for other in others if other != label)
    common = max((len(list(takewhile(lambda pair: pair[0] == pair[1], each))) for each in pairs), default=0)
    common = common if common < len(words) else 0
    short = list[str]()
    for place, word in enumerate(words):
        name, _, value = word.rpartition("=")
        short += [value] if name or place >= common else []
        if name or place < common:
            yield f"{'…' * bool(common)}{' '.join(short + words[place + 1 :])}"
    if common and len(short) > len(words) - common:
        yield f"…{' '.join(words[common:])}"


def distinct(labels: Sequence[str]) -> list[str]:
    """Labels without the words that all of them begin or end with, and of "name=value" the value: what is left still
    tells each from the others."""
    words = [label.split(" ") for label in labels]
    begin = _in_common(words)
    end = _in_common([each[begin:][::-1] for each in words])
    short = [_values(each[begin : len(each) - end]) for each in words]
    return short if all(short) and len(set(short)) == len(labels) > 1 else list(labels)


def shared(labels: Sequence[str]) -> str:
    """The words that all of them begin or end with; the first label where there are none."""
    words = [label.split(" ") for label in labels]
    begin = _in_common(words)
    end = _in_common([each[begin:][::-1] for each in words])
    return " ".join([*words[0][:begin], *words[0][len(words[0]) - end :]]) or labels[0]


def _values(words: Sequence[str]) -> str:
    """The words, of "name=value" only the value."""
    pairs = [word.rpartition("=") for word in words]
    return (", " if all(name for name, *_ in pairs) else " ").join(value for *_, value in pairs)


def _in_common(lists: Sequence[Sequence[str]]) -> int:
    """How many words all of them begin with."""
    return sum(1 for _ in takewhile(lambda words: len(set(words)) == 1, zip(*lists, strict=False)))


class RunRows(QAbstractTableModel):
    """COLUMNS of each run, its RunFacts as FACTS; the label can be edited."""

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self.rows: list[RunFacts] = []

    def show(self, rows: list[RunFacts]) -> None:
        """Where runs only come, go or change, the view keeps its selection, its place and an editor that is open."""
        before, after = ({facts.id for facts in each} for each in (self.rows, rows))
        if [facts.id for facts in self.rows if facts.id in after] != [f.id for f in rows if f.id in before]:
            self.reset(rows)
            return
        for row in reversed([row for row, facts in enumerate(self.rows) if facts.id not in after]):
            self.beginRemoveRows(QModelIndex(), row, row)
            self.rows = self.rows[:row] + self.rows[row + 1 :]
            self.endRemoveRows()
        for row, facts in enumerate(rows):
            if facts.id not in before:
                self.beginInsertRows(QModelIndex(), row, row)
                self.rows = [*self.rows[:row], facts, *self.rows[row:]]
                self.endInsertRows()
        changed = [row for row, (new, old) in enumerate(zip(rows, self.rows, strict=True)) if new != old]
        self.rows = rows
        for row in changed:
            self.dataChanged.emit(self.index(row, 0), self.index(row, self.columnCount() - 1))

    def reset(self, rows: list[RunFacts]) -> None:
        """Show other runs, another order or other columns."""
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def row_of(self, run_id: str) -> int | None:
        return next((row for row, facts in enumerate(self.rows) if facts.id == run_id), None)

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return RIGHT if COLUMNS[section] in ("Steps", "Loss") else LEFT
        return COLUMNS[section] if role == Qt.ItemDataRole.DisplayRole else None

    def flags(self, index: Index) -> Qt.ItemFlag:
        return PLAIN_OR_LABEL[index.column() == 0]  # asked of each cell whenever some are chosen

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        facts, column = self.rows[index.row()], COLUMNS[index.column()]
        match role:
            case Qt.ItemDataRole.UserRole:
                return facts
            case Qt.ItemDataRole.DisplayRole:
                return (facts.label, facts.words, steps_words(facts), "", loss_of(facts).words)[index.column()]
            case Qt.ItemDataRole.AccessibleDescriptionRole if column == "Run":  # a list paints it beside the label
                return ", ".join((facts.words, steps_words(facts), loss_of(facts).words))
            case Qt.ItemDataRole.EditRole if column == "Run":
                return facts.label
            case Qt.ItemDataRole.ToolTipRole:
                return "\n".join(filter(None, (facts.label, facts.id, loss_of(facts).tip, facts.ending)))
            case Qt.ItemDataRole.ForegroundRole if column == "State":
                return QColor(getattr(theme(), tone(facts)))
            case Qt.ItemDataRole.FontRole if column in ("Steps", "Loss"):
                return mono_font(small=True)
            case Qt.ItemDataRole.TextAlignmentRole if column in ("Steps", "Loss"):
                return RIGHT
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.EditRole or not str(value).strip():
            return False
        self._session.rename_run(self.rows[index.row()], str(value))
        return True
