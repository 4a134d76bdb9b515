"""Files that another program has open for a moment, as Windows guards them: each is refused twice here."""

import os
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.trash import Trash
from tfmcore import patience
from tfmcore.config import Config, UserError
from tfmcore.families.staging import staged
from tfmcore.patience import patiently
from tfmcore.queue import Queue
from tfmcore.runs import Manifest, Run, RunState, own_status
from tfmcore.training.checkpoints import Checkpoints


@pytest.fixture
def refused(monkeypatch) -> Counter:
    """What was refused how often."""
    monkeypatch.setattr(patience, "sys", SimpleNamespace(platform="win32"))
    counts = Counter()

    def guarded(act):
        def twice_refused(path, *rest, **how):
            counts[act.__name__, os.fspath(path)] += 1
            if counts[act.__name__, os.fspath(path)] < 3:
                raise PermissionError(13, "Access is denied", os.fspath(path))
            return act(path, *rest, **how)

        return twice_refused

    for act in (os.replace, os.rename):
        monkeypatch.setattr(os, act.__name__, guarded(act))
    for act in (Path.unlink, Path.read_bytes):
        monkeypatch.setattr(Path, act.__name__, guarded(act))
    return counts


def fill(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"weights")


def test_a_run_is_made_watched_renamed_started_anew_and_deleted(refused, tmp_path):
    run = Run.create(tmp_path / "runs", Config(), "first")
    run.rename("second")
    own_status(RunState.RUNNING, os.getpid()).write(run.folder / "status.json")
    assert (run.label, run.state()) == ("second", RunState.RUNNING)
    run.forget_last_life()
    run.change(["training.gradient_checkpointing=true"])
    assert (run.config().training.gradient_checkpointing, run.state()) == (True, RunState.WAITING)
    trash = Trash(tmp_path / "trash")
    trash.give_back(trash.take(run.folder), run.folder)
    assert run.label == "second"
    assert {name for name, _ in refused} == {"replace", "rename", "unlink", "read_bytes"}


def test_a_queue_is_never_taken_for_an_empty_one(refused, tmp_path):
    runs = [Run.create(tmp_path, Config(), name) for name in "ab"]
    for run in runs:
        Queue(tmp_path).add([run.id])
        refused.clear()
    assert Queue(tmp_path).ids() == [run.id for run in runs]


def test_a_checkpoint_takes_the_place_of_another(refused, tmp_path):
    checkpoints = Checkpoints(Run.create(tmp_path, Config(), "run"))
    for loss in (2.0, 1.0):
        checkpoints.write(Manifest(step=4, validation_loss=loss, files={}), fill)
        refused.clear()
    assert [each.manifest.validation_loss for each in checkpoints.run.checkpoints()] == [1.0]
    assert [path.name for path in checkpoints.folder.iterdir()] == ["step-00000004"]


def test_a_model_folder_appears(refused, tmp_path):
    with staged(tmp_path / "model") as folder:
        fill(folder)
    assert (tmp_path / "model" / "model.safetensors").read_text() == "weights"


def test_what_stays_closed_is_said(refused, tmp_path, monkeypatch):
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.0)
    with pytest.raises(UserError, match="Access is denied"), staged(tmp_path / "model") as folder:
        fill(folder)
    assert list(tmp_path.iterdir()) == []


def test_elsewhere_what_is_refused_stays_refused(refused, monkeypatch):
    monkeypatch.setattr(patience, "sys", SimpleNamespace(platform="linux"))
    with pytest.raises(PermissionError):
        patiently(lambda: os.rename("a", "b"))
    assert refused.total() == 1
