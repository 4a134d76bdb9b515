"""Tag: a text, and what the model marks in it while one types: names, dates, prices, or whatever it learned."""

from collections import Counter
from typing import ClassVar

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QLabel, QScrollArea, QVBoxLayout, QWidget

from app.bidirectional import isolated
from app.panels.use_panel import UsePanel, row
from app.theme import GRID
from app.widgets.flow import Flow
from app.widgets.marked_text import Mark, MarkedText
from app.widgets.swatch import Swatch
from app.widgets.token_strip import TokenStrip
from tfmcore import units
from tfmcore.config import SavedModel
from tfmcore.config.labels import names_of
from tfmcore.messages import AnyReply, Arrays, Tag, Tagged

PAUSE_MS = 150


class TagPanel(UsePanel):
    """Asks a moment after each change; a newer text takes the older one's place."""

    verb: ClassVar[str] = "tag"

    def lay_out(self, left: QVBoxLayout, right: QVBoxLayout) -> None:
        self.text = self.editor("text", "Type a text; it is tagged while you type", 10)
        self.text.setAccessibleName("Text")
        self._found = QLabel(objectName="tagged_count", textFormat=Qt.TextFormat.PlainText)
        self._found.setProperty("role", "muted")
        self._legend = Flow(spacing=GRID)
        self.swatches: dict[str, Swatch] = {}
        self.tagged = MarkedText(name="tagged", objectName="tagged_text", accessibleName="Tagged text")
        self.strip = TokenStrip(objectName="tagged_tokens", accessibleName="Tokens as the model sees them")
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        left.addWidget(self.heading("Text"))
        left.addWidget(self.text)
        self.add_words(left)
        legend = QWidget(objectName="tag_legend")
        legend.setLayout(self._legend)
        line = row(self.heading("Tagged"), self._found)
        line.addWidget(self.inspect)
        line.addWidget(self.tagged.exporter.button(object_name="export_tagged"))
        right.addLayout(line)
        right.addWidget(legend)
        right.addWidget(self.tagged, 3)
        right.addWidget(self.heading("As the model sees it"))
        right.addWidget(self._scrolling_strip(), 1)
        self._pause.timeout.connect(self.act)
        self.text.textChanged.connect(self._ask_when_seen)
        self.dim_after_change(self.text)
        for exporter in (self.tagged.exporter, self.strip.exporter):
            self.say_exports(exporter)

    def _scrolling_strip(self) -> QScrollArea:
        area = QScrollArea(focusPolicy=Qt.FocusPolicy.NoFocus, widgetResizable=True, objectName="tagged_scroll")
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(self.strip)
        return area

    def show_model(self, model: SavedModel) -> None:
        super().show_model(model)
        self._show_legend(names_of(model.labels))
        self._show_nothing()
        self.text.setPlainText(self.remembered("text", self.examples.first))
        self._ask_when_seen()

    def _show_legend(self, kinds: list[str]) -> None:
        while item := self._legend.takeAt(0):
            if widget := item.widget():
                widget.deleteLater()
        self.swatches = {}
        for kind in kinds:
            self._add_swatch(kind)

    def _add_swatch(self, kind: str) -> Swatch:
        swatch = Swatch(kind, len(self.swatches), objectName=f"tag_{kind}")
        self.swatches[kind] = swatch
        self._legend.addWidget(swatch)
        return swatch

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
        text = self.text.toPlainText()
        if not text.strip():
            self.question.forget()
            self._show_nothing()
            return
        self.remember("text", text)
        self.ask(Tag, text=text)

    def _show_nothing(self) -> None:
        self.forget_answer()
        self._found.setText("Type a text, or try one of the examples.")
        self.tagged.set_text("")
        self.strip.clear()
        self.show_notice("")
        self.show_refusal("")
        self._show_counts([])

    def take_reply(self, reply: AnyReply, arrays: Arrays) -> None:
        if isinstance(reply, Tagged):
            labels = [span.label for span in reply.spans]
            self._show_counts(labels)
            self.tagged.set_text(reply.text, [self._mark(reply, number) for number in range(len(reply.spans))])
            self._found.setText(units.count(len(labels), "span" if len(labels) == 1 else "spans"))
            self.strip.set_tokens(reply.tokens)

    def _show_counts(self, labels: list[str]) -> None:
        counts = Counter(labels)
        for label in labels:
            if label not in self.swatches:
                self._add_swatch(label)
        for kind, swatch in self.swatches.items():
            swatch.set_count(counts[kind])

    def _mark(self, reply: Tagged, number: int) -> Mark:
        span = reply.spans[number]
        share = units.percent(span.probability)
        tip = f"“{isolated(reply.text[span.start : span.end])}”: {isolated(span.label)}, {share}"
        return Mark(span.start, span.end, f"{isolated(span.label)} {share}", self.swatches[span.label].colour, tip)
