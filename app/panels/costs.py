"""What the designed model costs: parameters by block, training memory, compute, and one real batch to measure it."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from app import machine
from app.actions import named_keys
from app.panels.share_bars import ShareBars
from app.preparation import Preparation
from app.session import Session
from app.theme import GRID, icon, mono_font
from app.widgets.focus import show_instead
from tfmcore import units
from tfmcore.config import Config
from tfmcore.config.compute import step_flops
from tfmcore.config.estimate import Estimate, estimate, likely_num_labels
from tfmcore.config.memory import training_memory
from tfmcore.config.placement import num_processes
from tfmcore.messages import AnyReply, Arrays, BatchFound, BatchTried, FindBatch, Progress, Refused, TryBatch

RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
TIPS = {
    "Vocabulary": "As prepared; until then, an estimate for the tokenizer",
    "Compute per token, forward": "A training step costs three times as much: the backward pass takes two",
    "Epochs": "Passes over the training data; known once the data are prepared",
    "Tokens per step": "Batch size × accumulation × context; fewer with shorter examples",
}


class Costs(QWidget):
    """Follows the draft at every change; while it has problems, the last valid figures stay."""

    def __init__(self, session: Session) -> None:
        super().__init__(objectName="costs")
        self._session, self._preparation = session, Preparation.of(session)
        self._request = 0
        self._tried: tuple[Config, BatchTried] | None = None
        self._found: tuple[Config, BatchFound] | None = None
        self._asked: Config | None = None
        self._parameters_title, self._memory_title = self._heading("parameters"), self._heading("memory")
        self._parameters = ShareBars(words=units.count, objectName="parameters", accessibleName="Parameters by block")
        self._memory = ShareBars(words=units.size, objectName="memory", accessibleName="Training memory by part")
        self._shortage = QLabel(objectName="memory_shortage", wordWrap=True)
        self._shortage.setProperty("role", "warning")
        self._facts: dict[str, QLabel] = {}
        self._try = QPushButton("Try one batch", objectName="action_try_batch", icon=icon("timer-outline"))
        self._try.setToolTip(named_keys("Build the model and train a few steps on random tokens, to measure  (Ctrl+T)"))
        self._largest = QPushButton("Largest batch", objectName="action_largest_batch", icon=icon("arrow-expand-all"))
        self._largest.setToolTip(
            named_keys("Find the largest batch that fits into this machine's memory, and try it  (Ctrl+B)")
        )
        self._take = QPushButton(objectName="action_take_batch")
        self._cancel = QPushButton("Cancel", objectName="action_cancel_try")
        self._progress = QProgressBar(objectName="try_progress", textVisible=False, maximum=0)
        self._progress.setFixedHeight(6)
        self._outcome = QLabel(objectName="try_outcome", wordWrap=True)
        self._lay_out()
        self._try.clicked.connect(self.try_batch)
        self._largest.clicked.connect(self.find_batch)
        self._take.clicked.connect(self._on_take_clicked)
        self._cancel.clicked.connect(self.cancel)
        self._preparation.changed.connect(self.redraw)
        self.redraw()

    def _heading(self, name: str) -> QLabel:
        label = QLabel(objectName=f"{name}_total", textFormat=Qt.TextFormat.RichText)
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        return label

    def _lay_out(self) -> None:
        buttons = QHBoxLayout(spacing=GRID)
        buttons.addWidget(self._try)
        buttons.addWidget(self._largest)
        buttons.addWidget(self._cancel)
        buttons.addWidget(self._progress, 1)
        buttons.addStretch(0)
        self._grid = QGridLayout(horizontalSpacing=GRID, verticalSpacing=2)
        self._grid.setColumnStretch(0, 1)
        column = QVBoxLayout(self, spacing=GRID // 2)
        column.setContentsMargins(0, 0, 0, 0)
        for heading, bars in ((self._parameters_title, self._parameters), (self._memory_title, self._memory)):
            column.addWidget(heading)
            column.addWidget(bars)
            if bars is self._memory:
                column.addWidget(self._shortage)
            column.addSpacing(GRID)
        column.addLayout(self._grid)
        column.addSpacing(GRID)
        column.addLayout(buttons)
        outcome = QHBoxLayout(spacing=GRID)
        outcome.addWidget(self._outcome, 1)
        outcome.addWidget(self._take)
        column.addLayout(outcome)
        column.addStretch(1)

    # ── figures ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def redraw(self) -> None:
        """Show the figures of the draft."""
        self._show_trial()
        config = self._session.draft.config
        if config is None:
            return
        vocab_size, known = self._preparation.vocab_size()
        result = self._preparation.result
        labels = len(result.labels) if result and result.labels else likely_num_labels(config.data)
        cost = estimate(config.model, vocab_size, config.data.task, labels)
        self._parameters_title.setText(f"<b>{units.count(cost.total)}</b> parameters")
        self._parameters.set_rows([row for row in cost.parameters.items() if row[1]])
        memory = training_memory(cost, config.training)
        where = "on each device" if config.training.parallel else "to train"
        self._memory_title.setText(f"<b>{units.size(sum(memory.values()))}</b> of memory {where}")
        self._memory.set_rows([row for row in memory.items() if row[1]])
        lack = machine.shortage(sum(memory.values()) * num_processes(config.training))
        self._shortage.setText(f"{lack} It is for reading." if lack else "")
        self._shortage.setVisible(bool(lack))
        self._show_facts(_facts(config, cost, vocab_size, known, result.num_train if result else None))

    def _show_facts(self, facts: dict[str, str]) -> None:
        for name, words in facts.items():
            if name not in self._facts:
                row = len(self._facts)
                self._facts[name] = QLabel(objectName=f"cost_{row}", alignment=RIGHT)
                self._facts[name].setFont(mono_font(small=True))
                self._facts[name].setProperty("role", "muted")
                self._grid.addWidget(QLabel(name, toolTip=TIPS.get(name, "")), row, 0)
                self._grid.addWidget(self._facts[name], row, 1)
            self._facts[name].setText(words)

    # ── measuring ────────────────────────────────────────────────────────────────────────────────────────────────────

    def try_batch(self) -> None:
        """Ask the engine to train a few steps; needs a draft without problems."""
        self._ask(TryBatch)

    def find_batch(self) -> None:
        """Ask the engine for the largest batch; needs a draft without problems."""
        self._ask(FindBatch)

    def _ask(self, question: type[TryBatch] | type[FindBatch]) -> None:
        config = self._session.draft.config
        if config is None:
            self._say(self._session.show_problem(), "error")
            return
        self._asked, self._tried, self._found = config, None, None
        self._request = self._session.data_engine.ask(
            question, self._on_reply, panel="model", config=config.raw(), vocab_size=self._preparation.vocab_size()[0]
        )
        self._say("", "")
        self._show_trial()

    def _on_take_clicked(self) -> None:
        if self._found:
            self._session.draft.set("training.batch_size", self._found[1].batch_size)

    def cancel(self) -> None:
        self._session.data_engine.cancel(self._request)

    def _on_reply(self, reply: AnyReply, arrays: Arrays) -> None:
        if reply.id != self._request:
            return
        match reply:
            case Progress():
                self._progress.setMaximum(reply.total)
                self._progress.setValue(reply.done)
                self._say(reply.phase, "muted")
            case BatchTried() if self._asked:
                self._tried = (self._asked, reply)
            case BatchFound() if self._asked:
                self._found = (self._asked, reply)
            case Refused():
                self._say(reply.sentence, "error", reply.details)
            case _:
                self._say("Cancelled.", "muted")
        if reply.final:
            self._request = 0
            self._progress.setMaximum(0)
        self._show_trial()

    def _show_trial(self) -> None:
        asking, trying = [self._try, self._largest], [self._cancel]
        show_instead(*(trying, asking) if self._request else (asking, trying))
        self._progress.setVisible(bool(self._request))
        if self._tried:
            config, tried = self._tried
            self._say(trial_words(config, tried), "")
            if config != self._session.draft.config:
                self._say(f"Before the last change: {trial_words(config, tried)}", "muted")
        self._show_found()

    def _show_found(self) -> None:
        """The batch that was found, with a button to take it over while the rest of the design is what it was."""
        if not self._found:
            self._take.hide()
            return
        (config, found), draft = self._found, self._session.draft.config
        words = f"{units.size(found.bytes)}, {units.duration(found.seconds)} per step{_by_whom(config)}"
        same = draft is not None and draft.replaced(training__batch_size=config.training.batch_size) == config
        if same:
            self._say(f"A batch of {found.batch_size:,} fits: {words}.", "")
        else:
            self._say(f"Before the last change a batch of {found.batch_size:,} fitted: {words}.", "muted")
        self._take.setText(f"Use {found.batch_size:,}")
        self._take.setVisible(same and draft is not None and draft.training.batch_size != found.batch_size)

    def _say(self, sentence: str, role: str, details: str = "") -> None:
        self._outcome.setText(sentence)
        self._outcome.setToolTip(details)
        if self._outcome.property("role") != role:
            self._outcome.setProperty("role", role)
            self._outcome.style().polish(self._outcome)


def trial_words(config: Config, tried: BatchTried) -> str:
    """What one batch took, and what the whole training will at that pace."""
    steps = config.training.steps
    return (
        f"{units.duration(tried.seconds)} per step · ≈ {units.duration(tried.seconds * steps)} for {steps:,} steps · "
        f"{units.rate(tried.tokens / tried.seconds, 'tokens')} · {units.size(tried.bytes)} of memory{_by_whom(config)}"
    )


def _by_whom(config: Config) -> str:
    """What is measured is one process, with all of the model and of the batch."""
    return ", on one process" if config.training.parallel else ""


def _facts(config: Config, cost: Estimate, vocab_size: int, known: bool, num_train: int | None) -> dict[str, str]:
    """Compute, tokens and vocabulary: a name and words for each."""
    training, flops = config.training, sum(cost.flops_per_token.values())
    tokens = training.sequences_per_step * config.model.context_length
    step = sum(step_flops(cost, training).values()) * tokens
    return {
        "Compute per token, forward": f"{units.count(flops)}FLOP",
        "Compute per training step": f"{units.count(step)}FLOP",
        "Compute of all steps": f"{units.count(step * training.steps)}FLOP",
        "Steps": f"{training.steps:,}",
        "Epochs": f"{training.steps * training.sequences_per_step / num_train:.3g}" if num_train else units.NO_NUMBER,
        "Tokens per step": f"≤ {tokens:,}",
        "Tokens of all steps": f"≤ {units.count(tokens * training.steps)}",
        "Vocabulary": f"{vocab_size:,}" if known else f"≈ {vocab_size:,}",
    }
