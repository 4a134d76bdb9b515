"""An option in a form: its label, editor and unit, a mark where it differs from the preset, what is wrong with it."""

from html import escape
from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QKeyEvent, QKeySequence, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QGridLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from app.actions import make_action
from app.forms.choices import ChoicesEditor
from app.forms.derived import WORDS
from app.forms.editors import (
    ChoiceEditor,
    CodesEditor,
    Editor,
    ListEditor,
    NumberEditor,
    PathEditor,
    SwitchEditor,
    TextEditor,
)
from app.forms.numbers import number_text
from app.forms.roles import LABEL_WIDTH, RolesEditor
from app.theme import GRID, body_font, icon, mix, theme
from app.titles import NAME, titled
from app.widgets.focus import show_instead
from tfmcore.config import ENCODINGS, LANGUAGES, SOURCES, TASKS, Option, Problem

UNIT_WIDTH, MARK_WIDTH = 9 * GRID, 2 * GRID
LONG_MEND = 14
"""Characters from which on the button that mends a value stands below the sentence, not beside it."""
TITLES = {
    "data.source": {name: facts.title for name, facts in SOURCES.items()},
    "data.task": {name: facts.title for name, facts in TASKS.items()},
    "data.encoding": ENCODINGS,
    "data.source_language": LANGUAGES,
    "data.target_language": LANGUAGES,
    "data.languages": LANGUAGES,
}

TEXTS = ("training.sample_prompts",)
"""Lists of texts; the other lists are of short codes, or of choices."""
FOLDERS = ("training.finetune_from", "training.branch_from")
"""Paths of folders."""


def make_editor(option: Option) -> Any:
    """The editor of an option, by its kind; paths and languages have their own."""
    if TITLES.get(option.path) is LANGUAGES:
        editor = ChoicesEditor if option.kind == "list" else ChoiceEditor
        return editor(option, sorted(LANGUAGES, key=LANGUAGES.__getitem__), LANGUAGES)
    match option.kind:
        case "bool" if not option.optional:
            return SwitchEditor()
        case "bool":
            return ChoiceEditor(option, (True, False))
        case "choice":
            return ChoiceEditor(option, option.choices, TITLES.get(option.path))
        case "int" | "float":
            return NumberEditor(option)
        case "list" if option.choices:
            return ChoicesEditor(option, option.choices, TITLES.get(option.path))
        case "list":
            return ListEditor() if option.path in TEXTS else CodesEditor(option)
        case "table":
            return RolesEditor()
        case _:
            path = option.name.endswith("path") or option.path in FOLDERS
            return PathEditor(option, folder=option.path in FOLDERS) if path else TextEditor(option)


