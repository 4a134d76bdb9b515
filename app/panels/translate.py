"""Translate: a text, the best ways that the model found to write it in the other language, and what it looked at."""

from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QLabel, QPushButton, QTableWidget, QTableWidgetItem, QVBoxLayout

from app import units
from app.panels.use_panel import UsePanel, row
from app.theme import GRID, icon, mono_font
from app.widgets.heat_map import HeatMap
from app.widgets.knobs import Knobs, Number, Slider
from app.widgets.token_strip import TokenStrip
from tfmcore.config import LANGUAGES, SavedModel
from tfmcore.messages import AnyReply, Arrays, Hypothesis, Translate, Translated

ROW, MOST_ROWS = 26, 6

WORDS = {
    "copy": ("String", "Copy", "Copy"),
    "reverse": ("String", "Reversed", "Reverse"),
    "sort": ("String", "Sorted", "Sort"),
    "modular_addition": ("Sum", "Result", "Add"),
}


def words(model: SavedModel) -> tuple[str, str, str]:
    """What the source and the target are called, and what the model does."""
    if model.data.source == "cldr_translation":
        languages = (LANGUAGES[model.data.source_language], LANGUAGES[model.data.target_language])
        return (*languages, "Translate")
    return WORDS.get(model.data.source, ("Source", "Target", "Translate"))


