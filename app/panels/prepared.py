"""What preparing the data gave: counts, lengths, a sample in tokens, and the first batch as the model sees it."""

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from app.bidirectional import isolated
from app.panels.batch_table import BatchTable
from app.preparation import Preparation
from app.session import Session
from app.theme import GRID, theme
from app.widgets.empty_state import EmptyState
from app.widgets.histogram import Histogram
from app.widgets.token_strip import TokenStrip
from tfmcore import units
from tfmcore.messages import DataPrepared

PAUSE_MS = 300


class Prepared(QWidget):
    """Empty, but for `wanted`, until the data are prepared; a sample of one's own is asked about while it is typed."""

    wanted = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(objectName="prepared")
        self._session, self._preparation = session, Preparation.of(session)
        self._shown: DataPrepared | None = None
        self._counts = QLabel(objectName="prepared_counts", wordWrap=True)
        self._warnings = QLabel(objectName="prepared_warnings", wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self._lengths = Histogram(noun="examples", measure="tokens", objectName="lengths")
        self._sample = QLineEdit(objectName="field_sample", placeholderText="Type a sample of your own")
        self._sample.setAccessibleName("A sample of your own, to see its tokens")
        self._tokens = TokenStrip(show_ids=True, objectName="sample_tokens", accessibleName="Sample in tokens")
        self._batch, self._batch_note = BatchTable(), QLabel(objectName="batch_note")
        self._empty = EmptyState(
            icon_name="tray-arrow-down",
            heading="Not prepared yet",
            sentence="Preparing trains the tokenizer and turns the data into tokens; lengths, a sample and the first "
            "batch then appear here. Training prepares the data by itself if needed.",
            action="Prepare",
            action_name="action_prepare_here",
            objectName="prepared_empty",
        )
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._lay_out()
        self._empty.action_triggered.connect(self.wanted)
        self._sample.textEdited.connect(self._pause.start)
        self._pause.timeout.connect(self._ask_about_sample)
        self._preparation.changed.connect(self._redraw)
        self._redraw()

    def _lay_out(self) -> None:
        self._counts.setProperty("role", "muted")
        self._batch_note.setProperty("role", "muted")
        self._warnings.setProperty("role", "warning")
        tokens = QScrollArea(focusPolicy=Qt.FocusPolicy.NoFocus, widgetResizable=True)
        tokens.setWidget(self._tokens)
        sample = QVBoxLayout(spacing=GRID // 2)
        sample.addWidget(self._sample)
        sample.addWidget(tokens, 1)
        middle = QHBoxLayout(spacing=3 * GRID)
        middle.addWidget(self._lengths, 2)
        middle.addLayout(sample, 3)
        batch_row = QHBoxLayout(spacing=2 * GRID)
        batch_row.addWidget(_heading("First batch, as the model sees it"))
        batch_row.addWidget(self._batch_note)
        batch_row.addStretch(1)
        top = QHBoxLayout(spacing=2 * GRID)
        top.addWidget(_heading("Prepared"), 0, Qt.AlignmentFlag.AlignTop)
        top.addWidget(self._counts, 1)
        shown = QWidget()
        column = QVBoxLayout(shown, spacing=GRID)
        column.setContentsMargins(2 * GRID, GRID, 2 * GRID, GRID)
        column.addLayout(top)
        column.addWidget(self._warnings)
        column.addLayout(middle, 3)
        column.addLayout(batch_row)
        column.addWidget(self._batch, 4)
        self._stack = QStackedWidget(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(shown)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._stack)

    # ── showing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _redraw(self) -> None:
        """The context's line follows the draft at once; the rest changes with the result."""
        result, context = self._preparation.result, self._session.draft.value("model.context_length")
        self._stack.setCurrentIndex(0 if result is None else 1)
        if isinstance(context, int) and context > 0:
            self._lengths.set_limit(context)
        late = result is not None and self._preparation.outdated
        self._batch_note.setText("with the previous context and batch size; prepare again to update it" if late else "")
        if result is not None and result is not self._shown:
            self._shown = result
            self._show(result)

    def _show(self, result: DataPrepared) -> None:
        self._counts.setText(" · ".join(_counts(result)))
        self._counts.setToolTip(f"in {units.duration(result.seconds)}")
        self._warnings.setText("\n".join(result.warnings))
        self._warnings.setVisible(bool(result.warnings))
        self._lengths.set_lengths(result.lengths)
        number = len(theme().series)
        self._tokens.set_tokens(
            result.sample_tokens,
            ids=result.sample_ids,
            categories=[i % number for i in range(len(result.sample_tokens))],
        )
        self._batch.show_batch(result.batch)

    def _ask_about_sample(self) -> None:
        self._preparation.sample = self._sample.text()
        if self._preparation.result is not None:
            self._preparation.prepare()


def _heading(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("role", "heading")
    return label


def _counts(result: DataPrepared) -> list[str]:
    """Examples, tokens, vocabulary and labels, as short phrases."""
    facts = [
        f"{result.num_train:,} examples, {result.num_validation:,} held out",
        units.count(result.train_tokens, "tokens"),
        f"vocabulary {result.vocab_size:,}",
    ]
    if result.labels:
        names = ", ".join(map(isolated, result.labels[:6])) + (" …" if len(result.labels) > 6 else "")
        facts.append(f"{len(result.labels)} labels: {names}")
    return facts
