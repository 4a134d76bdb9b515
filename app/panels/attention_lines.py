"""The heads of a layer as coloured lines between two columns of tokens; of a long text a part at a time."""

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.capture import NOTHING, Capture
from app.question import Question
from app.session import Session
from app.theme import GRID, icon
from app.widgets.attention_arcs import AttentionArcs
from tfmcore.messages import AnyReply, Arrays, AttentionViewed, ViewAttention

MOST_TOKENS = 200

Range = tuple[int, int]


class AttentionLines(QWidget):
    """All heads of the session's layer, or their mean; a head chosen elsewhere is shown alone.

    `row_pinned(token or None)` when a token at the left is clicked.
    """

    row_pinned = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__(objectName="attention_lines")
        self._session = session
        self._capture = NOTHING
        self._start = 0
        self._row: int | None = None
        self._asked: tuple[Range, Range] = ((0, 0), (0, 0))
        self.arcs = AttentionArcs(objectName="arcs")
        self._part = QLabel(objectName="lines_part")
        self._part.setProperty("role", "muted")
        self._earlier = self._button("action_earlier_tokens", "chevron-left", f"The {MOST_TOKENS} tokens before")
        self._further = self._button("action_further_tokens", "chevron-right", f"The next {MOST_TOKENS} tokens")
        self._question = Question(session, "inspect_lines", self)
        line = QHBoxLayout(spacing=GRID)
        for widget in (self._part, self._earlier, self._further):
            line.addWidget(widget)
        line.addStretch(1)
        column = QVBoxLayout(self, spacing=GRID // 2)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(line)
        column.addWidget(self.arcs, 1)
        self.arcs.token_locked.connect(self._on_token_locked)
        self._earlier.clicked.connect(lambda: self._go(-MOST_TOKENS))
        self._further.clicked.connect(lambda: self._go(MOST_TOKENS))
        self._question.replied.connect(self._on_replied)
        self._question.say_refusals()

    def _button(self, name: str, glyph: str, tip: str) -> QPushButton:
        button = QPushButton(objectName=name, icon=icon(glyph), toolTip=tip, accessibleName=tip)
        button.setProperty("kind", "quiet")
        return button

    def show_capture(self, capture: Capture) -> None:
        """Another text or another kind of attention: its first tokens."""
        self._capture, self._start, self._row = capture, 0, None
        self.show_head()

    def show_head(self) -> None:
        """The session's layer; asked for only while somebody looks."""
        if self.isVisible():
            self._ask()

    def pin_row(self, token: int | None) -> None:
        """Lock the lines of a row, without saying so."""
        self._row = token
        first, last = self._asked[0]
        here = None if token is None or not first <= token < last else ("row", token - first)
        self.arcs.blockSignals(True)
        self.arcs.lock(here)
        self.arcs.blockSignals(False)

    def _on_token_locked(self, token: tuple[str, int] | None) -> None:
        if token is None or token[0] == "row":
            self.row_pinned.emit(None if token is None else self._asked[0][0] + token[1])

    def showEvent(self, event: object) -> None:
        if self._capture.facts.rows:
            self._ask()

    def clear(self) -> None:
        self._question.forget()
        self._capture = NOTHING
        self.arcs.set_weights(np.zeros((0, 0, 0)), [], [])

    def _spans(self) -> tuple[Range, Range]:
        """The rows and columns on show; each axis ends where its tokens end."""
        lengths = len(self._capture.facts.rows), len(self._capture.facts.columns)
        starts = [min(self._start, max(length - MOST_TOKENS, 0)) for length in lengths]
        rows, columns = ((s, min(s + MOST_TOKENS, n)) for s, n in zip(starts, lengths, strict=True))
        return rows, columns

    def _ask(self) -> None:
        rows, columns = self._asked = self._spans()
        mean = self._session.head is None
        self._question.ask(
            ViewAttention,
            **self._capture.fields,
            layer=self._session.layer,
            heads=[] if mean else list(range(self._capture.facts.heads)),
            rows=rows,
            columns=columns,
            size=MOST_TOKENS,
        )

    def _go(self, tokens: int) -> None:
        longest = max(len(self._capture.facts.rows), len(self._capture.facts.columns))
        self._start = min(max(self._start + tokens, 0), max(longest - MOST_TOKENS, 0))
        self._ask()

    def _on_replied(self, reply: AnyReply, arrays: Arrays) -> None:
        if not isinstance(reply, AttentionViewed):
            return
        rows, columns = self._asked
        facts = self._capture.facts
        self.arcs.set_weights(arrays["weights"], facts.rows[slice(*rows)], facts.columns[slice(*columns)])
        head = self._session.head
        self.arcs.set_heads([0] if head is None else [head])
        self.pin_row(self._row)
        longest = max(len(facts.rows), len(facts.columns))
        part = longest > MOST_TOKENS
        self._part.setText(f"Lines of tokens {self._start:,}–{self._start + MOST_TOKENS - 1:,} of {longest:,}")
        for widget in (self._part, self._earlier, self._further):
            widget.setVisible(part)
        self._earlier.setEnabled(self._start > 0)
        self._further.setEnabled(self._start + MOST_TOKENS < longest)
