"""Translate: a text, the best ways that the model found to write it in the other language, and what it looked at."""

from collections.abc import Sequence
from typing import ClassVar

from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton, QVBoxLayout

from app.actions import named_keys
from app.panels.use_panel import UsePanel, row
from app.panels.writing_knobs import WritingKnobs
from app.theme import GRID, icon
from app.widgets.focus import show_instead
from app.widgets.heat_map import HeatMap
from app.widgets.ranking import Ranking
from app.widgets.token_strip import TokenStrip
from tfmcore import units
from tfmcore.config import LANGUAGES, SOURCES, SavedModel
from tfmcore.messages import AnyReply, Arrays, Hypothesis, Translate, Translated

BEAMS = 4
"""How many hypotheses are followed before one has said otherwise."""
WORDS = {
    "copy": ("String", "Copy", "Copy"),
    "reverse": ("String", "Reversed", "Reverse"),
    "sort": ("String", "Sorted", "Sort"),
    "modular_addition": ("Sum", "Result", "Add"),
    "span_corruption": ("Text with sentinels", "What was there", "Fill in"),
    "denoising": ("Damaged text", "Restored text", "Restore"),
}
"""By the source, else by the task."""


def words(model: SavedModel) -> tuple[str, str, str]:
    """What the source and the target are called, and what the model does."""
    if "source_language" in SOURCES[model.data.source].options:
        languages = (LANGUAGES[model.data.source_language], LANGUAGES[model.data.target_language])
        return (*languages, "Translate")
    return WORDS.get(model.data.source) or WORDS.get(model.task) or ("Source", "Target", "Translate")


class TranslatePanel(UsePanel):
    """Return translates; a click on a hypothesis shows its tokens."""

    verb: ClassVar[str] = "translate"

    def lay_out(self, left: QVBoxLayout, right: QVBoxLayout) -> None:
        self._source_heading, self._target_heading = self.heading("Source"), self.heading("Target")
        self.text = self.editor("text", "Return translates, Shift+Return is a new line", 4)
        self.text.setAccessibleName("Source text")
        self.act_on_return(self.text)
        self.prefix = QLineEdit(objectName="field_translate_prefix", placeholderText="none", maxLength=1000)
        self.prefix.setAccessibleName("Prefix")
        self.prefix.setToolTip("Put before the text: it tells a model trained on several tasks which one to do")
        self._go = QPushButton("Translate", objectName="action_translate", icon=icon("play", "on_accent"))
        self._go.setProperty("kind", "primary")
        self._go.setToolTip(named_keys("Return or Ctrl+Return"))
        self._halt = QPushButton("Stop", objectName="action_stop_translate", icon=icon("stop"))
        self._halt.setToolTip(named_keys("Ctrl+."))
        self.knobs = WritingKnobs(self._session, self.verb, Translate, beams=BEAMS)
        self._seconds = QLabel(objectName="translate_seconds")
        self._seconds.setProperty("role", "muted")
        self.strip = TokenStrip(objectName="hypothesis_tokens", accessibleName="Tokens of the chosen hypothesis")
        self.map = HeatMap(name="alignment", objectName="alignment", accessibleName="Alignment by cross-attention")
        self._hypotheses: list[Hypothesis] = []
        self.table = Ranking(
            ("Score",), "Text", objectName="hypotheses", accessibleName="Hypotheses",
            toolTip="Score: summed log-probabilities ÷ length ** length penalty",
        )  # fmt: skip
        prefix = row(QLabel("Prefix", buddy=self.prefix), stretch=False)
        prefix.addWidget(self.prefix, 1)
        left.addWidget(self._source_heading)
        left.addLayout(prefix)
        left.addWidget(self.text)
        left.addLayout(row(self._go, self._halt))
        self.add_words(left)
        left.addWidget(self.knobs)
        self._lay_out_right(right)
        self.dim_after_change(self.text, self.prefix)
        self._go.clicked.connect(self.act)
        self._halt.clicked.connect(self.stop)
        self.table.chosen.connect(self._show_hypothesis)
        for widget in (self.strip, self.map):
            self.say_exports(widget.exporter)

    def _lay_out_right(self, right: QVBoxLayout) -> None:
        about = QLabel("of the best one: what each token attended to, averaged over all cross-attention", wordWrap=True)
        about.setProperty("role", "muted")
        right.addLayout(row(self._target_heading, self._seconds))
        right.addWidget(self.table)
        right.addWidget(self.strip)
        right.addSpacing(GRID)
        line = row(self.heading("Alignment"), stretch=False)
        line.addWidget(about, 1)
        line.addWidget(self.inspect)
        line.addWidget(self.map.exporter.button(object_name="export_alignment"))
        right.addLayout(line)
        right.addWidget(self.map, 1)

    def show_model(self, model: SavedModel) -> None:
        super().show_model(model)
        source, target, verb = words(model)
        self._source_heading.setText(source)
        self._target_heading.setText(target)
        self._go.setText(verb)
        self.prefix.setText(self.remembered("prefix", model.data.prefix))
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
        self.remember("prefix", self.prefix.text())
        self.ask(Translate, text=text, prefix=self.prefix.text(), **self.knobs.fields())

    # ── showing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def take_busy(self, busy: bool) -> None:
        show_instead(*([self._halt], []) if busy else ([self._go], [self._halt]))

    def take_reply(self, reply: AnyReply, arrays: Arrays) -> None:
        if isinstance(reply, Translated):
            self._show_hypotheses(reply.hypotheses)
            self._seconds.setText(units.duration(reply.seconds))
            self.map.set_matrix(arrays["alignment"], reply.hypotheses[0].tokens, reply.source_tokens)

    def _show_hypotheses(self, hypotheses: list[Hypothesis]) -> None:
        self._hypotheses = hypotheses
        self._seconds.setText("")
        self.strip.clear()
        self.table.set_rows([(units.number(found.score, 3), found.text) for found in hypotheses])

    def _show_hypothesis(self, number: int) -> None:
        chosen = self._hypotheses[number]
        self.strip.set_tokens(chosen.tokens, chosen.probabilities)

    def texts_to_inspect(self) -> Sequence[str]:
        """With the chosen hypothesis."""
        return self._answered[0], self._hypotheses[max(self.table.currentRow(), 0)].text
