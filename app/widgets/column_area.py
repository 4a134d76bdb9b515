"""A column that scrolls up and down, and is never narrower than what stands in it."""

from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtWidgets import QScrollArea, QWidget


class ColumnArea(QScrollArea):
    """Holds `content`, however wide fonts and translations make it. Its fields pass it the keys that scroll; where it
    has none, it needs a `title` for Tab to stop at."""

    def __init__(self, content: QWidget, name: str, title: str = "") -> None:
        super().__init__(objectName=name, widgetResizable=True, accessibleName=title)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if title else Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._content = content
        self.setWidget(content)

    def minimumSizeHint(self) -> QSize:
        hint = super().minimumSizeHint()
        bar = self.verticalScrollBar().sizeHint().width()
        return QSize(self._content.minimumSizeHint().width() + bar + 2 * self.frameWidth(), hint.height())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest and watched is self._content:
            self.updateGeometry()
        return super().eventFilter(watched, event)
