"""Answer: a question and the text to find it in; the best answer lit up there, the next ones, or that there is none."""

from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout

from app.actions import named_keys
from app.bidirectional import isolated
from app.panels.examples import parted
from app.panels.use_panel import UsePanel, row
from app.theme import GRID, icon
from app.widgets.focus import show_instead
from app.widgets.marked_text import Mark, MarkedText
from app.widgets.ranking import Ranking
from tfmcore import units
from tfmcore.config import SavedModel
from tfmcore.messages import Answer, Answered, AnyReply, Arrays, FoundAnswer

NONE = "no answer in this text"


class AnswerPanel(UsePanel):
    """Return in the question asks; a click on an answer shows where it stands."""

    verb: ClassVar[str] = "answer"

    def lay_out(self, left: QVBoxLayout, right: QVBoxLayout) -> None:
        self.text = self.editor("text", "A question; Return asks it", 2)
        self.text.setAccessibleName("Question")
        self.act_on_return(self.text)
        self.context = self.editor("context", "The text that may contain the answer", 14)
        self.context.setAccessibleName("Text to find the answer in")
        self._go = QPushButton("Answer", objectName="action_answer", icon=icon("play", "on_accent"))
        self._go.setProperty("kind", "primary")
        self._go.setToolTip(named_keys("Return in the question, or Ctrl+Return"))
        self._halt = QPushButton("Stop", objectName="action_stop_answer", icon=icon("stop"))
        self._halt.setToolTip(named_keys("Ctrl+."))
        self._best = QLabel(objectName="best_answer", textFormat=Qt.TextFormat.PlainText, wordWrap=True)
        self.marked = MarkedText(name="answer", objectName="answered_context", accessibleName="Text with the answer")
        self.table = Ranking(
            ("Probability", "Score"), "Answer", objectName="answers", accessibleName="Best answers",
            toolTip="Score: the sum of the logits of the answer's first and last token",
        )  # fmt: skip
        self._ranked: list[FoundAnswer | None] = []
        self._asked = ""
        for widget in (self.heading("Question"), self.text, self.heading("Text"), self.context):
            left.addWidget(widget)
        left.addLayout(row(self._go, self._halt))
        self.add_words(left)
        line = row(self.heading("Answer"))
        line.addWidget(self.inspect)
        line.addWidget(self.marked.exporter.button(object_name="export_answer"))
        right.addLayout(line)
        right.addWidget(self._best)
        right.addWidget(self.marked, 1)
        right.addSpacing(GRID)
        right.addWidget(self.heading("Best answers"))
        right.addWidget(self.table)
        self._go.clicked.connect(self.act)
        self._halt.clicked.connect(self.stop)
        self.table.chosen.connect(self._show_answer)
        self.dim_after_change(self.text, self.context)
        self.say_exports(self.marked.exporter)

    def show_model(self, model: SavedModel) -> None:
        super().show_model(model)
        question, context = parted(self.examples.first)
        self.text.setPlainText(self.remembered("text", question))
        self.context.setPlainText(self.remembered("context", context))
        self._show_nothing()

    def show_text(self, text: str) -> None:
        question, context = parted(text)
        self.text.setPlainText(question)
        if context:
            self.context.setPlainText(context)
        self.act()

    def act(self) -> None:
        question, context = self.text.toPlainText(), self.context.toPlainText()
        if not question.strip() or not context.strip():
            self.show_refusal("Write a question, and the text to find its answer in.")
            return
        self.remember("text", question)
        self.remember("context", context)
        self._asked = context
        self.ask(Answer, question=question, context=context)

    # ── showing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def take_busy(self, busy: bool) -> None:
        show_instead(*([self._halt], []) if busy else ([self._go], [self._halt]))

    def _show_nothing(self) -> None:
        self._best.setText("Ask, and the answer is highlighted in the text.")
        self.marked.set_text("")
        self.table.set_rows([])

    def take_reply(self, reply: AnyReply, arrays: Arrays) -> None:
        if isinstance(reply, Answered):
            self._show(reply)

    def _show(self, reply: Answered) -> None:
        """The answers in their order, and among them, by its probability, that there is none."""
        place = next((n for n, a in enumerate(reply.answers) if a.probability < reply.no_answer), len(reply.answers))
        self._ranked = [*reply.answers[:place], None, *reply.answers[place:]]
        self.table.set_rows([self._row(found, reply.no_answer) for found in self._ranked])
        read = f"; the text was read in {reply.num_windows:,} windows" if reply.num_windows > 1 else ""
        best = self._ranked[0]
        said = (
            "Most likely the answer is not in the text"
            if best is None
            else f"“{isolated(' '.join(best.text.split()))}”"
        )
        share = reply.no_answer if best is None else best.probability
        self._best.setText(f"{said}, {units.percent(share)}{read}")

    def _row(self, found: FoundAnswer | None, no_answer: float) -> tuple[str, str, str]:
        if found is None:
            return units.percent(no_answer), units.NO_NUMBER, NONE
        return units.percent(found.probability), units.number(found.score, 3), " ".join(found.text.split())

    def _show_answer(self, number: int) -> None:
        """Light up the answer of a row; that there is none lights up nothing."""
        found = self._ranked[number]
        marks = [] if found is None else [Mark(found.start, found.end, units.percent(found.probability))]
        self.marked.set_text(self._asked, marks)
        if marks:
            self.marked.reveal(0)
