"""A session on a workspace of its own, and runs whose trainer is written by the test."""

import gc
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from pytestqt.qtbot import QtBot

from app.run_watch import RunFacts
from app.session import Session
from tfmcore.config import Config, SavedModel
from tfmcore.messages import Evaluated, Event, Sampled, Started, Stepped
from tfmcore.runs import Exit, Manifest, Run, RunState, own_status

ENDED = (RunState.FINISHED, RunState.STOPPED, RunState.FAILED)


@pytest.fixture(autouse=True, scope="module")
def collected_here() -> Iterator[None]:
    """Garbage is collected in this thread only, as in the window: another one would destroy widgets there."""
    gc.disable()
    yield
    gc.collect()
    gc.enable()


@pytest.fixture(autouse=True)
def nothing_measured_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that stays open for a while would have the templates measured, by an engine that expects other things."""
    monkeypatch.setattr("app.pages.home.MEASURE_AFTER_MS", 10**9)


@pytest.fixture(autouse=True)
def no_widget_left() -> Iterator[None]:
    """The widgets of a test go with it: a change of the theme would dress them all again."""
    yield
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
def session(qtbot: QtBot, own_folders: Path) -> Iterator[Session]:
    """Closed at the end, with its engines."""
    session = Session(own_folders)
    yield session
    session.close()


def stepped_event(step: int) -> Stepped:
    return Stepped(step=step, loss=4 / step, learning_rate=1e-3, gradient_norm=1.0, tokens=768, seconds=0.05)


def write_events(run: Run, *events: Event) -> None:
    with open(run.folder / "events.jsonl", "a", encoding="utf-8") as file:
        file.writelines(event.model_dump_json() + "\n" for event in events)


def write_status(run: Run, state: RunState, pid: int | None = None, **fields: float | str | None) -> None:
    """A status that names this very process, or another one, so that the run is alive."""
    own_status(state, pid or os.getpid()).model_copy(update=fields).write(run.folder / "status.json")


def add_run(runs: Path, label: str, state: RunState | None = None, step: int = 20) -> Run:
    """A run of 1,000 steps that has done `step` of them; `state` None leaves it without a status.

    It is made beside the others and moved to them, so that nobody sees half of it.
    """
    run = Run.create(runs.parent / "made", Config(), label)
    started = Started(steps=1000, parameters=10, vocab_size=8, num_train=90, num_validation=10, device="cpu", threads=2)
    steps = [stepped_event(n) for n in range(1, step + 1)]
    write_events(run, started, *steps, Evaluated(step=step, loss=0.5), Sampled(step=step, prompt="The ", text="value"))
    if state:
        write_status(run, state, step=step, steps=1000, loss=0.2, seconds_left=49.0)
    runs.mkdir(exist_ok=True)
    number = len(list(runs.iterdir()))
    return Run(run.folder.rename(runs / f"{run.id}-{number}"))


def add_checkpoint(run: Run, step: int = 20, loss: float | None = None, **metrics: float) -> Path:
    """A whole checkpoint, as far as the window looks: its config and its manifest, written again where it is there."""
    folder = run.folder / "checkpoints" / f"step-{step:08d}"
    folder.mkdir(exist_ok=True)
    config = run.config()
    SavedModel(task=config.data.task, vocab_size=8, model=config.model, data=config.data, step=step, run=run.id).write(
        folder
    )
    Manifest(step=step, validation_loss=loss, metrics=metrics, files={}).write(folder / "manifest.json")
    return folder


def facts_of(run: Run, state: RunState, **fields: object) -> RunFacts:
    """The run as the list would show it in that state."""
    status = own_status(state, os.getpid(), step=20, steps=1000, loss=0.2)
    ended = Exit(state=state, step=20, sentence=f"It is {state}.") if state in ENDED else None
    facts = RunFacts(run, run.id, run.label, state, status, ended, run.config(), False)
    return replace(facts, **fields)  # type: ignore[arg-type]


def until(qtbot: QtBot, session: Session, condition: Callable[[], object]) -> None:
    """Wait for it, while the list of runs is looked at all the time."""

    def fulfilled() -> bool:
        session.runs.refresh()
        return bool(condition())

    qtbot.waitUntil(fulfilled)


@pytest.fixture
def run(own_folders: Path) -> Run:
    """A run that has trained 20 of 1,000 steps and is running."""
    return add_run(own_folders / "runs", "A first run", RunState.RUNNING)