class TranslatePanel(UsePanel):
    """Return translates; a click on a hypothesis shows its tokens."""

    verb: ClassVar[str] = "translate"

    def lay_out(self, left: QVBoxLayout, right: QVBoxLayout) -> None:
        self._source_heading, self._target_heading = self.heading("Source"), self.heading("Target")
        self.text = self.editor("text", "Return translates, Shift+Return is a new line", 4)
        self.text.setAccessibleName("Source text")
        self.act_on_return(self.text)
        self._go = QPushButton("Translate", objectName="action_translate", icon=icon("play", "on_accent"))
        self._go.setProperty("kind", "primary")
        self._go.setToolTip("Return or Ctrl+Return")
        self._halt = QPushButton("Stop", objectName="action_stop_translate", icon=icon("stop"), toolTip="Ctrl+.")
        self.knobs = self._knobs()
        self._seconds = QLabel(objectName="translate_seconds")
        self._seconds.setProperty("role", "muted")
        self.strip = TokenStrip(objectName="hypothesis_tokens", accessibleName="Tokens of the chosen hypothesis")
        self.map = HeatMap(name="alignment", objectName="alignment", accessibleName="Alignment by cross-attention")
        self._inspect = QPushButton(
            "Inspect this", objectName="action_inspect_translation", icon=icon("magnify", "muted")
        )
        self._inspect.setProperty("kind", "quiet")
        self._hypotheses: list[Hypothesis] = []
        self._asked = ""
        self.table = self._table()
        left.addWidget(self._source_heading)
        left.addWidget(self.text)
        left.addLayout(row(self._go, self._halt))
        self.add_words(left)
        left.addWidget(self.knobs)
        self._lay_out_right(right)
        self._go.clicked.connect(self.act)
        self._halt.clicked.connect(self.stop)
        self.table.currentCellChanged.connect(lambda row, *_: self._show_hypothesis(row))
        self._inspect.clicked.connect(self._on_inspect_clicked)
        for widget in (self.strip, self.map):
            self.say_exports(widget.exporter)

    def _lay_out_right(self, right: QVBoxLayout) -> None:
        about = QLabel("of the best one: where each token looked, the mean of all cross-attention", wordWrap=True)
        about.setProperty("role", "muted")
        right.addLayout(row(self._target_heading, self._seconds))
        right.addWidget(self.table)
        right.addWidget(self.strip)
        right.addSpacing(GRID)
        line = row(self.heading("Alignment"), stretch=False)
        line.addWidget(about, 1)
        line.addWidget(self._inspect)
        line.addWidget(self.map.exporter.button(object_name="export_alignment"))
        right.addLayout(line)
        right.addWidget(self.map, 1)

    def _knobs(self) -> Knobs:
        knobs = Knobs("translate")
        knobs.add(
            "beams",
            "Beams",
            "How many hypotheses are followed at once; 1 takes the likeliest token each time (greedy)",
            Number(1, 64),
        )
        knobs.add(
            "length_penalty",
            "Length penalty",
            "Scores are divided by length to this power: 0 favours short texts, larger values long ones",
            Slider(0.0, 5.0),
        )
        for name, knob in knobs.knobs.items():
            default = 4 if name == "beams" else Translate.model_fields[name].default
            knob.setValue(self._session.settings.get(f"use.translate.{name}", default))
        return knobs

    def _table(self) -> QTableWidget:
        table = QTableWidget(0, 2, objectName="hypotheses", accessibleName="Hypotheses", showGrid=False)
        table.setHorizontalHeaderLabels(["Score", "Text"])
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(ROW)
        table.horizontalHeader().setStretchLastSection(True)
        table.horizontalHeader().setHighlightSections(False)
        table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        table.horizontalHeaderItem(0).setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        table.setStyleSheet(f"QTableWidget::item {{ padding: 0 {GRID}px; }}")
        table.setColumnWidth(0, 10 * GRID)
        table.setToolTip("Score: summed log-probabilities ÷ length ** length penalty")
        return table

    def show_model(self, model: SavedModel) -> None:
        super().show_model(model)
        source, target, verb = words(model)
        self._source_heading.setText(source)
        self._target_heading.setText(target)
        self._go.setText(verb)
        self.text.setPlainText(self.remembered("text", self.examples.first))
        self._show_hypotheses([])
        self.map.clear()

    def show_text(self, text: str) -> None:
        self.text.setPlainText(text)
        self.act()

    def act(self) -> None:
        text = self.text.toPlainText()
        if not text.strip():
            self.show_refusal("Type a text first.")
            return
        self.remember("text", text)
        for name, value in self.knobs.values().items():
            self._session.settings.set(f"use.translate.{name}", value)
        self.question.ask(Translate, text=text, **self.knobs.values())
        self._asked = text

    # ── showing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def take_busy(self, busy: bool) -> None:
        self._halt.setVisible(busy)

    def take_reply(self, reply: AnyReply, arrays: Arrays) -> None:
        if isinstance(reply, Translated):
            self._show_hypotheses(reply.hypotheses)
            self._seconds.setText(units.duration(reply.seconds))
            self.map.set_matrix(arrays["alignment"], reply.hypotheses[0].tokens, reply.source_tokens)

    def _show_hypotheses(self, hypotheses: list[Hypothesis]) -> None:
        self._hypotheses = hypotheses
        self._inspect.setEnabled(bool(hypotheses))
        self._seconds.setText("")
        self.strip.clear()
        self.table.setRowCount(len(hypotheses))
        for number, hypothesis in enumerate(hypotheses):
            score = QTableWidgetItem(units.number(hypothesis.score, 3))
            score.setFont(mono_font())
            score.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            text = QTableWidgetItem(hypothesis.text)
            text.setToolTip(hypothesis.text)
            self.table.setItem(number, 0, score)
            self.table.setItem(number, 1, text)
        shown = min(max(len(hypotheses), 1), MOST_ROWS)
        self.table.setFixedHeight(self.table.horizontalHeader().sizeHint().height() + shown * ROW + 2)
        if hypotheses:
            self.table.setCurrentCell(0, 1)
            self._show_hypothesis(0)

    def _show_hypothesis(self, number: int) -> None:
        if 0 <= number < len(self._hypotheses):
            chosen = self._hypotheses[number]
            self.strip.set_tokens(chosen.tokens, chosen.probabilities)

    def _on_inspect_clicked(self) -> None:
        chosen = self._hypotheses[max(self.table.currentRow(), 0)]
        self._session.pin(self._asked, chosen.text)
        self._session.show_page("inspect")
