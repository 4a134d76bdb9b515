"""How the design differs from its preset: each option with the preset's value and its own, and a way back."""

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from app.forms.field import value_words
from app.forms.layout import HIDDEN
from app.forms.section_form import preset_config, preset_reasons
from app.session import Session
from app.theme import GRID, icon
from app.widgets.flow import Flow
from tfmcore.config import Option, options, presets

SECTIONS = ("model", "training")
MOST, LONGEST = 8, 28


class Differences(QWidget):
    """A click on a difference shows its field, one on its arrow returns to the preset's value."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent, objectName="differences", accessibleName="Differences from the preset")
        self._session = session
        self._all = False
        self.shown: dict[str, tuple[Any, Any]] = {}
        self._flow = Flow(spacing=GRID // 2)
        chips = QWidget()
        chips.setLayout(self._flow)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * GRID, 0, 2 * GRID, GRID)
        column.addWidget(chips)
        session.draft.changed.connect(self._redraw)
        self._fill()
        self._redraw()

    def _redraw(self) -> None:
        """What differs now; a design without a preset, or from another model's weights, differs from none."""
        draft = self._session.draft
        found: dict[str, tuple[Any, Any]] = {}
        if draft.preset in presets() and draft.base is None:
            preset = preset_config(draft.preset)
            for option in _compared():
                was, now = getattr(getattr(preset, option.section), option.name), draft.value(option.path)
                if was != now:
                    found[option.path] = (was, now)
        if found != self.shown:
            self.shown = found
            self._fill()

    def _fill(self) -> None:
        while item := self._flow.takeAt(0):
            if widget := item.widget():
                widget.hide()  # it is there until the next event
                widget.deleteLater()
        self.setVisible(bool(self.shown))
        if not self.shown:
            return
        count = len(self.shown)
        title = presets()[self._session.draft.preset].title
        words = QLabel(f"{count} {'option differs' if count == 1 else 'options differ'} from “{title}”:")
        words.setProperty("role", "muted")
        self._flow.addWidget(words)
        known = {option.path: option for option in _compared()}
        paths = list(self.shown) if self._all else list(self.shown)[:MOST]
        for path in paths:
            self._flow.addWidget(self._chip(known[path], *self.shown[path]))
        if count > MOST:
            more = self._button("action_more_differences", "fewer" if self._all else f"{count - MOST} more", "")
            more.clicked.connect(self._on_more_clicked)
            self._flow.addWidget(more)
        if count > 1:
            reset = self._button("action_reset_differences", "Return to the preset", "All of them, in one step of undo")
            reset.clicked.connect(lambda: self._session.draft.set_many({p: was for p, (was, _) in self.shown.items()}))
            self._flow.addWidget(reset)

    def _chip(self, option: Option, was: Any, now: Any) -> QWidget:
        """ "Layers: 12 → 4", and the arrow back."""
        before, after = value_words(option, was), value_words(option, now)
        name = option.path.replace(".", "_")
        words = f"{option.title}: {_short(before)} → {_short(after)}"
        reason = preset_reasons(self._session.draft.preset).get(option.path, "")
        tip = "\n".join(filter(None, (f"{option.path}: {before} → {after}; a click shows it", reason)))
        field = self._button(f"difference_{name}", words, tip)
        field.clicked.connect(lambda: self._session.show_field(option.path))
        back = QToolButton(objectName=f"undo_difference_{name}", icon=icon("undo-variant", "muted"))
        back.setProperty("kind", "quiet")
        back.setToolTip(f"Return to {before}")
        back.setAccessibleName(f"Return {option.title} to {before}")
        back.clicked.connect(lambda: self._session.draft.set(option.path, was))
        chip = QWidget()
        chip.setProperty("kind", "chip")
        chip.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        row = QHBoxLayout(chip, spacing=0)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(field)
        row.addWidget(back)
        return chip

    def _button(self, name: str, text: str, tip: str) -> QPushButton:
        button = QPushButton(text.replace("&", "&&"), objectName=name, toolTip=tip)
        button.setProperty("kind", "quiet")
        return button

    def _on_more_clicked(self) -> None:
        self._all = not self._all
        self._fill()


def _compared() -> list[Option]:
    return [option for section in SECTIONS for option in options(section) if option.path not in HIDDEN]


def _short(words: str) -> str:
    return words if len(words) <= LONGEST else f"{words[:LONGEST]}…"
