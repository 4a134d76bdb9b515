"""branch: a new run beside the first one, that goes on from its checkpoint."""

import json

from tfmcore.config.branching import Parent, parent_of
from tfmcore.runs import list_runs

SMALL = ["data.max_examples=60", "model.d_model=16", "model.num_layers=1", "training.batch_size=4", "training.steps=6"]
SMALL += ["training.save_every=3", "training.eval_every=3", "training.sample_every=0", "training.threads=1"]


def test_it_trains_on_under_a_name_of_its_own(tfm, workspace):
    words = [word for assignment in SMALL for word in ("--set", assignment)]
    assert tfm("train", "reverse", "--name", "first", *words).code == 0
    result = tfm("branch", "first", "--step", 4, "--set", "training.learning_rate=0.01", "--json")
    assert result.code == 0, result.err
    events = [json.loads(line) for line in result.out.splitlines()]
    assert (events[0]["kind"], events[0]["step"], events[-1]["step"]) == ("started", 3, 6)
    child, first = list_runs(workspace / "runs")
    assert (child.label, first.label) == ("first from step 3", "first")
    assert parent_of(child.config().training) == Parent(first.id, 3)
    assert child.config().training.learning_rate == 0.01
    refused = tfm("branch", "first", "--set", "model.d_model=32")
    assert refused.code == 2
    assert "model.d_model" in refused.err
    assert "training.steps" in refused.err, "it has done all of its steps"
    assert len(list_runs(workspace / "runs")) == 2
