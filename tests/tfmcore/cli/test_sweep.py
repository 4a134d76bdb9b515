"""sweep: every run is an ordinary one, wrong configs refuse before the first, and the same command goes on."""

import json

import pytest

from tfmcore.cli import sweep
from tfmcore.queue import Queue
from tfmcore.runs import Exit, Manifest, Run, RunState, list_runs

WORDS = ["sweep", "reverse", "--over", "model.num_layers=1,2", "--over", "training.seed=0..2"]


@pytest.fixture
def started(monkeypatch):
    """The runs that were started, by label; each ends at once, as `endings` says (finished, unless it says)."""
    found: dict[str, int] = {}
    endings: dict[str, Exit] = {}

    def start_trainer(run: Run) -> None:
        found[run.label] = found.get(run.label, 0) + 1
        folder = run.folder / "checkpoints" / "step-00000001"
        folder.mkdir(exist_ok=True)
        loss = run.config().training.seed + run.config().model.num_layers / 10
        Manifest(step=1, validation_loss=loss, files={}).write(folder / "manifest.json")
        endings.get(run.label, Exit(state=RunState.FINISHED, step=1)).write(run.folder / "exit.json")

    monkeypatch.setattr(sweep, "start_trainer", start_trainer)
    start_trainer.found, start_trainer.endings = found, endings
    return start_trainer


def test_every_combination_is_trained_and_the_best_shown(tfm, started, workspace):
    result = tfm(*WORDS)
    assert result.code == 0
    assert len(started.found) == len(list_runs(workspace / "runs")) == 6
    assert {(run.config().model.num_layers, run.config().training.seed) for run in list_runs(workspace / "runs")} == {
        (layers, seed) for layers in (1, 2) for seed in range(3)
    }
    assert "1/6" in result.out
    table, means = (part.splitlines() for part in result.out.split("\n\n")[1:])
    assert table[0].split() == ["Loss", "num_layers", "seed", "Run"]
    assert [line.split()[0] for line in table[1:]] == ["0.1000", "0.2000", "1.1000", "1.2000", "2.1000", "2.2000"]
    assert [line.split() for line in means] == [
        ["Mean", "±", "Seeds", "num_layers"],
        ["1.1000", "1.0000", "3", "1"],
        ["1.2000", "1.0000", "3", "2"],
    ]


def test_without_seeds_there_are_no_means(tfm, started):
    assert "Mean" not in tfm(*WORDS[:4]).out


def test_the_same_command_repeats_only_what_is_not_finished(tfm, started):
    label = "reverse num_layers=1 seed=1"
    started.endings[label] = Exit(state=RunState.FAILED, step=1, sentence="the disk is full", code=1)
    result = tfm(*WORDS)
    assert result.code == 1
    assert "the disk is full" in result.out
    del started.endings[label]
    assert tfm(*WORDS).code == 0
    assert started.found.pop(label) == 2
    assert set(started.found.values()) == {1}
    started.found.clear()
    assert tfm(*WORDS, "--set", "model.d_model=64").code == 0, "another config is another run"
    assert set(started.found.values()) == {1}
    assert len(started.found) == 6
    started.found.clear()
    assert tfm(*WORDS).code == 0
    assert not started.found


def test_json_is_one_run_a_line(tfm, started):
    lines = [json.loads(line) for line in tfm(*WORDS, "--random", "2", "--json").out.splitlines()]
    assert len(lines) == 2
    assert all(
        line["state"] == "finished" and set(line["options"]) == {"model.num_layers", "training.seed"} for line in lines
    )


def test_wrong_configs_refuse_before_anything_is_trained(tfm, started, workspace):
    result = tfm("sweep", "reverse", "--over", "model.num_heads=4,7", "--over", "training.steps=-1,5")
    assert result.code == 2
    assert "7 heads" in result.err
    assert "training.steps" in result.err
    assert not started.found
    assert not list_runs(workspace / "runs")


def test_ctrl_c_stops_the_run_and_says_how_to_go_on(tfm, started, workspace, monkeypatch):
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep, "start_trainer", lambda run: None)
    monkeypatch.setattr(Run, "state", lambda run: RunState.RUNNING)
    monkeypatch.setattr(sweep.time, "sleep", interrupt)
    result = tfm(*WORDS)
    assert result.code == 2
    assert "the same command again" in result.err
    [run] = list_runs(workspace / "runs")
    assert json.loads((run.folder / "control.jsonl").read_text())["kind"] == "stop"


def test_the_runs_can_wait_in_the_queue(tfm, started, workspace):
    result = tfm(*WORDS, "--queue", "--json")
    assert result.code == 0
    assert not started.found
    labels = [json.loads(line)["label"] for line in result.out.splitlines()]
    assert labels == [f"reverse num_layers={layers} seed={seed}" for layers in (1, 2) for seed in range(3)]
    queue = Queue(workspace / "runs")
    assert [Run(queue.runs / id).label for id in queue.ids()] == labels
