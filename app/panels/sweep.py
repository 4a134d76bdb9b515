"""Many runs that differ in a few options: which, with which values, and how many that makes; they wait in the queue."""

from PySide6.QtCore import QLocale, Qt, Signal
from PySide6.QtGui import QIntValidator
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.forms.field import value_words
from app.run_labels import label_for
from app.session import Session
from app.theme import GRID, icon
from app.titles import problem_words, titled
from app.widgets.combo import ElidedCombo
from app.widgets.focus import put_in_order
from tfmcore.config import ConfigError, UserError, options
from tfmcore.config.sweeps import MOST_RUNS, Combination, combinations, parse_axis, swept

WIDTH = 68 * GRID
SHOWN_CHARACTERS = 20
FIRST = ("training.learning_rate", "training.seed")
SHOWN_FIRST = 24
"""So many of the combinations are checked while one types; all of them when the runs are made."""
DIGITS_ALONE = QLocale.c()
DIGITS_ALONE.setNumberOptions(QLocale.NumberOption.RejectGroupSeparator)


class AxisRow(QWidget):
    """An option and its values as they are typed; `edited` at each change, `unwanted` when it is to go."""

    edited = Signal()
    unwanted = Signal()

    def __init__(self, session: Session, path: str, number: int) -> None:
        super().__init__()
        self._session = session
        self._option = ElidedCombo(objectName=f"sweep_option_{number}", accessibleName="Option", maxVisibleItems=20)
        for option in options():
            if option.kind in ("int", "float", "choice", "bool") and option.section in ("model", "training"):
                self._option.addItem(f"{option.title}  ({option.section})", option.path)
        self._option.setCurrentIndex(self._option.findData(path))
        self._option.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._option.setMinimumContentsLength(SHOWN_CHARACTERS)
        self._values = QLineEdit(objectName=f"sweep_values_{number}", accessibleName="Values")
        remove = QPushButton(
            objectName=f"sweep_remove_{number}", icon=icon("close", "muted"), toolTip="Not this option"
        )
        remove.setAccessibleName("Not this option")
        remove.setProperty("kind", "quiet")
        self.parts: tuple[QWidget, ...] = (self._option, self._values, remove)
        row = QHBoxLayout(self, spacing=GRID)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._option, 2)
        row.addWidget(self._values, 3)
        row.addWidget(remove)
        self._option.currentIndexChanged.connect(self._on_option_changed)
        self._values.textChanged.connect(self.edited)
        remove.clicked.connect(self.unwanted)
        self._on_option_changed()

    @property
    def text(self) -> str:
        """`section.name=values`, or nothing while there are none."""
        values = self._values.text().strip()
        return f"{self._option.currentData()}={values}" if values else ""

    def _on_option_changed(self) -> None:
        path = self._option.currentData()
        option = next(option for option in options() if option.path == path)
        now = value_words(option, self._session.draft.value(path))
        hints = {"choice": ", ".join(option.choices), "bool": "true, false", "float": "0.1, 0.2"}
        hint = hints.get(option.kind, "1, 2, 4 or 1..4")
        self._values.setPlaceholderText(f"{hint}   (now {now})")
        self.edited.emit()


