"""Choosing a preset: a button that says which one it is, and a list by family that is searched while one types."""

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPoint, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
)

from app import preset_list
from app.background import in_background
from app.preset_list import PresetFigures
from app.theme import GRID, body_font, icon, mono_font, theme
from tfmcore import units
from tfmcore.config import Preset, presets

NAME = Qt.ItemDataRole.UserRole
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
WIDTH, HEIGHT = 76 * GRID, 60 * GRID
KEYS = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)


class PresetChooser(QPushButton):
    """`chosen(name)`. The list opens beneath the button; Return takes the marked preset, Escape closes it."""

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__(objectName="field_model_preset", icon=icon("chevron-down", "muted"), accessibleName="Preset")
        self.setLayoutDirection(Qt.LayoutDirection.RightToLeft)  # puts the arrow behind the text
        self.setStyleSheet("text-align: right;")
        self.setMinimumWidth(26 * GRID)
        self.list = PresetList(self)
        self.list.chosen.connect(self.chosen)
        self.clicked.connect(self._open)
        self.show_preset("")

    def show_preset(self, name: str) -> None:
        preset = presets().get(name)
        self.setText(preset.title if preset else "Start from a preset…")
        self.setAccessibleName(f"Preset: {preset.title}" if preset else "Preset")
        self.list.current = name

    def _open(self) -> None:
        self.list.open_at(self.mapToGlobal(QPoint(0, self.height() + 2)))


class PresetTree(QTreeWidget):
    """The keys pass over its headings."""

    def moveCursor(self, action: QAbstractItemView.CursorAction, modifiers: Qt.KeyboardModifier) -> QModelIndex:
        moves = QAbstractItemView.CursorAction
        found = super().moveCursor(action, modifiers)
        beside = self.indexAbove if action in (moves.MoveUp, moves.MovePageUp) else self.indexBelow
        while found.isValid() and not found.flags() & Qt.ItemFlag.ItemIsSelectable:
            found = beside(found)
        return found if found.isValid() else self.currentIndex()


class PresetList(QFrame):
    """A heading for each family, and under it its presets with their parameters and the memory to train them."""

    chosen = Signal(str)

    def __init__(self, button: PresetChooser) -> None:
        super().__init__(button, Qt.WindowType.Popup, objectName="preset_list")
        self.setProperty("kind", "card")
        self.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
        self.current = ""
        self.items: dict[str, QTreeWidgetItem] = {}
        self.headings: dict[str, QTreeWidgetItem] = {}
        self.search = QLineEdit(objectName="field_preset_search", placeholderText="Search: bert, decoder, rotary …")
        self.search.setAccessibleName("Search the presets")
        self.tree = PresetTree(objectName="presets", accessibleName="Presets", rootIsDecorated=False, indentation=0)
        self._lay_out()
        self._fill()
        self.search.installEventFilter(self)
        self.search.textChanged.connect(self._filter)
        self.search.returnPressed.connect(lambda: self._choose(self.tree.currentItem()))
        self.tree.itemActivated.connect(self._choose)
        self.tree.itemClicked.connect(self._choose)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self, spacing=GRID)
        column.setContentsMargins(GRID, GRID, GRID, GRID)
        column.addWidget(self.search)
        column.addWidget(self.tree, 1)
        self.tree.setHeaderLabels(["Preset", "Parameters", "Memory to train"])
        self.tree.setUniformRowHeights(True)
        header = self.tree.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for number, width in ((1, 12 * GRID), (2, 22 * GRID)):
            header.resizeSection(number, width)
            self.tree.headerItem().setTextAlignment(number, RIGHT)
        self.resize(WIDTH, HEIGHT)

    def _fill(self) -> None:
        for family, members in preset_list.families().items():
            if members:
                heading = QTreeWidgetItem(self.tree, [family])
                heading.setFlags(Qt.ItemFlag.ItemIsEnabled)
                heading.setFirstColumnSpanned(True)
                heading.setFont(0, body_font(bold=True))
                for preset in members:
                    self._add(heading, preset)
        self.tree.expandAll()

    def _add(self, heading: QTreeWidgetItem, preset: Preset) -> None:
        item = QTreeWidgetItem(heading, [f"    {preset.title}"])
        item.setData(0, NAME, preset.name)
        for column in range(3):
            item.setToolTip(column, preset.why)
        self.items[preset.name], self.headings[preset.name] = item, heading

    # ── opening, searching, choosing ─────────────────────────────────────────────────────────────────────────────────

    def open_at(self, place: QPoint) -> None:
        """Show the whole list with the current preset marked; what each costs follows."""
        in_background(self, preset_list.figures, self._show_figures, lambda error: self.setToolTip(str(error)))
        self.search.clear()
        self._filter("")
        if item := self.items.get(self.current):
            self.tree.setCurrentItem(item)
            self.tree.scrollToItem(item, QTreeWidget.ScrollHint.PositionAtCenter)
        self.move(place)
        self.show()
        self.search.setFocus(Qt.FocusReason.PopupFocusReason)

    def _show_figures(self, found: dict[str, PresetFigures]) -> None:
        for name, item in self.items.items():
            figures = found[name]
            reading = "for reading, " if figures.reading else ""
            item.setText(1, units.count(figures.parameters))
            item.setText(2, f"{reading}{units.size(figures.memory)}")
            for column in (1, 2):
                item.setFont(column, mono_font(small=True))
                item.setTextAlignment(column, RIGHT)
                colour = theme().warning if figures.reading and column == 2 else theme().muted
                item.setForeground(column, QColor(colour))

    def _filter(self, wanted: str) -> None:
        """Hide what does not match, and the families of which nothing is left; mark the first."""
        known, found = presets(), list[QTreeWidgetItem]()
        for heading in self.headings.values():
            heading.setHidden(True)
        for name, item in self.items.items():
            fits = preset_list.matches(known[name], wanted)
            item.setHidden(not fits)
            if fits:
                self.headings[name].setHidden(False)
                found.append(item)
        if found:
            self.tree.setCurrentItem(found[0])
        else:
            self.tree.clearSelection()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The arrow keys move in the list while one types."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and event.key() in KEYS:
            self.tree.keyPressEvent(event)
            return True
        return super().eventFilter(watched, event)

    def _choose(self, item: QTreeWidgetItem | None) -> None:
        if item and not item.isHidden() and (name := item.data(0, NAME)):
            self.hide()
            self.chosen.emit(name)
