"""The line beneath the header while a model is imported or exported: what is done, how far it is, and Cancel."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QWidget

from app.session import Session
from app.theme import GRID, mix, theme


class ExchangeBar(QWidget):
    """Hidden while nothing is under way."""

    def __init__(self, session: Session) -> None:
        super().__init__(objectName="exchange_bar", accessibleName="Import or export")
        self._exchange = session.exchange
        self._words = QLabel(objectName="exchange_words", textFormat=Qt.TextFormat.PlainText)
        self._progress = QProgressBar(objectName="exchange_progress", textVisible=False)
        self._progress.setFixedSize(30 * GRID, 6)
        cancel = QPushButton("Cancel", objectName="action_cancel_exchange")
        row = QHBoxLayout(self, spacing=GRID)
        row.setContentsMargins(2 * GRID, GRID // 2, GRID, GRID // 2)
        row.addWidget(self._words)
        row.addWidget(self._progress)
        row.addWidget(cancel)
        row.addStretch(1)
        cancel.clicked.connect(self._exchange.cancel)
        self._exchange.changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        running, progress = self._exchange.running, self._exchange.progress
        self.setVisible(bool(running))
        phase = f": {progress.phase[:1].lower()}{progress.phase[1:]}" if progress else ""
        count = f", {progress.done:,} of {progress.total:,}" if progress and progress.total else ""
        self._words.setText(f"{running}{phase}{count}")
        self._progress.setRange(0, progress.total if progress else 0)
        self._progress.setValue(progress.done if progress else 0)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), mix(theme().background, theme().training, 0.1))
        painter.fillRect(0, 0, 3, self.height(), QColor(theme().training))
        painter.end()
