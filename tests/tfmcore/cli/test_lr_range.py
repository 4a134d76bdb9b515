"""lr-range: a rate that can be taken over, and nothing left behind."""

import json

import pytest

FEW = ("data.max_examples=80", "training.batch_size=4", "training.threads=1", "model.num_layers=1", "model.d_model=32")
SMALL = [word for override in FEW for word in ("--set", override)]


def test_it_suggests_a_rate_and_makes_no_run(tfm, workspace):
    result = tfm("lr-range", "reverse", *SMALL, "--steps", 30, "--json")
    facts = json.loads(result.out)
    assert result.code == 0
    assert facts["rates"][0] == pytest.approx(1e-6)
    assert len(facts["rates"]) == len(facts["losses"]) <= 30
    assert facts["rates"][0] < facts["suggestion"] < facts["rates"][-1]
    assert not (workspace / "runs").exists()
    words = tfm("lr-range", "reverse", *SMALL, "--steps", 30).out
    assert f"suggested: training.learning_rate={facts['suggestion']:g} (now 0.002)" in words


def test_bounds_that_do_not_rise_are_refused(tfm):
    result = tfm("lr-range", "reverse", "--from", "0.1", "--to", "0.01")
    assert result.code == 2
    assert "must rise" in result.err
