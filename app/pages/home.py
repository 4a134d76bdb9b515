"""Home: templates that train in a minute or two, the last runs, and the door to a model folder."""

from typing import ClassVar

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.model_actions import ask_for_folder
from app.panels.recent_runs import RecentRuns
from app.panels.template_card import TemplateCard
from app.session import Session
from app.theme import GRID, icon
from app.timings import Timings
from tfmcore.config import presets
from tfmcore.workspace import cache_folder

MEASURE_AFTER_MS = 1500
CARD_WIDTH = 340
CONTENT_WIDTH = 1240
MOST_COLUMNS = 3


class HomePage(QWidget):
    """One click on a card trains it; nothing else has to be chosen first."""

    help: ClassVar[str] = (
        "Each card is a small model that trains here in a minute or two on text that comes with the program. Train "
        "starts it and shows its curves; Open shows its design first. Below are your latest runs: click one to see it. "
        "Open a model folder… opens one with config.json, tokenizer.json and model.safetensors; Open Hugging Face "
        "folder… imports a model from there, as does dropping the folder on the window."
    )

    def __init__(self, session: Session) -> None:
        super().__init__(objectName="page_home")
        self._session = session
        templates = [preset for preset in presets().values() if preset.card]
        self._templates = sorted(templates, key=lambda preset: preset.card.order if preset.card else 0)
        self._cards = {preset.name: TemplateCard(preset) for preset in self._templates}
        self._recent = RecentRuns(session, self)
        self._lay_out()
        self._wire()

    def _lay_out(self) -> None:
        self._runs_heading = self._heading("Latest runs")
        self._open = QPushButton(
            "Open a model folder…", objectName="action_open_model_folder", icon=icon("folder-open-outline")
        )
        self._foreign = QPushButton(
            "Open Hugging Face folder…", objectName="action_open_hugging_face_folder", icon=icon("import")
        )
        self._own = QPushButton(
            "Train on your own text…", objectName="action_own_data", icon=icon("database-plus-outline")
        )
        self._grid = QGridLayout(horizontalSpacing=2 * GRID, verticalSpacing=2 * GRID)
        for card in self._cards.values():  # each has its place when the width is known
            self._grid.addWidget(card)
        middle = QWidget(maximumWidth=CONTENT_WIDTH)
        column = QVBoxLayout(middle, spacing=2 * GRID)
        column.setContentsMargins(3 * GRID, 2 * GRID, 3 * GRID, 2 * GRID)
        top = QHBoxLayout(spacing=GRID)
        top.addWidget(self._heading("Train a small transformer"))
        top.addStretch(1)
        top.addWidget(self._own)
        top.addWidget(self._open)
        top.addWidget(self._foreign)
        column.addLayout(top)
        column.addLayout(self._grid)
        column.addWidget(self._runs_heading)
        column.addWidget(self._recent)
        column.addStretch(1)
        content = QWidget()
        row = QHBoxLayout(content, spacing=0)
        row.setContentsMargins(0, 0, 0, 0)
        row.addStretch(1)
        row.addWidget(middle, 1000)
        row.addStretch(1)
        scroll = QScrollArea(focusPolicy=Qt.FocusPolicy.NoFocus, widgetResizable=True, objectName="home_scroll")
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(content)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(scroll)

    def _heading(self, text: str) -> QLabel:
        label = QLabel(text)
        label.setProperty("role", "heading")
        return label

    def _wire(self) -> None:
        session = self._session
        for card in self._cards.values():
            card.wanted.connect(session.start_preset)
            card.opened.connect(self._on_card_opened)
        self._recent.chosen.connect(self._on_run_chosen)
        self._open.clicked.connect(lambda: ask_for_folder(self, session, "Open a model folder"))
        self._foreign.clicked.connect(lambda: ask_for_folder(self, session, "Open a Hugging Face folder"))
        self._own.clicked.connect(lambda: session.show_page("data"))
        session.runs.changed.connect(self._on_runs_changed)
        self._timings = Timings(session.data_engine, cache_folder(), self._on_measured, self._is_idle, self)
        QTimer.singleShot(MEASURE_AFTER_MS, self, lambda: self._timings.ask(self._templates))
        self._on_runs_changed()

    def _is_idle(self) -> bool:
        return not any(facts.state.alive for facts in self._session.runs.facts)

    def resizeEvent(self, event: object) -> None:
        """As many cards in a row as the width holds."""
        columns = min(MOST_COLUMNS, max(1, (self.width() - 4 * GRID) // CARD_WIDTH))
        for number, card in enumerate(self._cards.values()):
            self._grid.addWidget(card, number // columns, number % columns)
        height = max(card.sizeHint().height() for card in self._cards.values())
        for row in range(self._grid.rowCount()):  # of which a narrower window may have had more
            self._grid.setRowMinimumHeight(row, height if row * columns < len(self._cards) else 0)
        for column in range(self._grid.columnCount()):
            self._grid.setColumnStretch(column, 1 if column < columns else 0)

    def _on_measured(self, name: str, seconds: float) -> None:
        self._cards[name].show_time(seconds)

    def _on_runs_changed(self) -> None:
        self._runs_heading.setVisible(bool(self._session.runs.facts))
        self._timings.go_on()

    def _on_card_opened(self, name: str, overrides: list[str]) -> None:
        self._session.draft.load_preset(name, overrides)
        self._session.show_page("model")

    def _on_run_chosen(self, run_id: str) -> None:
        self._session.choose_run(run_id)
        self._session.show_page("train")
