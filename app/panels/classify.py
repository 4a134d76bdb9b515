"""Classify: a text, or a pair of them, and the bars of its labels while one types."""

from typing import ClassVar

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QLabel, QScrollArea, QVBoxLayout, QWidget

from app.bidirectional import isolated
from app.panels.use_panel import UsePanel, row
from app.theme import GRID
from app.widgets.bars import ProbabilityBars
from app.widgets.section import FoldedSection
from app.widgets.token_strip import TokenStrip
from tfmcore import units
from tfmcore.config import LANGUAGES, SOURCES, SavedModel
from tfmcore.messages import AnyReply, Arrays, Classified, Classify

PAUSE_MS = 150
FEW_LABELS = 8
"""So many labels keep their places while one types; more are sorted."""


def label_name(model: SavedModel, label: str) -> str:
    """ "hu" → "Hungarian" where the labels are languages."""
    return LANGUAGES.get(label, label) if "languages" in SOURCES[model.data.source].options else label


class ClassifyPanel(UsePanel):
    """Asks a moment after each change; a newer text takes the older one's place."""

    verb: ClassVar[str] = "classify"

    def lay_out(self, left: QVBoxLayout, right: QVBoxLayout) -> None:
        self.text = self.editor("text", "Type a text; its labels follow while you type", 6)
        self.text.setAccessibleName("Text")
        self.pair = self.editor("pair", "The second text of the pair", 4)
        self.pair.setAccessibleName("Second text")
        self.second = FoldedSection("Second text", objectName="second_text")
        self.second.set_content(self.pair)
        self._best = QLabel(objectName="best_label", textFormat=Qt.TextFormat.PlainText)
        self._best.setProperty("role", "muted")
        self.bars = ProbabilityBars(objectName="label_bars", accessibleName="Labels")
        self.strip = TokenStrip(objectName="classified_tokens", accessibleName="Tokens as the model sees them")
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        for widget in (self.heading("Text"), self.text, self.second):
            left.addWidget(widget)
        self.add_words(left)
        line = row(self.heading("Label"), self._best)
        line.addWidget(self.inspect)
        right.addLayout(line)
        right.addWidget(self._scrolling(self.bars, "label_scroll"), 3)
        right.addWidget(self.heading("As the model sees it"))
        right.addWidget(self._scrolling(self.strip, "classified_scroll"), 1)
        self._pause.timeout.connect(self.act)
        for field in (self.text, self.pair):
            field.textChanged.connect(self._ask_when_seen)
        self.dim_after_change(self.text, self.pair)
        self.say_exports(self.bars.exporter)
        self.say_exports(self.strip.exporter)

    def _scrolling(self, widget: QWidget, name: str) -> QScrollArea:
        holder = QWidget()
        inside = QVBoxLayout(holder, spacing=0)
        inside.setContentsMargins(0, 0, GRID, 0)
        inside.addWidget(widget)
        inside.addStretch(1)
        area = QScrollArea(focusPolicy=Qt.FocusPolicy.NoFocus, widgetResizable=True, objectName=name)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(holder)
        return area

    def show_model(self, model: SavedModel) -> None:
        super().show_model(model)
        self._model = model
        self._show_nothing()
        self.text.setPlainText(self.remembered("text", self.examples.first))
        self.pair.setPlainText(self.remembered("pair", ""))
        self.second.set_folded(not (model.second or self.pair.toPlainText()))
        self._ask_when_seen()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._ask_when_seen()

    def _ask_when_seen(self) -> None:
        """A panel behind another page keeps the engine free for that."""
        if self.isVisible():
            self._pause.start()

    def show_text(self, text: str) -> None:
        self.text.setPlainText(text)

    def act(self) -> None:
        self._pause.stop()
        text, pair = self.text.toPlainText(), self.pair.toPlainText()
        if not text.strip():
            self.question.forget()
            self._show_nothing()
            return
        self.remember("text", text)
        self.remember("pair", pair)
        self.ask(Classify, text=text, pair=pair)

    def _show_nothing(self) -> None:
        self.forget_answer()
        self._best.setText("Type a text, or try one of the examples.")
        self.bars.set_bars([])
        self.strip.clear()
        self.show_notice("")
        self.show_refusal("")

    def take_reply(self, reply: AnyReply, arrays: Arrays) -> None:
        if not isinstance(reply, Classified):
            return
        found = list(zip(reply.labels, reply.probabilities, strict=True))
        if len(found) <= FEW_LABELS:
            found.sort(key=lambda share: self._model.labels.index(share[0]))
        shares = [(label_name(self._model, label), probability) for label, probability in found]
        best = max(range(len(shares)), key=lambda index: shares[index][1])
        self.bars.set_bars(shares, best)
        self._best.setText(f"{isolated(shares[best][0])}, {units.percent(shares[best][1])}")
        self.strip.set_tokens(reply.tokens)
