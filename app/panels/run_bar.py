"""The lines above a run's curves: its state, how far it is, and what one can do with it."""

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QProgressBar,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.actions import PAGE, keys_words, make_action
from app.bidirectional import isolated
from app.forms.numbers import number_text, parse_number
from app.run_actions import RunActions
from app.run_rows import best_words, progress_words, tone
from app.run_watch import RunFacts
from app.session import Session
from app.theme import GRID, icon
from app.widgets.elided_label import ElidedLabel
from app.widgets.focus import show_instead
from tfmcore import units
from tfmcore.config.memory import memory_to_train
from tfmcore.config.placement import num_processes
from tfmcore.messages import Command
from tfmcore.runs import RunState

SENTENCES = {
    RunState.INTERRUPTED: (
        "The process ended unexpectedly (killed, or the machine went down). Resume continues from its last checkpoint."
    ),
    RunState.SILENT: (
        "Its process lives but has not reported for a while: the machine may be busy, or it hangs. "
        "End now ends it; its checkpoints stay."
    ),
    RunState.WAITING: "Not started yet.",
}


class RunBar(QWidget):
    """Buttons that cannot act now are hidden, not grey; which those are follows from the run's state alone."""

    def __init__(self, session: Session, actions: RunActions) -> None:
        super().__init__(objectName="run_bar")
        self._session = session
        self._facts: RunFacts | None = None
        self._label, self._words = ElidedLabel(objectName="run_label"), ElidedLabel(objectName="run_words")
        self._state = QLabel(objectName="run_state")
        self._label.setProperty("role", "heading")
        self._words.setProperty("role", "muted")
        self._sentence = QLabel(objectName="run_sentence", wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self._sentence.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._progress = QProgressBar(
            objectName="run_progress", textVisible=False, maximum=1000, accessibleName="Progress of the run"
        )
        self._progress.setFixedHeight(6)
        self._rate = QLineEdit(objectName="field_set_learning_rate", placeholderText="by schedule")
        self._rate.setFixedWidth(14 * GRID)
        self._rate.setAccessibleName("New learning rate")
        self._rate.setToolTip(
            "A learning rate that replaces the schedule from the next step on (Enter); empty: back to the schedule"
        )
        self._rate_label = QLabel("Learning rate")
        self._rate_label.setBuddy(self._rate)
        self._buttons: dict[str, QPushButton] = {}
        self.acts: dict[str, QAction] = {}
        self._make_acts()
        self._more = QToolButton(objectName="action_more_run", toolTip="More", accessibleName="More actions")
        self._more.setIcon(icon("dots-horizontal"))
        self._more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._more.setMenu(QMenu(self._more))
        self._more.menu().addActions(actions.all)
        self._lay_out()
        self._wire()

    def _make_acts(self) -> None:
        """Each act as a button here, and as an action whose key the page hears while the button is on show."""
        session = self._session

        def tell(kind: str) -> Callable[[RunFacts], object]:
            return lambda facts: session.command(facts, Command.model_validate({"kind": kind}))

        def open_in(page: str) -> Callable[[RunFacts], object]:
            return lambda facts: session.open_model(str(facts.run.folder), then=page)

        for name, text, glyph, keys, tip, act in (
            ("pause_run", "Pause", "pause", "Ctrl+Shift+P", "Pause after this step", tell("pause")),
            ("resume_run", "Resume", "play", "Ctrl+Shift+R", "Resume from the last checkpoint", session.resume_run),
            ("mend_run", "Resume smaller", "play", "Ctrl+Alt+R", "The same steps in less memory", session.mend_run),
            ("stop_run", "Stop", "stop", "Ctrl+.", "Stop after this step, with a checkpoint", tell("stop")),
            ("kill_run", "End now", "skull-outline", "Ctrl+Shift+K", "End it; its checkpoints stay", session.kill_run),
            ("save_run", "Save now", "content-save-outline", "Ctrl+S", "Write a checkpoint", tell("save_now")),
            ("use_run", "Use", "message-text-outline", "Ctrl+U", "Open its best checkpoint", open_in("use")),
            ("inspect_run", "Inspect", "magnify", "Ctrl+Shift+I", "Inspect its best checkpoint", open_in("inspect")),
        ):  # fmt: skip
            action = make_action(
                self, name, f"{text}: {tip[:1].lower()}{tip[1:]}", partial(self._do, act), keys, scope=PAGE
            )
            button = QPushButton(text, objectName=f"action_{name}", icon=icon(glyph))
            button.setToolTip(f"{tip}  ({keys_words(action)})")
            button.clicked.connect(action.trigger)
            self.acts[name], self._buttons[name] = action, button

    def _do(self, act: Callable[[RunFacts], object]) -> None:
        if self._facts:
            act(self._facts)

    def _lay_out(self) -> None:
        upper = QHBoxLayout(spacing=GRID)
        upper.addWidget(self._label)
        upper.addStretch(1)
        for button in (*self._buttons.values(), self._more):
            upper.addWidget(button)
        lower = QHBoxLayout(spacing=GRID)
        lower.addWidget(self._state)
        lower.addWidget(self._words)
        lower.addStretch(1)
        lower.addWidget(self._rate_label)
        lower.addWidget(self._rate)
        column = QVBoxLayout(self, spacing=GRID // 2)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(upper)
        column.addLayout(lower)
        column.addWidget(self._progress)
        column.addWidget(self._sentence)

    def _wire(self) -> None:
        self._rate.returnPressed.connect(self._on_rate_entered)

    def show_run(self, facts: RunFacts | None) -> None:
        self._facts = facts
        self.setVisible(facts is not None)
        if facts is None:
            for action in self.acts.values():
                action.setEnabled(False)
            return
        state, status = facts.state, facts.status
        self._label.setText(facts.label)
        _set_tone(self._state, facts.words, tone(facts))
        self._words.setText(" · ".join(_words(facts)))
        preparing = state == RunState.PREPARING
        done, total = (status.done, status.total) if status and preparing else (facts.step, facts.steps)
        self._progress.setMaximum(0 if preparing and not total else 1000)
        self._progress.setValue(round(1000 * done / total) if total else 0)
        self._progress.setVisible(state.alive)
        sentence = facts.ending or SENTENCES.get(state, "")
        if facts.place:
            sentence = self._turn_words(facts)
        elif state == RunState.PAUSED and (behind := self._session.queue.behind(facts)):
            waiting = f"“{isolated(behind[0].label)}” waits" if len(behind) == 1 else f"{len(behind):,} runs wait"
            sentence = f"{waiting} in the queue until it has ended: Resume or Stop it."
        failed = state == RunState.FAILED  # whose sentence is red, and the best is no part of what went wrong
        sentence = sentence if failed else " · ".join(filter(None, (sentence, best_words(facts))))
        _set_tone(self._sentence, sentence, "bad" if failed else "muted")
        self._sentence.setVisible(bool(sentence))
        possible = _possible(facts)
        shown = [self._buttons[name] for name, visible in possible.items() if visible]
        show_instead([self._more, *shown], [button for button in self._buttons.values() if button not in shown])
        for name, visible in possible.items():
            self.acts[name].setEnabled(visible)
        self._buttons["resume_run"].setText("Start" if state == RunState.WAITING else "Resume")
        if facts.exit and facts.exit.remedy:
            words = [option.partition(".")[2].replace("_", " ").replace("=", " ") for option in facts.exit.remedy]
            self._buttons["mend_run"].setText(f"Resume with {', '.join(words)}")
        for widget in (self._rate, self._rate_label):
            widget.setVisible(state in (RunState.RUNNING, RunState.PAUSED))

    def _turn_words(self, facts: RunFacts) -> str:
        """When a run of the queue starts, and which one it waits for."""
        words = "It starts by itself when its turn comes, whether this window is open or not."
        if facts.config and (before := self._session.queue.in_the_way(facts.config)):
            words += f" “{isolated(before.label)}”, which is {before.state}, has its device."
        return words

    def show_rate(self, rate: float | None) -> None:
        """What stands in the schedule's place now, unless one is just typing another."""
        if not (self._rate.isModified() and self._rate.hasFocus()):
            self._rate.setText(number_text(rate))

    def _on_rate_entered(self) -> None:
        text = self._rate.text().strip()
        try:
            command = Command.model_validate({"kind": "set_learning_rate", "value": parse_number(text, "float")})
        except ValueError:
            self._session.notify(
                "warning",
                f"{text!r} is not a learning rate: write a number above 0, such as 3e-4, or nothing for the schedule.",
            )
            return
        if self._facts:
            self._session.command(self._facts, command)
            self._rate.setModified(False)


def _set_tone(label: QLabel, text: str, tone: str) -> None:
    label.setText(text)
    if label.property("tone") != tone:
        label.setProperty("tone", tone)
        label.style().polish(label)


def _words(facts: RunFacts) -> list[str]:
    """How far it is, and the time left, as short phrases."""
    status, words = facts.status, []
    if facts.state == RunState.PREPARING and status and status.phase:
        words.append(f"{status.phase}, {status.done:,} of {status.total:,}" if status.total else status.phase)
    else:
        words.append(progress_words(facts))
        if status and status.epoch is not None:
            words.append(units.epoch(status.epoch))
    if facts.state == RunState.RUNNING and status and status.seconds_left is not None:
        words.append(f"{units.duration(status.seconds_left)} left")
    if status and status.peak_memory and facts.config:
        expected = memory_to_train(facts.config) // num_processes(facts.config.training)
        words.append(f"{units.size(status.peak_memory)} of memory (estimate for a step: {units.size(expected)})")
    if facts.state == RunState.SILENT and status:
        words.append(f"last report {units.duration(status.age)} ago")
    if facts.state == RunState.FAILED and (best := best_words(facts)):
        words.append(best)
    return words


def _possible(facts: RunFacts) -> dict[str, bool]:
    """Which acts make sense for a run in this state, beside the one that is under way."""
    state, free = facts.state, not facts.asked
    going = state in (RunState.RUNNING, RunState.PAUSED)
    return {
        "pause_run": state == RunState.RUNNING and free,
        "resume_run": (state in (RunState.PAUSED, RunState.WAITING) or state.resumable) and free,
        "mend_run": facts.exit is not None and bool(facts.exit.remedy) and state.resumable and free,
        "stop_run": (going or state in (RunState.PREPARING, RunState.SILENT)) and facts.asked != "stopping",
        "kill_run": state == RunState.SILENT,
        "save_run": going and free,
        "use_run": facts.has_checkpoint,
        "inspect_run": facts.has_checkpoint,
    }
