"""A heading over a group of widgets that folds away."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from app.theme import GRID, body_font, icon


class FoldedSection(QWidget):
    """Put widgets into `body` by `set_content`; `folded_changed(folded)` lets the caller remember its state."""

    folded_changed = Signal(bool)

    def __init__(self, title: str, parent: QWidget | None = None, *, folded: bool = True, **properties: Any) -> None:
        super().__init__(parent, **({"accessibleName": title} | properties))
        self.button = QToolButton(text=title, checkable=True, checked=not folded, accessibleName=title)
        self.button.setObjectName(f"{self.objectName()}_fold")
        self.button.setProperty("kind", "section")
        self.button.setFont(body_font(bold=True))
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.body = QFrame()
        self._content = QVBoxLayout(self.body)
        self._content.setContentsMargins(0, GRID // 2, 0, GRID)
        layout = QVBoxLayout(self, spacing=0)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.button)
        layout.addWidget(self.body)
        self.button.toggled.connect(self._on_toggled)
        self._show(not folded)

    @property
    def folded(self) -> bool:
        return not self.button.isChecked()

    def set_folded(self, folded: bool) -> None:
        self.button.setChecked(not folded)

    def set_content(self, widget: QWidget) -> None:
        """Put `widget` below the heading, in place of what was there."""
        while (item := self._content.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.deleteLater()
        self._content.addWidget(widget)

    def _on_toggled(self, shown: bool) -> None:
        self._show(shown)
        self.folded_changed.emit(not shown)

    def _show(self, shown: bool) -> None:
        self.body.setVisible(shown)
        self.button.setIcon(icon("chevron-down" if shown else "chevron-right", "muted"))
        self.button.setAccessibleDescription("unfolded" if shown else "folded")
