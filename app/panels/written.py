"""What the model writes, token by token: shaded by probability, with what could have stood in each place."""

import math
import time
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.theme import GRID, icon
from app.widgets.bars import ROW, ProbabilityBars
from app.widgets.export import write_atomically
from app.widgets.file_dialogs import ask_where
from app.widgets.ranking import Ranking
from app.widgets.segments import Segments
from app.widgets.token_strip import TokenStrip
from app.widgets.tokens import visible
from tfmcore import units
from tfmcore.config import UserError
from tfmcore.messages import Candidate, Generated, Hypothesis, Token

STATISTICS_MS = 100
LONGEST_PROMPT = 160
NUM_ALTERNATIVES = 5
REASONS = {"length": "maximum length", "end": "end token", "stop": "stop text"}
BEST_ONLY = "Alternatives to a token are known for the best text only."
HINT = "Hover a token to see its alternatives; click it, then an alternative, to continue from that instead."


class Written(QWidget):
    """`branch_wanted(index, candidate)` when something else shall stand at a token's place and be gone on from."""

    branch_wanted = Signal(int, object)
    inspect_wanted = Signal(str)
    failed = Signal(str)

    def __init__(self) -> None:
        super().__init__(objectName="written")
        self.tokens: list[Token] = []
        self.prompt = self._ending = ""
        self._kept = 0
        self._new: str | None = None
        self._sum = self._log_sum = 0.0
        self._first = self._last = 0.0
        self._shown: int | None = None
        self._hypotheses: list[Hypothesis] = []
        self._other: Hypothesis | None = None
        self.strip = TokenStrip(objectName="written_tokens", accessibleName="Written tokens")
        self.bars = ProbabilityBars(tokens=True, objectName="alternatives", accessibleName="Alternatives")
        self.hypotheses = Ranking(
            ("Score",), "Text", objectName="written_hypotheses", accessibleName="Texts found by the beam search",
            toolTip="Score: summed log-probabilities ÷ length ** length penalty",
        )  # fmt: skip
        self.hypotheses.hide()
        self.statistics = QLabel(objectName="written_statistics", wordWrap=True)
        self.statistics.setProperty("role", "muted")
        self._prompt = QLabel(objectName="written_prompt", wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self._prompt.setProperty("role", "muted")
        self._place = QLabel(HINT, objectName="alternatives_place", wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self._place.setProperty("role", "muted")
        self._scroll = QScrollArea(
            focusPolicy=Qt.FocusPolicy.NoFocus, widgetResizable=True, objectName="written_scroll"
        )
        self._plain = QPlainTextEdit(objectName="written_text", readOnly=True, accessibleName="Written text")
        self._stack = QStackedWidget()
        self._views = Segments(objectName="written_view", accessibleName="View")
        self._views.set_choices([("tokens", "Tokens"), ("text", "Text")])
        self._buttons = [
            self._button("action_copy_text", "Copy", "content-copy", self._copy),
            self._button("action_save_text", "Save…", "content-save-outline", self._ask_where),
            self._button("action_inspect_text", "Inspect this", "magnify", self._on_inspect_clicked),
        ]
        self._timer = QTimer(self, singleShot=True, interval=STATISTICS_MS)
        self._lay_out()
        self._timer.timeout.connect(self._show_statistics)
        self._views.chosen.connect(self._show_view)
        self.strip.hovered.connect(self._on_hovered)
        self.strip.clicked.connect(self._show_place)
        self.bars.clicked.connect(self._on_alternative_clicked)
        self.hypotheses.chosen.connect(self._show_hypothesis)
        self._scroll.verticalScrollBar().rangeChanged.connect(self._follow)
        self._show_statistics()

    def _button(self, name: str, text: str, glyph: str, act: object) -> QPushButton:
        button = QPushButton(text, objectName=name, icon=icon(glyph, "muted"))
        button.setProperty("kind", "quiet")
        button.clicked.connect(act)
        return button

    def _lay_out(self) -> None:
        heading = QLabel("Written")
        heading.setProperty("role", "heading")
        top = QHBoxLayout(spacing=GRID)
        top.addWidget(heading)
        top.addWidget(self._views)
        top.addStretch(1)
        for button in (*self._buttons, self.strip.exporter.button(object_name="export_written")):
            top.addWidget(button)
        holder = QWidget()
        inside = QVBoxLayout(holder, spacing=0)
        inside.setContentsMargins(0, 0, GRID, 0)
        inside.addWidget(self.strip)
        inside.addStretch(1)
        self._scroll.setWidget(holder)
        self._stack.addWidget(self._scroll)
        self._stack.addWidget(self._plain)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        column = QVBoxLayout(self, spacing=GRID)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(top)
        column.addWidget(self.statistics)
        column.addWidget(self._prompt)
        column.addWidget(self.hypotheses)
        column.addWidget(self._stack, 1)
        column.addWidget(self._place)
        column.addWidget(self.bars)
        self.bars.setFixedHeight(NUM_ALTERNATIVES * ROW)

    # ── what is written ──────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def text(self) -> str:
        """What was written after the prompt, or the chosen one of several such texts."""
        if self._other:
            return _joined(self.tokens[: self._kept]) + self._other.text
        return _joined(self.tokens) if self._new is None else _joined(self.tokens[: self._kept]) + self._new

    @property
    def whole(self) -> str:
        return self.prompt + self.text

    def start(self, prompt: str, kept: list[Token]) -> None:
        """Begin after `prompt` and the tokens kept of what was written before."""
        self.prompt, self.tokens, self._kept = prompt, list(kept), len(kept)
        self._ending, self._new, self._other = "", None, None
        self._hypotheses = []
        self.hypotheses.hide()
        self._first = self._last = 0.0
        self._sum = self._log_sum = 0.0
        for token in kept:
            self._add(token)
        line = " ".join(prompt.split())
        short = line if len(line) <= LONGEST_PROMPT else f"… {line[-LONGEST_PROMPT:]}"
        self._prompt.setText(f"After “{short}”" if line else "From the beginning")
        self.strip.set_tokens([token.token.text for token in kept], [token.token.probability for token in kept])
        self._show_place(None)
        self._show_statistics()

    def append(self, token: Token) -> None:
        self._last = time.monotonic()
        self._first = self._first or self._last
        self.tokens.append(token)
        self._add(token)
        candidate = token.token
        self.strip.append_token(candidate.text, candidate.probability, special=candidate.special)
        if not self._timer.isActive():
            self._timer.start()

    def _add(self, token: Token) -> None:
        self._sum += token.token.probability
        self._log_sum += math.log(max(token.token.probability, 1e-12))

    def finish(self, reply: Generated) -> None:
        """All tokens are in."""
        self._ending, self._new = REASONS[reply.reason], reply.text
        self._hypotheses = reply.hypotheses
        self.hypotheses.setVisible(len(reply.hypotheses) > 1)
        self.hypotheses.set_rows(
            [(units.number(found.score, 3), " ".join(found.text.split())) for found in reply.hypotheses]
        )
        self._show_statistics()

    def _show_hypothesis(self, number: int) -> None:
        """The tokens of one of the texts that a search found; the first is the one that was written."""
        self._other = self._hypotheses[number] if number else None
        kept = self.tokens[: self._kept] if number else self.tokens
        others = (self._other.tokens, self._other.probabilities) if self._other else ([], [])
        tokens = [token.token.text for token in kept] + others[0]
        self.strip.set_tokens(tokens, [token.token.probability for token in kept] + others[1])
        self._show_place(None)
        self._show_statistics()

    def end(self, how: str) -> None:
        """It ended before its time."""
        self._ending = self._ending or how
        self._show_statistics()

    def clear(self) -> None:
        self.start("", [])
        self._prompt.setText("")

    def _show_statistics(self) -> None:
        count = len(self.tokens)
        if self._views.value == "text":
            self._show_plain()
        for button in self._buttons:
            button.setEnabled(count > 0)
        if not count:
            self.statistics.setText("" if self._new is None else f"no token · {self._ending}")
            return
        words = [units.count(count, "tokens" if count > 1 else "token")]
        new, seconds = count - self._kept, self._last - self._first
        if new > 1 and seconds > 0:
            words.append(units.rate((new - 1) / seconds, "tokens"))
        words.append(f"perplexity {units.number(math.exp(-self._log_sum / count), 3)}")
        words.append(f"mean probability {units.percent(self._sum / count)}")
        self.statistics.setText(" · ".join([*words, self._ending] if self._ending else words))

    def _show_plain(self) -> None:
        bar = self._plain.verticalScrollBar()
        place, at_end = bar.value(), bar.value() == bar.maximum()
        self._plain.setPlainText(self.whole)
        bar.setValue(bar.maximum() if at_end else place)

    def _show_view(self, view: str) -> None:
        self._stack.setCurrentIndex(0 if view == "tokens" else 1)
        for widget in (self._place, self.bars):
            widget.setVisible(view == "tokens")
        self._show_statistics()

    def _follow(self, _low: int, high: int) -> None:
        """Stay at the end while it grows, unless one has scrolled back to read."""
        bar = self._scroll.verticalScrollBar()
        if high - bar.value() < 4 * bar.singleStep() + 30:
            bar.setValue(high)

    # ── what else could stand there ──────────────────────────────────────────────────────────────────────────────────

    def _on_hovered(self, index: int) -> None:
        if index >= 0:
            self._show_place(index)
        elif self.strip.selection is not None:
            self._show_place(self.strip.selection)

    def _show_place(self, index: int | None) -> None:
        self._shown = index
        if index is None or self._other:
            self._place.setText(BEST_ONLY if self._other else HINT)
            self.bars.set_bars([])
            return
        token = self.tokens[index]
        share = units.percent(token.token.probability)
        self._place.setText(f"Token {index + 1:,}   {visible(token.token.text)}   {share}")
        shares = [(candidate.text, candidate.probability) for candidate in token.alternatives]
        ids = [candidate.id for candidate in token.alternatives]
        self.bars.set_bars(shares, ids.index(token.token.id) if token.token.id in ids else None)

    def _on_alternative_clicked(self, row: int) -> None:
        if self._shown is not None and not self._other:
            self.branch_wanted.emit(self._shown, self.tokens[self._shown].alternatives[row])

    def branch(self, index: int, candidate: Candidate) -> list[Token]:
        """The tokens to keep when `candidate` shall stand at `index`."""
        return [*self.tokens[:index], self.tokens[index].model_copy(update={"token": candidate})]

    # ── taking it away ───────────────────────────────────────────────────────────────────────────────────────────────

    def _on_inspect_clicked(self) -> None:
        self.inspect_wanted.emit(self.whole)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.whole)

    def _ask_where(self) -> None:
        ask_where(self, "Save the text", "written.txt", self.save, "Text (*.txt)", "txt")

    def save(self, path: str) -> None:
        """Write prompt and text to a file; `failed` says why where that cannot be."""
        try:
            write_atomically(Path(path), self.whole.encode())
        except UserError as error:
            self.failed.emit(str(error))


def _joined(tokens: list[Token]) -> str:
    """The text of tokens, near enough until the engine has said it."""
    return "".join(token.token.text for token in tokens if not token.token.special)