class Field(QWidget):
    """`edited(value)`, `value`, `set_value`, `set_problem`: every field's contract; `focused` when it is entered."""

    edited = Signal(object)
    focused = Signal()

    def __init__(self, option: Option) -> None:
        super().__init__(objectName=f"row_{option.section}_{option.name}")
        self.option = option
        self.editor: Editor = make_editor(option)
        self._preset_value: Any = None
        self._highlighted = False
        self._error: QLabel | None = None
        self._nearest: Any = None
        self._lay_out()
        self.editor.edited.connect(self.edited)
        self.widget.installEventFilter(self)

    @property
    def widget(self) -> QWidget:
        """The editor as a widget."""
        assert isinstance(self.editor, QWidget)
        return self.editor

    @property
    def value(self) -> Any:
        return self.editor.value

    def set_value(self, value: Any) -> None:
        self.editor.set_value(value)
        self._show_mark()

    # ── layout ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _lay_out(self) -> None:
        option = self.option
        self.widget.setObjectName(f"field_{option.section}_{option.name}")
        self.widget.setAccessibleName(option.title)
        self.widget.setAccessibleDescription(option.help)
        self._explained: list[QWidget] = [self.widget]
        if not isinstance(self.editor, SwitchEditor):
            self.widget.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._mark = self._make_mark()
        self._grid = QGridLayout(self, horizontalSpacing=GRID // 2, verticalSpacing=2)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setColumnStretch(2, 1)
        self._grid.addWidget(self._mark, 0, 0, Qt.AlignmentFlag.AlignVCenter)
        if isinstance(self.editor, RolesEditor):  # whose rows have labels of their own
            self._grid.addWidget(self.widget, 0, 1, 1, 3)
        else:
            self._explained.append(label := self._make_label())
            self._grid.addWidget(label, 0, 1, Qt.AlignmentFlag.AlignTop)
            self._grid.addWidget(self.widget, 0, 2, 1, 1 if option.unit else 2)
        if option.unit:
            self._explained.append(unit := QLabel(option.unit))
            unit.setProperty("role", "muted")
            unit.setFixedWidth(UNIT_WIDTH)
            self._grid.addWidget(unit, 0, 3)
        self.explain("")

    def _make_mark(self) -> QToolButton:
        """The dot of a changed field, which keeps its place while it is hidden."""
        option = self.option
        mark = QToolButton(objectName=f"reset_{option.section}_{option.name}", icon=icon("circle-medium", "accent"))
        mark.setProperty("kind", "mark")
        mark.setFixedSize(MARK_WIDTH, MARK_WIDTH)
        mark.setAccessibleName(f"Reset {option.title}")
        mark.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        keeping = mark.sizePolicy()
        keeping.setRetainSizeWhenHidden(True)
        mark.setSizePolicy(keeping)
        mark.hide()
        mark.clicked.connect(lambda: self.edited.emit(self._preset_value))
        return mark

    def _make_label(self) -> QLabel:
        """The name; its own menu opens the paper, where there is one."""
        label = QLabel(self.option.title, buddy=self.widget, wordWrap=True)
        label.setFixedWidth(LABEL_WIDTH)
        label.setContentsMargins(0, 4, 0, 4)
        if self.option.paper:
            name = f"open_paper_{self.option.section}_{self.option.name}"
            label.addAction(make_action(label, name, "Open the paper", self._open_paper))
            label.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        return label

    def _open_paper(self) -> None:
        QDesktopServices.openUrl(QUrl(self.option.paper))

    # ── what is wrong, and what the preset says ──────────────────────────────────────────────────────────────────────

    def set_problem(self, problem: Problem | None) -> None:
        """Say why the value is invalid and offer the nearest valid one; None: it is fine."""
        if problem is None and self._error is None:
            return
        if self._error is None:
            self._make_problem_row()
        assert self._error is not None
        self._error.setVisible(problem is not None)
        offered = problem is not None and problem.nearest is not None
        show_instead(*([self._mend], []) if offered else ([self.widget], [self._mend]))
        if problem:
            self._error.setText(titled(_sentence(problem.reason), NAME))
            self._nearest = problem.nearest
            words = f"use {value_words(self.option, problem.nearest)}" if offered else ""
            self._mend.setText(words.replace("&", "&&"))
            long = len(words) > LONG_MEND
            way = QBoxLayout.Direction.TopToBottom if long else QBoxLayout.Direction.LeftToRight
            self._problem_row.setDirection(way)
        words = f"{self._error.text()} {self.option.help}" if problem else self.option.help
        self.widget.setAccessibleDescription(words)
        if self.widget.property("invalid") != (problem is not None):
            self.widget.setProperty("invalid", problem is not None)
            self.widget.style().polish(self.widget)

    @property
    def has_problem(self) -> bool:
        return bool(self.widget.property("invalid"))

    def _make_problem_row(self) -> None:
        name = f"{self.option.section}_{self.option.name}"
        self._error = QLabel(objectName=f"problem_{name}", wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self._error.setProperty("role", "error")
        self._mend = QPushButton(objectName=f"mend_{name}", font=body_font(small=True))
        self._mend.setProperty("kind", "small")
        self._mend.clicked.connect(lambda: self.edited.emit(self._nearest))
        self._problem_row = QBoxLayout(QBoxLayout.Direction.LeftToRight, spacing=GRID)
        self._problem_row.addWidget(self._error, 1)
        self._problem_row.addWidget(self._mend, 0, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self._grid.addLayout(self._problem_row, 1, 1, 1, 3)

    def explain(self, reason: str) -> None:
        """What the option means, and why the preset has its value where it says so."""
        tip = tooltip(self.option, reason)
        if self.widget.toolTip() != tip:
            for widget in self._explained:
                widget.setToolTip(tip)

    def set_preset_value(self, value: Any) -> None:
        """The value to return to; a dot marks the field while it has another."""
        self._preset_value = value
        words = value_words(self.option, value)
        self._mark.setToolTip(f"Changed; the preset has {words}. Click to return to it.")
        self._show_mark()

    def _show_mark(self) -> None:
        self._mark.setVisible(self.value != self._preset_value)

    def set_highlighted(self, highlighted: bool) -> None:
        """Tint the row, as when its block is chosen in the diagram."""
        if highlighted != self._highlighted:
            self._highlighted = highlighted
            self.update()

    # ── reacting ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._highlighted:
            painter = QPainter(self)
            painter.fillRect(self.rect(), mix(theme().background, theme().accent, 0.18))
            painter.end()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.FocusIn:
            self.focused.emit()
        elif event.type() == QEvent.Type.FocusOut:
            self.editor.flush()
        elif isinstance(event, QKeyEvent) and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.editor.flush()  # a shortcut acts on what has been typed
            if event.type() == QEvent.Type.ShortcutOverride:  # undo and redo are steps of the draft, not of one line
                return any(map(event.matches, (QKeySequence.StandardKey.Undo, QKeySequence.StandardKey.Redo)))
        return False


def _sentence(reason: str) -> str:
    """A reason as a sentence; the name of an option at its head stays as it is."""
    plain = reason.split(" ", 1)[0].isalpha()
    return (reason[:1].upper() if plain else reason[:1]) + reason[1:].rstrip(".") + "."


def value_words(option: Option, value: Any) -> str:
    """A value as the form shows it."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value_words(option, item) for item in value) or WORDS.get(option.path, "none")
    if isinstance(value, dict):
        return ", ".join(f"{role}: {column}" for role, column in value.items()) or "none"
    if isinstance(value, str):
        return (
            TITLES.get(option.path, {}).get(value) or (value.replace("_", "-") if option.choices else value) or "empty"
        )
    return number_text(value)


def tooltip(option: Option, reason: str = "") -> str:
    """Meaning, bounds, unit, default, the preset's `reason` and the paper."""
    facts = []
    if option.minimum is not None and option.maximum is not None:
        low, high = (
            f"{bound:,}" if option.kind == "int" else number_text(bound) for bound in (option.minimum, option.maximum)
        )
        facts.append(f"{'above ' if option.exclusive_minimum else ''}{low} … {high} {option.unit}".rstrip())
    facts.append(f"default: {value_words(option, option.default)}")
    lines = [f"<b>{escape(option.title)}</b> &nbsp;{option.path}", escape(option.help), escape(" · ".join(facts))]
    if reason:
        lines.append(f"<i>{escape(reason)}</i>")
    if option.paper:
        lines.append(f"{escape(option.paper)} (right-click the name to open it)")
    return "<p>" + "<br>".join(lines) + "</p>"
