"""A template on Home: what one will see, how long it takes here, and one click to train it."""

from math import isfinite

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QVBoxLayout

from app.theme import GRID, icon
from app.widgets.combo import ElidedCombo
from tfmcore import units
from tfmcore.config import LANGUAGES, Preset
from tfmcore.config.estimate import likely_cost

SEE_LINES = 3
"""Room for so many lines of text, so that the cards are of one height."""


class TemplateCard(QFrame):
    """`wanted` carries the preset's name and its overrides (the chosen language, if there is a choice)."""

    wanted = Signal(str, list)
    opened = Signal(str, list)

    def __init__(self, preset: Preset) -> None:
        super().__init__(objectName=f"card_{preset.name}")
        assert preset.card is not None
        self._preset, card = preset, preset.card
        self._config = preset.config()
        self.setProperty("kind", "card")
        glyph = QToolButton(
            objectName=f"glyph_{preset.name}",
            icon=icon(card.icon, "accent"),
            iconSize=QSize(24, 24),
            focusPolicy=Qt.FocusPolicy.NoFocus,
        )
        glyph.setProperty("kind", "glyph")
        glyph.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        title = QLabel(card.title)
        title.setProperty("role", "heading")
        see = QLabel(card.see, wordWrap=True, alignment=Qt.AlignmentFlag.AlignTop)
        see.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        see.setMinimumHeight(SEE_LINES * see.fontMetrics().lineSpacing())
        self._facts = QLabel(objectName=f"facts_{preset.name}")
        self._facts.setProperty("role", "small")
        self._choice = ElidedCombo(objectName=f"choice_{preset.name}", accessibleName=f"Language for {card.title}")
        for code, name in sorted(LANGUAGES.items(), key=lambda item: item[1]):
            self._choice.addItem(name, code)
        if card.choose:
            section, name = card.choose.split(".")
            self._choice.setCurrentIndex(self._choice.findData(getattr(getattr(self._config, section), name)))
        else:
            self._choice.hide()
        self._train = QPushButton("Train", objectName=f"action_train_{preset.name}", icon=icon("play", "on_accent"))
        self._train.setProperty("kind", "primary")
        self._look = QPushButton(
            "Open", objectName=f"action_open_{preset.name}", toolTip="Show its design before training"
        )
        self._look.setProperty("kind", "quiet")
        for button in (self._train, self._look):
            button.setAccessibleName(f"{button.text()}: {card.title}")
        head = QHBoxLayout(spacing=GRID)
        head.addWidget(glyph)
        head.addWidget(title, 1)
        foot = QHBoxLayout(spacing=GRID)
        foot.addWidget(self._choice, 1)
        foot.addStretch(0 if card.choose else 1)
        foot.addWidget(self._look)
        foot.addWidget(self._train)
        column = QVBoxLayout(self, spacing=GRID)
        column.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        column.addLayout(head)
        column.addWidget(see, 1)
        column.addWidget(self._facts)
        column.addLayout(foot)
        self._train.clicked.connect(lambda: self.wanted.emit(preset.name, self.overrides()))
        self._look.clicked.connect(lambda: self.opened.emit(preset.name, self.overrides()))
        self.show_time(None)

    def overrides(self) -> list[str]:
        assert self._preset.card is not None
        choose = self._preset.card.choose
        return [f'{choose}="{self._choice.currentData()}"'] if choose else []

    def show_time(self, seconds: float | None) -> None:
        """Say how long it takes on this machine; None, or not-a-number, while that is not known."""
        parameters = likely_cost(self._config).total
        kind = self._config.model.architecture.replace("_", "-")
        time = "not timed on this machine yet"
        if seconds is not None and isfinite(seconds):
            time = f"about {units.duration(seconds)} on this machine"
        self._facts.setText(f"{kind} · {units.count(parameters)} parameters\n{time}")
