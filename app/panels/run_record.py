"""What a run has left in words: its log, the config that ran."""

import re
import time

from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QPlainTextEdit, QStackedWidget, QVBoxLayout, QWidget

from app.background import in_background
from app.metrics import metric_title
from app.panels.text_acts import TextActs
from app.session import Session
from app.theme import GRID, mono_font
from app.widgets.empty_state import EmptyState
from tfmcore.messages import Changed, Evaluated, Event, Failed, Finished, Noticed, Saved, Started, Warned
from tfmcore.runs import Run

LOG_BYTES = 200_000
OF_EVENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  step [\d,]+: ")
"""How a line of log.txt begins that tells of an event."""
MOST_LINES = 20_000


def line_of_log(event: object) -> str:
    """The words of an event after its time, as in log.txt."""
    if not isinstance(event, Event) or not (words := event_words(event)):
        return ""
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(event.time))}  {words}"


def event_words(event: object) -> str:
    """An event as a line of the log; empty for those that the curves show better."""
    match event:
        case Started():
            return (
                f"step {event.step:,}: started on {event.device} with {event.threads} threads: "
                f"{event.parameters:,} parameters, {event.num_train:,} to train on, {event.num_validation:,} held out"
                + (f"; {event.compilation}" if event.compilation else "")
            )
        case Evaluated():
            metrics = "".join(f", {metric_title(name)} {value:.4g}" for name, value in event.metrics.items())
            return f"step {event.step:,}: validation loss {event.loss:.4f}{metrics}"
        case Saved():
            return f"step {event.step:,}: saved {event.folder}{', the best so far' if event.best else ''}"
        case Changed():
            return f"step {event.step:,}: {event.setting} {event.words}"
        case Warned():
            return f"step {event.step:,}: warning: {event.sentence}"
        case Noticed():
            lines = [f"step {event.step:,}: {event.what.replace('_', ' ')}: {event.sentence}"]
            if event.example_ids:
                lines.append(f"    in the batch of examples {', '.join(map(str, event.example_ids))}")
            return "\n".join([*lines, *(f"    ▸ {' '.join(text.split())}" for text in event.texts)])
        case Failed():
            return f"step {event.step:,}: failed: {event.sentence}\n{event.details}".rstrip()
        case Finished():
            return f"step {event.step:,}: {event.reason.replace('_', ' ')}"
    return ""


class TextRecord(QWidget):
    """A read-only text that grows at its end, followed by the view while it stands there; to copy and to save."""

    def __init__(self, session: Session, name: str, what: str, empty: str) -> None:
        super().__init__(objectName=name)
        self._text = QPlainTextEdit(objectName=f"{name}_text", readOnly=True, font=mono_font(), accessibleName=what)
        self._text.setLineWrapMode(QPlainTextEdit.LineWrapMode.WidgetWidth)
        self._text.setMaximumBlockCount(MOST_LINES)
        self._empty = EmptyState(icon_name="text-box-outline", heading=f"No {what.lower()} yet", sentence=empty)
        self.acts = TextActs(session, name, lambda: self.text)
        written = QWidget()
        column = QVBoxLayout(written, spacing=GRID // 2)
        column.setContentsMargins(0, GRID // 2, 0, 0)
        column.addWidget(self.acts, alignment=Qt.AlignmentFlag.AlignRight)
        column.addWidget(self._text, 1)
        self._stack = QStackedWidget(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(written)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._stack)

    @property
    def text(self) -> str:
        return self._text.toPlainText()

    def set_text(self, text: str) -> None:
        self._text.setPlainText(text)
        self._text.moveCursor(QTextCursor.MoveOperation.End)
        self._stack.setCurrentIndex(int(bool(text)))

    def append(self, text: str) -> None:
        if text:
            self._text.appendPlainText(text)
            self._stack.setCurrentIndex(1)


class Log(TextRecord):
    """The run's events in words, after what else its process printed."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, "log", "Log", "The events of the run appear here.")
        self._run: Run | None = None
        self._words: list[str] = []

    def show_run(self, run: Run) -> None:
        """The words come with `advance`, what the process printed from a thread."""
        self._run, self._words = run, []
        self.set_text("")
        self.look_again()

    def look_again(self) -> None:
        """Read what the process has printed: it may have died with its last words there."""
        if run := self._run:
            in_background(self, lambda: (run, _tail(run)), self._on_read, lambda error: self.append(str(error)))

    def advance(self, items: list[object]) -> None:
        words = list(filter(None, map(line_of_log, items)))
        self._words = [*self._words, *words][-MOST_LINES:]
        self.append("\n".join(words))

    def _on_read(self, found: tuple[Run, str]) -> None:
        run, printed = found
        if run is self._run and printed:
            self.set_text("\n".join([printed, *self._words]))


class ConfigText(TextRecord):
    """run.toml as it stands."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, "config_text", "Config", "The config of the run appears here.")
        self._text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._run: Run | None = None

    def show_run(self, run: Run) -> None:
        self._run, path = run, run.folder / "run.toml"
        in_background(
            self, lambda: (run, path.read_text("utf-8")), self._on_read, lambda error: self.set_text(str(error))
        )

    def _on_read(self, found: tuple[Run, str]) -> None:
        run, text = found
        if run is self._run:
            self.set_text(text)
            self._text.moveCursor(QTextCursor.MoveOperation.Start)


def _tail(run: Run) -> str:
    """The end of log.txt without the lines that tell of events; empty where there is none."""
    path = run.folder / "log.txt"
    if not path.exists():
        return ""
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - LOG_BYTES))
        printed = file.read().decode(errors="replace")
    return "\n".join(line for line in printed.splitlines() if not OF_EVENT.match(line)).strip()
