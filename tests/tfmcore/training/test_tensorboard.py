"""The mirror for TensorBoard: what it holds, that it begins anew with the run, and what is said without it."""

import subprocess
import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tfmcore.config import UserError
from tfmcore.messages import Command, Stepped
from tfmcore.runs import Run
from tfmcore.training.tensorboard import FOLDER
from tfmcore.training.trainer import train

WORDS = ["training.tensorboard=true", "training.health_every=3", "training.sample_every=6"]


def scalars(run: Run) -> dict[str, list[tuple[int, float]]]:
    found = EventAccumulator(str(run.folder / FOLDER))
    found.Reload()
    return {name: [(e.step, e.value) for e in found.Scalars(name)] for name in found.Tags()["scalars"]}


def test_it_holds_the_curves_of_all_lives_without_what_is_void(make_run):
    run = make_run("nano-decoder", *WORDS)
    for event in train(run.config(), run.folder):
        if isinstance(event, Stepped) and event.step == 4:
            run.command(Command(kind="stop"))
    list(train(run.config(), run.folder))
    found = scalars(run)
    losses = {event.step: event.loss for event in run.events() if isinstance(event, Stepped)}
    assert [step for step, _ in found["loss/training"]] == list(range(1, 7))
    assert dict(found["loss/training"]) == pytest.approx(losses, rel=1e-5)
    assert [step for step, _ in found["loss/validation"]] == [3, 6]
    assert {"learning_rate", "gradient_norm", "tokens_per_second", "validation/accuracy"} <= set(found)
    assert [step for step, _ in found["gradient_norm/decoder.layers.0"]] == [3, 6]


def test_it_is_not_loaded_where_it_is_not_wanted(make_run):
    run = make_run("reverse")
    code = """
import sys
from pathlib import Path
from tfmcore.runs import Run
from tfmcore.training.trainer import train
run = Run(Path(sys.argv[1]))
list(train(run.config(), run.folder))
sys.exit("tensorboard" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code, str(run.folder)], check=False).returncode == 0
    assert not (run.folder / FOLDER).exists()


def test_without_it_the_run_says_how_to_get_it(make_run, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    run = make_run("reverse", *WORDS)
    with pytest.raises(UserError, match=r"pip install 'transformer-playground\[tensorboard\]'"):
        list(train(run.config(), run.folder))
    assert run.exit().code == 2
