"""F1 and "?": the page explained in a paragraph, and the shortcuts."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QLabel, QVBoxLayout, QWidget

from app.theme import GRID, mono_font
from app.widgets.column_area import ColumnArea

TEXT_WIDTH = 68 * GRID
TITLE_BAR = 4 * GRID


class HelpDialog(QDialog):
    """Beside the window, never in the way of a run."""

    def __init__(self, title: str, text: str, shortcuts: list[tuple[str, str]], parent: QWidget) -> None:
        super().__init__(parent, objectName="help", windowTitle=f"Help: {title}")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        heading = QLabel(title)
        heading.setProperty("role", "heading")
        content = QWidget()
        column = QVBoxLayout(content, spacing=GRID)
        column.setContentsMargins(3 * GRID, 2 * GRID, 3 * GRID, GRID)
        column.addWidget(heading)
        words = QLabel(text, wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        words.setMinimumWidth(TEXT_WIDTH)
        column.addWidget(words)
        column.addSpacing(GRID)
        keys_heading = QLabel("Keys")
        keys_heading.setProperty("role", "heading")
        column.addWidget(keys_heading)
        grid = QGridLayout(horizontalSpacing=2 * GRID, verticalSpacing=GRID // 2)
        rows = (len(shortcuts) + 1) // 2
        for number, (keys, what) in enumerate(shortcuts):
            half, row = divmod(number, rows)
            grid.addWidget(QLabel(keys, font=mono_font(small=True)), row, 2 * half)
            grid.addWidget(QLabel(what), row, 2 * half + 1)
            grid.setColumnStretch(2 * half + 1, 1)
        column.addLayout(grid)
        area = ColumnArea(content, "help_scroll", f"Help: {title}")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.button(QDialogButtonBox.StandardButton.Close).setIcon(QIcon())  # the style's own ignores the theme
        buttons.rejected.connect(self.reject)
        buttons.setFocus()
        foot = QVBoxLayout()
        foot.setContentsMargins(3 * GRID, GRID, 3 * GRID, 2 * GRID)
        foot.addWidget(buttons)
        whole = QVBoxLayout(self, spacing=0)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(area)
        whole.addLayout(foot)
        width = area.minimumSizeHint().width()
        height = column.totalHeightForWidth(width) + foot.sizeHint().height() + 2
        self.resize(QSize(width, height).boundedTo(self.screen().availableSize() - QSize(0, TITLE_BAR)))
