"""What an empty page shows: what belongs here, and what to do next."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.theme import GRID, icon, themes

ICON_SIZE = 40


class EmptyState(QWidget):
    """An icon, a heading, a sentence and, if `action` names one, a button; `action_triggered` when it is pressed."""

    action_triggered = Signal()

    def __init__(
        self,
        parent: QWidget | None = None,
        *,
        icon_name: str,
        heading: str,
        sentence: str,
        action: str = "",
        action_name: str = "",
        **properties: Any,
    ) -> None:
        super().__init__(parent, **({"accessibleName": heading} | properties))
        self._icon_name = icon_name
        self.icon = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        self.heading = QLabel(heading, alignment=Qt.AlignmentFlag.AlignCenter)
        self.heading.setProperty("role", "heading")
        self.sentence = QLabel(sentence, wordWrap=True, alignment=Qt.AlignmentFlag.AlignCenter)
        self.sentence.setProperty("role", "muted")
        self.sentence.setMinimumWidth(30 * GRID)
        self.sentence.setMaximumWidth(50 * GRID)
        self.action = QPushButton(action, objectName=action_name or "action_next")
        self.action.setProperty("kind", "primary")
        if not action:
            self.action.hide()
        middle = QHBoxLayout()  # not an alignment, under which a wrapped label is given one line's height
        middle.addStretch(1)
        middle.addWidget(self.sentence, 8)
        middle.addStretch(1)
        layout = QVBoxLayout(self, spacing=GRID)
        layout.addStretch()
        layout.addWidget(self.icon)
        layout.addWidget(self.heading)
        layout.addLayout(middle)
        layout.addWidget(self.action, alignment=Qt.AlignmentFlag.AlignCenter)
        layout.addStretch()
        self.action.clicked.connect(self.action_triggered)
        themes.theme_changed.connect(self._recolour)
        self._recolour()

    def _recolour(self) -> None:
        self.icon.setPixmap(icon(self._icon_name, "muted").pixmap(ICON_SIZE, ICON_SIZE))
