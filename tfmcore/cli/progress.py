"""Shows a run on stderr while it trains: a bar where that is a terminal, plain lines elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from tfmcore.messages import (
    AnyEvent,
    Changed,
    Evaluated,
    Failed,
    Finished,
    Noticed,
    Sampled,
    Saved,
    Started,
    Stepped,
    Warned,
)
from tfmcore.runs import EventReader, Run, RunState
from tfmcore.units import count, duration, epoch

PLAIN_LINE_SECONDS = 5.0
FOLLOW_SECONDS = 0.2
READ_BYTES = 2**24
MEMORY = 0.95
"""How much of the average speed stays at each step."""


class Watch:
    """What a person sees of a run; `show` takes its events, `prepare` what comes before the first one."""

    def __init__(self, quiet: bool = False) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True, quiet=quiet)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[news]}", markup=False),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("starting", total=None, news="")
        self._started: Started | None = None
        self._phase = ""
        self._validation: float | None = None
        self._seconds_per_step = self._tokens_per_step = 0.0
        self._last_line = -PLAIN_LINE_SECONDS

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def prepare(self, phase: str, done: int, total: int) -> None:
        """What the trainer does before it trains; `total` is 0 while it is unknown."""
        self._bar.update(self._task, description=phase, completed=done, total=total or None, news="")
        if phase != self._phase and not self._console.is_terminal:
            self._say(f"{phase} …")
        self._phase = phase

    def show(self, event: AnyEvent) -> None:
        """Take one event of the run."""
        match event:
            case Started():
                self._started = event
                self._bar.update(self._task, total=event.steps, completed=event.step, description="training")
                self._say(
                    f"{count(event.parameters)} parameters, {event.vocab_size} tokens in the vocabulary, "
                    f"{count(event.num_train)} examples to train on and {count(event.num_validation)} held out; "
                    f"{event.device} with {event.threads} thread{'s' if event.threads > 1 else ''}"
                )
                if epochs := event.epochs(event.steps):
                    self._say(f"{event.steps} steps are {epochs:.3g} epochs", "dim")
                if event.compilation:
                    self._say(event.compilation, "dim")
            case Stepped():
                self._show_step(event)
            case Evaluated():
                self._validation = event.loss
                metrics = "".join(f"  {name} {value:.4g}" for name, value in event.metrics.items())
                self._say(f"step {event.step}  validation loss {event.loss:.4f}{metrics}", "bold")
            case Sampled():
                wanted = f"  (expected {shown(event.expected)})" if event.expected else ""
                self._say(f"step {event.step}  {shown(event.prompt)} → {shown(event.text)}{wanted}", "cyan")
            case Saved():
                self._say(f"step {event.step}  saved{', the best so far' if event.best else ''}", "dim")
            case Noticed():
                self._say(f"step {event.step}  {event.sentence}", "yellow")
            case Changed():
                self._say(f"step {event.step}  {event.setting.replace('_', ' ')} {event.words}")
            case Warned():
                self._say(f"warning: {event.sentence}", "yellow")
            case Failed() | Finished():
                self._bar.stop()

    def _show_step(self, event: Stepped) -> None:
        """The averages forget slowly; they start with the second step, since the first one warms up."""
        keep = MEMORY if self._seconds_per_step else 0.0
        self._seconds_per_step = keep * self._seconds_per_step + (1 - keep) * event.seconds
        self._tokens_per_step = keep * self._tokens_per_step + (1 - keep) * event.tokens
        validation = "" if self._validation is None else f"  validation {self._validation:.4f}"
        speed = count(self._tokens_per_step / max(self._seconds_per_step, 1e-9))
        steps, done = (self._started.steps, self._started.epochs(event.step)) if self._started else (0, None)
        left = duration(max(1.0, (steps - event.step) * self._seconds_per_step))
        news = f"loss {event.loss:.4f}{validation}  lr {event.learning_rate:.2e}  {speed} tokens/s  {left} left"
        place = f"step {event.step}/{steps}" + (f"  {epoch(done)}" if done is not None else "")
        self._bar.update(self._task, description=place, completed=event.step, news=news)
        if not self._console.is_terminal and time.monotonic() - self._last_line >= PLAIN_LINE_SECONDS:
            self._last_line = time.monotonic()
            self._say(f"{place}  {news}")

    def _say(self, line: str, style: str = "") -> None:
        """A line above the bar; a sample may hold anything, so it is not read as markup."""
        self._console.print(Text(line, style=style), crop=False)


def shown(text: str, limit: int = 160) -> str:
    """A text on one line: what breaks lines is visible, what is too long is cut."""
    line = text.replace("\n", "↵").replace("\t", "⇥").replace("\r", "␍")
    return line if len(line) <= limit else line[: limit - 1] + "…"


def follow(run: Run) -> None:
    """Watch a run of another process until it ends."""
    events = EventReader(run.folder)
    with Watch() as watch:
        while True:
            state, status = run.state(), run.status()
            for event in events.read(READ_BYTES):
                watch.show(event)
            if status and state is RunState.PREPARING:
                watch.prepare(status.phase, status.done, status.total)
            if not state.alive and state is not RunState.WAITING:
                return
            time.sleep(FOLLOW_SECONDS)
