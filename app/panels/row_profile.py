"""Where one token looks: the tokens with the most of its attention, and all of it shaded over the text."""

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QScrollArea, QVBoxLayout, QWidget

from app.capture import NOTHING, Capture
from app.question import Question
from app.session import Session
from app.theme import GRID
from app.widgets.bars import ProbabilityBars
from app.widgets.token_strip import TokenStrip
from app.widgets.tokens import visible
from tfmcore import units
from tfmcore.messages import AnyReply, Arrays, AttentionViewed, ViewAttention

MOST_BARS, MOST_TOKENS = 8, 4096
HINT = "Click a row of the map, or a token below, to see what it attends to."
CROSS_HINT = "Click a row of the map to see what that token attends to."


class RowProfile(QWidget):
    """`row_pinned(token)` when a token of the text is clicked that is a row too; again lets go: None."""

    row_pinned = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__(objectName="row_profile")
        self._session = session
        self._capture = NOTHING
        self._row: int | None = None
        self._most: list[int] = []
        self._heading = QLabel("Attention of a token", objectName="row_heading", textFormat=Qt.TextFormat.PlainText)
        self._heading.setProperty("role", "heading")
        self._hint = QLabel(HINT, objectName="row_hint", wordWrap=True)
        self._hint.setProperty("role", "muted")
        self.bars = ProbabilityBars(objectName="row_bars", accessibleName="Most attended tokens")
        self.strip = TokenStrip(objectName="row_tokens", accessibleName="The text, shaded by attention")
        self._question = Question(session, "inspect_row", self)
        self._lay_out()
        self.bars.clicked.connect(self._on_bar_clicked)
        self.strip.clicked.connect(self._on_token_clicked)
        self._question.replied.connect(self._on_replied)
        self._question.say_refusals()
        for exporter in (self.bars.exporter, self.strip.exporter):
            exporter.failed.connect(lambda sentence: session.notify("error", sentence))

    def _lay_out(self) -> None:
        holder = QWidget()
        inside = QVBoxLayout(holder, spacing=0)
        inside.setContentsMargins(0, 0, GRID, 0)
        inside.addWidget(self.strip)
        inside.addStretch(1)
        self._scroll = QScrollArea(focusPolicy=Qt.FocusPolicy.NoFocus, widgetResizable=True, objectName="row_scroll")
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(holder)
        column = QVBoxLayout(self, spacing=GRID)
        column.setContentsMargins(GRID, 0, 2 * GRID, GRID)
        for widget in (self._heading, self._hint, self.bars):
            column.addWidget(widget)
        column.addWidget(self._scroll, 1)

    def show_capture(self, capture: Capture) -> None:
        """Another text or another kind of attention: its tokens, none chosen."""
        self._capture = capture
        self.pin_row(None)

    def pin_row(self, row: int | None) -> None:
        """Ask where this token looks; None lets go."""
        self._row = row
        if row is None:
            self._question.forget()
            self._heading.setText("Attention of a token")
            self._hint.setText(CROSS_HINT if self._capture.kind == "cross" else HINT)
            self._hint.setVisible(True)
            self.bars.hide()
            self.strip.set_tokens(self._capture.facts.columns, special=self._capture.facts.special_columns)
        else:
            self.show_head()

    def show_head(self) -> None:
        """The same token in the session's head."""
        if self._row is None:
            return
        head = self._session.head
        self._question.ask(
            ViewAttention,
            **self._capture.fields,
            layer=self._session.layer,
            heads=[] if head is None else [head],
            rows=(self._row, self._row + 1),
            size=MOST_TOKENS,
        )

    def clear(self) -> None:
        self.show_capture(NOTHING)

    def _on_replied(self, reply: AnyReply, arrays: Arrays) -> None:
        if not isinstance(reply, AttentionViewed) or self._row is None:
            return
        weights = arrays["weights"][0, 0]
        if reply.pooled:  # a text longer than any view: each token shows the largest weight of its cell
            weights = np.repeat(weights, np.diff(arrays["column_edges"]))
        tokens = self._capture.facts.columns
        self._most = np.argsort(-weights, kind="stable")[:MOST_BARS].tolist()
        self._heading.setText(f"What {visible(self._capture.facts.rows[self._row])} attends to")
        share = units.percent(min(float(weights[self._most].sum()), 1.0))
        self._hint.setText(f"{share} of its attention goes to these of {len(tokens):,} tokens:")
        self.bars.set_bars([(f"{at:,}  {visible(tokens[at])}", float(weights[at])) for at in self._most])
        self.bars.show()
        self.strip.set_tokens(tokens, weights.tolist(), special=self._capture.facts.special_columns)
        if self._capture.kind != "cross":
            self.strip.select(self._row)
        self._reveal(self._most[0] if self._capture.kind == "cross" else self._row)

    def _reveal(self, token: int) -> None:
        """Scroll to a token of a long text."""
        pieces = self.strip.pieces
        middle = self.strip.height() * (pieces[token].line + 0.5) / (pieces[-1].line + 1)
        self._scroll.ensureVisible(0, round(middle), 0, self._scroll.height() // 3)

    def _on_bar_clicked(self, bar: int) -> None:
        self._on_token_clicked(self._most[bar])

    def _on_token_clicked(self, token: int) -> None:
        if self._capture.kind != "cross":
            self.row_pinned.emit(None if token == self._row else token)
