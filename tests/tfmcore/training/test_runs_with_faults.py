"""Whole runs to which something happens: a folder that is read-only, a clock that is set back, data that is none."""

import itertools
import math
import os
import subprocess
import sys
import threading
import time

import pytest

from tfmcore.data import IGNORED
from tfmcore.messages import Command, Finished, Started, Stepped, Warned
from tfmcore.models import load_model
from tfmcore.runs import Run, RunState
from tfmcore.training.parallel import strategy
from tfmcore.training.process import run_trainer
from tfmcore.training.trainer import train

FROM_FILE = ["data.source=file", "tokenizer.kind=char"]
READ_ONLY = """
import os, sys
from pathlib import Path
import tfmcore.training.trainer
from tfmcore.runs import Run
from tfmcore.training.process import run_trainer
if os.getuid() == 0:
    os.seteuid(65534)  # whoever may everything may write here too
ended = run_trainer(Run(Path(sys.argv[1])), lambda event: print(event.kind))
print(ended.sentence)
sys.exit(ended.code)
"""


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def play(run: Run) -> list:
    return list(train(run.config(), run.folder))


@pytest.mark.fault(4)
def test_a_read_only_folder_is_refused_before_the_first_step(make_run):
    run = make_run()
    folders = [run.folder / "checkpoints", run.folder]
    for folder in folders:
        folder.chmod(0o555)
    try:
        command = [sys.executable, "-c", READ_ONLY, run.folder.name]
        done = subprocess.run(command, cwd=run.folder.parent, capture_output=True, text=True, check=False)
    finally:
        for folder in reversed(folders):
            folder.chmod(0o755)
    assert done.returncode == 2, done.stderr
    [sentence] = done.stdout.splitlines()
    assert "cannot be written" in sentence
    assert "Permission denied" in sentence
    assert sorted(os.listdir(run.folder)) == ["checkpoints", "run.json", "run.toml"]
    assert play(run)[-1].reason == "finished"


@pytest.mark.fault(28)
def test_a_clock_that_is_set_back_all_the_time_changes_no_duration_and_no_order(make_run, monkeypatch):
    run = make_run("reverse", "training.steps=9", "training.save_every=2")
    now = itertools.count(time.time(), -1000)
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: next(now))
        events = []
        for event in train(run.config(), run.folder):
            events.append(event)
            if isinstance(event, Stepped) and event.step == 4:
                assert run.state() is RunState.RUNNING
                assert run.status().age < 60
                run.command(Command(kind="stop"))
        events += play(run)
    assert [event.step for event in of(Stepped, events)] == list(range(1, 10))
    assert [event.step for event in of(Started, events)] == [0, 4]
    assert all(0 < event.seconds < 60 for event in of(Stepped, events))
    assert list(run.events()) == events
    assert [checkpoint.step for checkpoint in run.checkpoints()][-1] == 9
    assert run.state() is RunState.FINISHED


@pytest.mark.fault(13)
def test_a_vocabulary_of_one_token_is_warned_of_in_the_run(make_run, tmp_path):
    (tmp_path / "a.txt").write_text("a" * 1000)
    events = play(make_run("nano-decoder", *FROM_FILE, f"data.path={tmp_path / 'a.txt'}"))
    assert any("loss will always be 0" in event.sentence for event in of(Warned, events))
    assert of(Stepped, events)[-1].loss < of(Stepped, events)[0].loss
    assert isinstance(events[-1], Finished)


NOTHING = {
    "nothing": ("a.txt", "", "nano-decoder"),
    "one token": ("a.txt", "a", "nano-decoder"),
    "too few for one window": ("a.txt", "abc" * 9, "nano-decoder"),
    "only a header": ("a.csv", "text,label\n", "tell-languages"),
    "empty texts": ("a.csv", "text,label\n ,x\n,y\n", "tell-languages"),
    "no pairs": ("a.tsv", "source\ttarget\n", "reverse"),
}


@pytest.mark.fault(16)
@pytest.mark.parametrize(("name", "text", "preset"), NOTHING.values(), ids=NOTHING)
def test_a_run_on_nothing_is_refused_before_the_first_step(make_run, tmp_path, name, text, preset):
    (tmp_path / name).write_text(text)
    run, events = make_run(preset, *FROM_FILE, f"data.path={tmp_path / name}"), []
    ended = run_trainer(run, events.append)
    assert (ended.state, ended.step, ended.code) == (RunState.FAILED, 0, 2)
    assert name in ended.sentence or "text" in ended.sentence
    assert "\n" not in ended.sentence
    assert not of(Started, events)


@pytest.mark.fault(17)
def test_batches_without_labels_are_skipped_counted_and_remembered(make_run, monkeypatch):
    numbers, to_device = itertools.count(1), strategy.to_device

    def without_labels(batch, device):
        """Every second batch to learn from has nothing to predict."""
        if threading.current_thread().name.startswith("batches") and next(numbers) % 2:
            batch.labels[:] = IGNORED
        return to_device(batch, device)

    run = make_run("reverse", "training.steps=8", "training.eval_every=100", "training.save_every=4")
    monkeypatch.setattr(strategy, "to_device", without_labels)
    events = play(run)
    monkeypatch.undo()
    assert [event.sentence.partition("(")[2] for event in of(Warned, events)] == ["1 so far)", "2 so far)", "4 so far)"]
    assert [event.step for event in of(Stepped, events)] == [2, 4, 6, 8]
    assert all(math.isfinite(event.loss) for event in of(Stepped, events))
    model, _ = load_model(run.checkpoints()[-1].folder)
    assert all(weight.isfinite().all() for weight in model.parameters())
