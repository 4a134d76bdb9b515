"""Fill: a text with gaps, and what the model would put into each of them."""

import re
from collections.abc import Sequence
from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from app.actions import named_keys
from app.panels.use_panel import UsePanel, row
from app.theme import GRID, icon
from app.widgets.bars import ProbabilityBars
from app.widgets.focus import put_in_order
from app.widgets.token_strip import TokenStrip
from tfmcore.config import SavedModel
from tfmcore.messages import AnyReply, Arrays, Fill, Filled, Mask

MASK = "[MASK]"
GAP = re.compile(r"\[MASK\]|_{3,}")


def put_in(text: str, number: int, word: str) -> str:
    """`text` with its gap of that number (from 0) filled; no space comes twice."""
    gap = list(GAP.finditer(text))[number]
    before, after = text[: gap.start()], text[gap.end() :]
    if not before or before[-1:].isspace():
        word = word.lstrip(" ")
    return before + word + after


class MaskCandidates(QWidget):
    """The candidates of one gap."""

    def __init__(self, number: int) -> None:
        super().__init__(objectName=f"mask_{number}")
        self._heading = QLabel(f"Gap {number + 1}")
        self._heading.setProperty("role", "heading")
        self.bars = ProbabilityBars(tokens=True, objectName=f"mask_bars_{number}", accessibleName=f"Gap {number + 1}")
        column = QVBoxLayout(self, spacing=GRID // 2)
        column.setContentsMargins(0, 0, GRID, GRID)
        column.addWidget(self._heading)
        column.addWidget(self.bars)

    def show_mask(self, mask: Mask) -> None:
        self.bars.set_bars([(candidate.text, candidate.probability) for candidate in mask.candidates], 0)


class FillPanel(UsePanel):
    """A click on a candidate puts it into the text; the other gaps are then asked for anew."""

    verb: ClassVar[str] = "fill"

    def lay_out(self, left: QVBoxLayout, right: QVBoxLayout) -> None:
        self.text = self.editor("text", f"A text with {MASK} or ___ where the model should fill in", 6)
        self.text.setAccessibleName("Text with gaps")
        self.act_on_return(self.text)
        self._go = QPushButton("Fill", objectName="action_fill", icon=icon("play", "on_accent"))
        self._go.setProperty("kind", "primary")
        self._go.setToolTip(named_keys("Return or Ctrl+Return"))
        self._insert = QPushButton(f"Insert {MASK}", objectName="action_insert_mask", toolTip="A gap at the cursor")
        self._filled = QLabel(objectName="filled_text", wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self._filled.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.strip = TokenStrip(objectName="filled_tokens", accessibleName="Tokens as the model sees them")
        self._asked, self._filled_masks = "", list[Mask]()
        self.masks: list[MaskCandidates] = []
        self._grid = QGridLayout(spacing=2 * GRID)
        left.addWidget(self.heading("Text with gaps"))
        left.addWidget(self.text)
        left.addLayout(row(self._go, self._insert))
        self.add_words(left)
        line = row(self.heading("Filled"))
        line.addWidget(self.inspect)
        right.addLayout(line)
        right.addWidget(self._filled)
        right.addWidget(self._scroll(), 1)
        self.dim_after_change(self.text)
        self._go.clicked.connect(self.act)
        self._insert.clicked.connect(self._on_insert_clicked)
        self.say_exports(self.strip.exporter)

    def _scroll(self) -> QScrollArea:
        self._tokens_heading = self.heading("As the model sees it")
        holder = QWidget()
        inside = QVBoxLayout(holder, spacing=GRID)
        inside.setContentsMargins(0, GRID, 0, 0)
        inside.addLayout(self._grid)
        inside.addWidget(self._tokens_heading)
        inside.addWidget(self.strip)
        inside.addStretch(1)
        area = QScrollArea(focusPolicy=Qt.FocusPolicy.NoFocus, widgetResizable=True, objectName="fill_scroll")
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(holder)
        return area

    def show_model(self, model: SavedModel) -> None:
        super().show_model(model)
        self.text.setPlainText(self.remembered("text", self.examples.first))
        self._show([], "Put a gap in the text, and the most likely words for it appear here.", [])

    def show_text(self, text: str) -> None:
        self.text.setPlainText(text)
        self.act()

    def act(self) -> None:
        text = self.text.toPlainText()
        if not GAP.search(text):
            self.show_refusal(f"There is no gap: write {MASK} or ___ where a word is missing.")
            return
        self.remember("text", text)
        self._asked = text
        self.ask(Fill, text=GAP.sub(MASK, text))

    def texts_to_inspect(self) -> Sequence[str]:
        """With its gaps as the model knows them."""
        return [GAP.sub(MASK, text) for text in self._answered]

    def _on_insert_clicked(self) -> None:
        self.text.insertPlainText(MASK)
        self.text.setFocus(Qt.FocusReason.OtherFocusReason)

    # ── showing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def take_reply(self, reply: AnyReply, arrays: Arrays) -> None:
        if isinstance(reply, Filled):
            self._show(reply.masks, reply.text, reply.tokens)

    def _show(self, masks: list[Mask], text: str, tokens: list[str]) -> None:
        self._filled_masks = masks
        self._filled.setText(text)
        self._filled.setProperty("role", "" if masks else "muted")
        self._filled.style().polish(self._filled)
        while len(self.masks) > len(masks):
            self.masks.pop().deleteLater()
        while len(self.masks) < len(masks):
            self._add_mask(len(self.masks))
        for shown, mask in zip(self.masks, masks, strict=True):
            shown.show_mask(mask)
        self._tokens_heading.setVisible(bool(tokens))
        self.strip.set_tokens(tokens)

    def _add_mask(self, number: int) -> None:
        candidates = MaskCandidates(number)
        candidates.bars.clicked.connect(lambda row: self._on_candidate_clicked(number, row))
        self.say_exports(candidates.bars.exporter)
        self._grid.addWidget(candidates, number // 2, number % 2, Qt.AlignmentFlag.AlignTop)
        self.masks.append(candidates)
        put_in_order(self.inspect, *(mask.bars for mask in self.masks))

    def _on_candidate_clicked(self, number: int, row: int) -> None:
        text = put_in(self._asked, number, self._filled_masks[number].candidates[row].text)
        self.text.setPlainText(text)
        if GAP.search(text):
            self.act()
        else:
            self._show([], text, [])
            self.forget_answer()