class Sweep(QDialog):
    """Beside the window; what it makes are ordinary runs."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent, objectName="sweep", windowTitle="Train many runs")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumWidth(WIDTH)
        self._session, self._number = session, 0
        self.axes: list[AxisRow] = []
        self._random = QLineEdit(objectName="sweep_random", placeholderText="every combination")
        self._random.setValidator(QIntValidator(1, MOST_RUNS, self, locale=DIGITS_ALONE))
        self._random.setAccessibleName("Number of combinations to draw at random")
        self._words = QLabel(objectName="sweep_words", wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self._start = QPushButton(objectName="action_start_sweep", icon=icon("play", "on_accent"))
        self._start.setProperty("kind", "primary")
        self._lay_out()
        for path in FIRST:
            self._add(path)
        self.axes[0].parts[1].setFocus()
        self._random.textChanged.connect(self._redraw)
        self._start.clicked.connect(self._on_start_clicked)
        session.draft.changed.connect(self._redraw)
        self._redraw()

    def _lay_out(self) -> None:
        heading = QLabel("Every combination of these values is a run; they are trained one after the other.")
        heading.setWordWrap(True)
        heading.setProperty("role", "muted")
        self._rows = QVBoxLayout(spacing=GRID)
        self._another = QPushButton("Another option", objectName="action_add_axis", icon=icon("plus"))
        self._another.setProperty("kind", "quiet")
        self._another.clicked.connect(lambda: self._add("model.num_layers"))
        draw = QLabel("Draw at random")
        draw.setBuddy(self._random)
        drawn = QHBoxLayout(spacing=GRID)
        for widget in (self._another, draw):
            drawn.addWidget(widget)
        drawn.addWidget(self._random, 1)
        last = QHBoxLayout(spacing=GRID)
        last.addWidget(self._words, 1)
        last.addWidget(self._start)
        self._column = column = QVBoxLayout(self, spacing=2 * GRID)
        column.setContentsMargins(3 * GRID, 2 * GRID, 3 * GRID, 2 * GRID)
        column.addWidget(heading)
        column.addLayout(self._rows)
        column.addLayout(drawn)
        column.addLayout(last)

    def _add(self, path: str) -> None:
        row = AxisRow(self._session, path, self._number)
        self._number += 1
        self.axes.append(row)
        self._rows.addWidget(row)
        parts = [part for axis in self.axes for part in axis.parts]
        put_in_order(*parts, self._another, self._random, self._start)
        row.edited.connect(self._redraw)
        row.unwanted.connect(lambda: self._remove(row))
        self._redraw()
        self._fit()

    def _remove(self, row: AxisRow) -> None:
        self.axes.remove(row)
        self._rows.removeWidget(row)
        row.deleteLater()
        self._redraw()
        self._fit()

    def _fit(self) -> None:
        """As high as the rows need, and as wide as it is."""
        self._column.activate()
        self.resize(max(self.width(), WIDTH), self.sizeHint().height())

    def found(self) -> list[Combination]:
        """The combinations that are typed; raises UserError where they are none."""
        texts = [axis.text for axis in self.axes if axis.text]
        if not texts:
            raise UserError("Write the values of an option, such as 1e-3, 2e-3 or 0..4.")
        drawn = self._random.text()
        return combinations([parse_axis(text) for text in texts], int(drawn) if drawn else None)

    def _redraw(self) -> None:
        problem, number = "", 0
        try:
            found = self.found()
            number = len(found)
            swept(self._session.draft.raw, found[:SHOWN_FIRST])
        except ConfigError as error:
            problem = problem_words(error.problems[0])
        except UserError as error:
            problem = titled(str(error).removeprefix("--over ").replace("--random N", "“Draw at random”"))
        runs = _runs(number)
        self._words.setText(problem or f"{runs}, trained one after the other.")
        self._words.setProperty("role", "error" if problem and self._typed else "muted")
        self._words.style().polish(self._words)
        self._start.setText(f"Train {runs}" if number else "Train")
        self._start.setEnabled(not problem)

    @property
    def _typed(self) -> bool:
        return any(axis.text for axis in self.axes)

    def _on_start_clicked(self) -> None:
        config, session = self._session.draft.config, self._session
        name = label_for(config, session.runs.facts) if config else "sweep"

        def done(number: int) -> None:
            session.notify("info", f"{_runs(number)} {'was' if number == 1 else 'were'} put into the queue.")

        session.queue.sweep(session.draft.raw, self.found(), name, done)
        session.show_page("train")
        self.close()


def _runs(number: int) -> str:
    return "1 run" if number == 1 else f"{number:,} runs"
