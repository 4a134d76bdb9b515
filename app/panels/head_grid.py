"""All heads of all layers as thumbnails, of one kind of attention."""

from collections.abc import Collection

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from app.capture import Capture
from app.question import Question
from app.session import Session
from app.theme import GRID
from app.widgets.combo import ElidedCombo
from app.widgets.segments import Segments
from app.widgets.thumbnails import ThumbnailGrid
from tfmcore.messages import AnyReply, Arrays, AttentionKind, Thumbnails, ThumbnailsDrawn

KINDS: dict[AttentionKind, tuple[str, str]] = {
    "encoder": ("Encoder", "The text read attends to itself."),
    "decoder": ("Decoder", "The text written attends to what precedes it."),
    "cross": ("Cross", "The text written attends to the text read."),
}


SCALES = {"all": "Maximum of all", "one": "0 to 1", "own": "Own maximum"}
SCALE_TIP = (
    "The weights from the first colour to the last one. To the maximum of all heads, heads can be compared; 0 to 1, "
    "texts and checkpoints too; to its own maximum, each map shows the most detail."
)


class HeadGrid(QWidget):
    """`kind_chosen(kind)` when another kind is picked, `scaled(largest)` when the colours end at another weight (None:
    at that of each head); a click on a head is the session's."""

    kind_chosen = Signal(str)
    scaled = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__(objectName="head_grid")
        self._session = session
        self.kinds = Segments(objectName="kind", accessibleName="Kind of attention")
        self.grid = ThumbnailGrid(objectName="thumbnails")
        self.scale = ElidedCombo(
            objectName="field_attention_scale", accessibleName="Range of the colours", toolTip=SCALE_TIP
        )
        self.scale.setMinimumWidth(22 * GRID)
        for name, title in SCALES.items():
            self.scale.addItem(title, name)
        self.scale.setCurrentIndex(list(SCALES).index(session.settings.choice("inspect.scale", list(SCALES))))
        self._words = QLabel(objectName="kind_words", wordWrap=True)
        self._words.setProperty("role", "muted")
        self._question = Question(session, "inspect", self)
        self._lay_out()
        self.kinds.chosen.connect(self.kind_chosen)
        self.scale.currentIndexChanged.connect(self._on_scale_chosen)
        self.grid.selected.connect(session.choose_head)
        self._question.replied.connect(self._on_replied)
        self._question.say_refusals()
        self.grid.exporter.failed.connect(lambda sentence: session.notify("error", sentence))

    def _lay_out(self) -> None:
        top = QHBoxLayout(spacing=GRID)
        top.addWidget(self.kinds)
        top.addStretch(1)
        top.addWidget(self.grid.exporter.button(object_name="export_thumbnails"))
        area = QScrollArea(focusPolicy=Qt.FocusPolicy.NoFocus, widgetResizable=True, objectName="thumbnails_scroll")
        area.setWidget(self.grid)
        column = QVBoxLayout(self, spacing=GRID // 2)
        column.setContentsMargins(2 * GRID, 0, GRID, GRID)
        column.addLayout(top)
        column.addWidget(self._words)
        column.addWidget(area, 1)

    def offer(self, kinds: Collection[str], chosen: str) -> None:
        """The kinds of attention that the model has."""
        self.kinds.set_choices([(kind, KINDS[kind][0]) for kind in KINDS if kind in kinds], chosen)

    def show_capture(self, capture: Capture) -> None:
        """Ask for all heads of another text or another kind of attention."""
        self._words.setText(KINDS[capture.kind][1])
        self._question.ask(Thumbnails, **capture.fields)

    def show_head(self) -> None:
        """Frame the session's head; none where the mean over heads is on show."""
        layer, head = self._session.layer, self._session.head
        self.grid.mark(None if head is None else (layer, head))

    def clear(self) -> None:
        self._question.forget()
        self.grid.set_maps(np.zeros((0, 0, 1, 1)))

    def _on_replied(self, reply: AnyReply, arrays: Arrays) -> None:
        if isinstance(reply, ThumbnailsDrawn):
            self.grid.set_maps(arrays["thumbnails"] * (arrays["largest"] / 255)[:, :, None, None])
            self.rescale()
            self.show_head()

    def _on_scale_chosen(self) -> None:
        self._session.settings.set("inspect.scale", self.scale.currentData())
        self.rescale()

    def rescale(self) -> None:
        """Draw the heads in the chosen range of colours, and say where it ends."""
        largest = {"one": 1.0, "all": float(self.grid.maps.max(initial=0.0)), "own": None}[self.scale.currentData()]
        self.grid.set_scale(largest)
        self.scaled.emit(largest)
