"""Which column of a file plays which role of the task: one choice for each role."""

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QFormLayout, QLabel, QWidget

from app.theme import GRID
from app.widgets.combo import ElidedCombo
from tfmcore.config.columns import JOINED, PLUS, columns_of

LABEL_WIDTH = 14 * GRID
NOTHING = "\0"
"""What the list holds for no column, where a role that is left alone takes one; in the value it is ""."""


class RolesEditor(QWidget):
    """The editor of a table role → column; a role that is left alone takes the column the engine guessed, and one that
    is optional may be told to take none."""

    edited = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._value: dict[str, str] = {}
        self._boxes: dict[str, QComboBox] = {}
        self._form = QFormLayout(self, horizontalSpacing=GRID // 2, verticalSpacing=GRID // 2)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._facts: tuple[Any, ...] = ()
        self.set_roles(("text",), (), (), {})

    @property
    def value(self) -> dict[str, str]:
        return dict(self._value)

    def set_value(self, value: Any) -> None:
        self._value = dict(value or {})
        self._show()

    def set_roles(
        self, roles: Sequence[str], optional: Sequence[str], columns: Sequence[str], guessed: Mapping[str, str]
    ) -> None:
        """The roles of the task, the columns of the file, and what the engine takes where nothing is chosen."""
        facts = (tuple(roles), tuple(optional), tuple(columns), dict(guessed))
        if facts == self._facts:
            return
        self._facts = facts
        if list(self._boxes) != [*roles, *optional]:
            while self._form.rowCount():
                self._form.removeRow(0)
            self._boxes = {role: self._box(role) for role in (*roles, *optional)}
            self.setFocusProxy(next(iter(self._boxes.values())))
        self._show()

    def _box(self, role: str) -> QComboBox:
        box = ElidedCombo(
            objectName=f"field_data_columns_{role}", accessibleName=f"Column of the {role.replace('_', ' ')}"
        )
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        box.setMinimumContentsLength(6)
        box.activated.connect(lambda _: self._on_chosen(role))
        label = QLabel(f"{role.replace('_', ' ').capitalize()} column", buddy=box)
        label.setFixedWidth(LABEL_WIDTH)
        label.setWordWrap(True)
        self._form.addRow(label, box)
        return box

    def _show(self) -> None:
        _, optional, columns, guessed = self._facts
        for role, box in self._boxes.items():
            chosen = self._value.get(role)
            box.clear()
            if role in guessed and chosen is None:
                box.addItem(f"automatic: {guessed[role]}", "")
            elif role not in optional:
                box.addItem("choose a column", "")
            else:
                box.addItem("none" if chosen is None else "automatic", "")
            if role in optional and box.itemText(0) != "none":
                box.addItem("none", NOTHING)
            for column in dict.fromkeys((*columns, *([chosen] if chosen else []), *self._further(role))):
                box.addItem(column, column)
            box.setCurrentIndex(max(box.findData(NOTHING if chosen == "" else chosen or ""), 0))

    def _further(self, role: str) -> list[str]:
        """A column more for a role that may have several, of those that no role has."""
        _, _, columns, guessed = self._facts
        now = self._value.get(role) or guessed.get(role)
        roles = guessed | self._value | ({role: now} if now else {})
        taken = {column for other, name in roles.items() for column in columns_of(other, name, columns)}
        return [f"{now}{PLUS}{column}" for column in columns if column not in taken] if now and role in JOINED else []

    def _on_chosen(self, role: str) -> None:
        self._value.pop(role, None)
        if column := self._boxes[role].currentData():
            self._value[role] = "" if column == NOTHING else column
        self.edited.emit(self.value)

    def set_derived(self, value: Any, words: str) -> None:
        """The guessed columns come with `set_roles`."""

    def flush(self) -> None:
        """Nothing waits to be said."""
