"""A few small options, a line each: a slider with its value, a number, a word, a choice; the wheel goes past them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from PySide6.QtCore import QRegularExpression, Qt, Signal
from PySide6.QtGui import QRegularExpressionValidator, QWheelEvent
from PySide6.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.theme import GRID, mono_font
from app.widgets.combo import ElidedCombo
from app.widgets.section import FoldedSection

LABEL = 15 * GRID
"""Least width of a label, so that the knobs stand in one line."""


class Track(QSlider):
    """As the one of Qt, but the wheel scrolls the page."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class Slider(QWidget):
    """A number on a slider in steps of a twentieth, its value beside it."""

    STEPS = 20
    valueChanged = Signal(float)

    def __init__(self, low: float, high: float, *, zero: str = "", **properties: Any) -> None:
        super().__init__(**properties)
        self._zero = zero
        self.setMinimumHeight(3 * GRID)
        self._slider = Track(
            Qt.Orientation.Horizontal, minimum=round(low * self.STEPS), maximum=round(high * self.STEPS), pageStep=4
        )
        self._label = QLabel(font=mono_font(), alignment=Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._label.setFixedWidth(6 * GRID)
        row = QHBoxLayout(self, spacing=GRID)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._slider, 1)
        row.addWidget(self._label)
        self.setFocusProxy(self._slider)
        self._slider.valueChanged.connect(self._on_value_changed)
        self._show()

    def value(self) -> float:
        return self._slider.value() / self.STEPS

    def setValue(self, value: float) -> None:
        self._slider.setValue(round(value * self.STEPS))
        self._show()

    def _on_value_changed(self) -> None:
        self._show()
        self.valueChanged.emit(self.value())

    def _show(self) -> None:
        self._slider.setAccessibleName(self.accessibleName())
        self._label.setText(self._zero if self._zero and not self.value() else f"{self.value():.2f}")
        self._slider.setAccessibleDescription(self._label.text())  # its own value counts the steps


class Number(QSpinBox):
    """A whole number; `zero` says what 0 means."""

    def __init__(self, low: int, high: int, *, zero: str = "", step: int = 1, **properties: Any) -> None:
        super().__init__(minimum=low, maximum=high, singleStep=step, specialValueText=zero, **properties)
        self.setGroupSeparatorShown(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.lineEdit().setTextMargins(GRID - 2, 0, 0, 0)  # a style sheet's padding does not reach it
        self.setFont(mono_font())
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class Word(QLineEdit):
    """A text, or with `pattern` only what fits it."""

    valueChanged = Signal(str)

    def __init__(self, *, pattern: str = "", **properties: Any) -> None:
        super().__init__(**properties)
        if pattern:
            self.setValidator(QRegularExpressionValidator(QRegularExpression(pattern), self))
        self.textChanged.connect(self.valueChanged)

    def value(self) -> str:
        return self.text()

    def setValue(self, value: str) -> None:
        self.setText(value)


class Choice(ElidedCombo):
    """One of a few words."""

    valueChanged = Signal(str)

    def __init__(self, *words: str, **properties: Any) -> None:
        super().__init__(**properties)
        self.addItems(words)
        self.currentTextChanged.connect(self.valueChanged)

    def value(self) -> str:
        return self.currentText()

    def setValue(self, value: str) -> None:
        self.setCurrentText(value)


Knob = Slider | Number | Word | Choice


class Knobs(QWidget):
    """Lines of label and knob, some of them folded away under `more`; `changed` when the user turns one."""

    changed = Signal()

    def __init__(self, prefix: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._prefix = prefix
        self.knobs: dict[str, Knob] = {}
        self._labels: dict[str, QLabel] = {}
        self._first, self._rest = _form(), _form()
        self.more = FoldedSection("More options", objectName=f"more_{prefix}")
        folded = QWidget()
        folded.setLayout(self._rest)
        self.more.set_content(folded)
        self.more.hide()
        column = QVBoxLayout(self, spacing=GRID // 2)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._first)
        column.addWidget(self.more)

    def add(self, name: str, title: str, tip: str, knob: Knob, *, folded: bool = False) -> None:
        knob.setObjectName(f"field_{self._prefix}_{name}")
        knob.setAccessibleName(title)
        label = QLabel(title)
        label.setMinimumWidth(LABEL)
        label.setBuddy(knob)
        for widget in (label, knob):
            widget.setToolTip(tip)
        (self._rest if folded else self._first).addRow(label, knob)
        if folded:
            self.more.show()
        self.knobs[name], self._labels[name] = knob, label
        knob.valueChanged.connect(self.changed)

    def set_effective(self, names: Iterable[str], effective: bool) -> None:
        """Grey out what has no effect beside the others."""
        for name in names:
            self.knobs[name].setEnabled(effective)
            self._labels[name].setEnabled(effective)

    def values(self) -> dict[str, Any]:
        return {name: knob.value() for name, knob in self.knobs.items()}


def _form() -> QFormLayout:
    form = QFormLayout(horizontalSpacing=GRID, verticalSpacing=GRID // 2, labelAlignment=Qt.AlignmentFlag.AlignLeft)
    form.setContentsMargins(0, 0, 0, 0)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return form
