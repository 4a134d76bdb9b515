"""queue: what waits, in which order, and that all of it is trained."""

import json

from tfmcore import queue
from tfmcore.runs import RunState, list_runs

TINY = ["data.max_examples=60", "model.d_model=16", "model.num_layers=1", "training.batch_size=4", "training.steps=2"]
SMALL = [word for assignment in [*TINY, "training.sample_every=0"] for word in ("--set", assignment)]


def waiting(tfm):
    return [json.loads(line)["label"] for line in tfm("queue", "list", "--json").out.splitlines()]


def test_runs_wait_in_an_order_and_are_all_trained(tfm, workspace, monkeypatch):
    monkeypatch.setattr(queue, "POLL_SECONDS", 0.1)
    assert "the queue is empty" in tfm("queue", "list").err
    for name in ("first", "second", "third"):
        result = tfm("queue", "add", "reverse", "--name", name, *SMALL)
        assert result.code == 0, result.err
    assert waiting(tfm) == ["first", "second", "third"]
    assert tfm("queue", "move", "third", 1).code == 0
    assert tfm("queue", "remove", "second").code == 0
    assert waiting(tfm) == ["third", "first"]
    assert [line.split()[0] for line in tfm("queue", "list").out.splitlines()] == ["Place", "1", "2"]
    result = tfm("queue", "run")
    assert result.code == 0
    assert [line.split()[1] for line in result.out.splitlines()] == ["third", "first"]
    states = {run.label: run for run in list_runs(workspace / "runs")}
    while states["first"].state().alive:
        pass
    assert {label: run.state() for label, run in states.items()} == {
        "first": RunState.FINISHED,
        "second": RunState.WAITING,
        "third": RunState.FINISHED,
    }
    assert "is finished: it cannot be queued" in tfm("queue", "add", "--run", "first").err
    assert tfm("queue", "add", "--run", "second").code == 0
    assert waiting(tfm) == ["second"]
    assert "name the place" in tfm("queue", "move", "second").err
