"""The learning-rate range test: where it ends, what it suggests, and that the suggestion is good."""

import math
import shutil

import pytest
import torch

from tests.tfmcore.training.bases import begin, letters
from tfmcore.config import ConfigError, UserError
from tfmcore.data import Cancelled
from tfmcore.messages import Evaluated, Stepped
from tfmcore.runs import Run
from tfmcore.training.rate_range import BELOW, RateRange, rate_range
from tfmcore.training.trainer import train


def quiet(*how_far: object) -> None:
    pass


def test_it_ends_where_the_loss_blows_up_and_suggests_a_rate_well_below():
    found = RateRange()
    rates = [10 ** (power / 10) for power in range(-60, 0)]
    for rate in rates:
        if not found.add(rate, 4 - 3 * min(1.0, rate / 1e-2) if rate < 2e-2 else 100 * rate):
            break
    assert 2e-2 < found.rates[-1] < 0.2
    assert found.rates == rates[: len(found.rates)]
    assert found.suggestion == pytest.approx(2e-2 / BELOW, rel=0.3)


def test_a_loss_that_is_no_number_ends_it_and_is_not_kept():
    found = RateRange()
    assert found.add(0.1, 2.0)
    assert not found.add(0.2, math.nan)
    assert found.rates == [0.1]


def test_a_loss_that_never_falls_suggests_nothing():
    found = RateRange()
    for number in range(5):
        found.add(0.1 * (number + 1), 1.0 + number / 10)
    with pytest.raises(UserError, match="did not fall"):
        _ = found.suggestion


@pytest.mark.parametrize("preset", ["nano-decoder", "reverse", "tell-languages", "nano-encoder"])
def test_the_rate_rises_by_the_same_factor_and_nothing_else_changes(tiny, preset):
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    config = tiny(preset, "training.accumulation=2", "training.optimizer=muon")
    found = rate_range(config, quiet, 1e-4, 1e-1, 13)
    factors = {round(b / a, 6) for a, b in zip(found.rates, found.rates[1:], strict=False)}
    assert factors == {round(1000 ** (1 / 12), 6)}
    assert all(map(math.isfinite, found.losses))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads
    assert rate_range(config, quiet, 1e-4, 1e-1, 13) == found


def test_a_model_that_counts_more_tokens_than_its_tokenizer_writes_can_be_tried(base, tmp_path):
    folder = shutil.copytree(base("decoder", "language_modeling"), tmp_path / "base")
    letters(120).save(folder / "tokenizer.json")
    assert len(rate_range(begin(folder, "language_modeling"), quiet, 1e-4, 1e-3, 5).rates) == 5


def test_a_branch_is_tried_from_where_it_goes_on(tiny, tmp_path):
    """The loss before the first step is that of the branch itself, and the parent stays as it is."""
    config = tiny("nano-decoder", "training.steps=9", "training.ema_decay=0.9")
    list(train(config, tmp_path / "parent"))
    checkpoint = Run(tmp_path / "parent").checkpoint_before(9).folder
    branch = config.replaced(training__branch_from=str(checkpoint), training__steps=10)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "parent").rglob("*")}
    found = rate_range(branch, quiet, 1e-4, 1e-1, 10)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "parent").rglob("*")} == kept
    child = Run.create(tmp_path, branch, "child")
    (step,) = [event for event in train(branch, child.folder) if isinstance(event, Stepped)]
    assert found.losses[0] == pytest.approx(step.loss, rel=1e-5)
    with pytest.raises(ConfigError, match=r"training\.steps"):
        rate_range(branch.replaced(training__steps=5), quiet)


def test_what_it_suggests_learns_better_than_far_below_and_far_above(tiny, tmp_path):
    long = ("training.steps=80", "training.eval_every=80", "training.batch_size=8")
    config = tiny("nano-decoder", *long)
    rate = rate_range(config, quiet, 1e-5, 1.0, 100).suggestion
    losses = {}
    for factor in (1, 1 / 100, 300):
        run = train(config.replaced(training__learning_rate=min(100.0, rate * factor)), tmp_path / str(factor))
        losses[factor] = next(event.loss for event in run if isinstance(event, Evaluated))
    assert losses[1] == min(losses.values())


def test_bounds_must_rise_and_it_can_be_given_up(tiny):
    with pytest.raises(UserError, match="must rise"):
        rate_range(tiny(), quiet, 0.1, 0.1)

    def give_up(phase: str, done: int, total: int) -> None:
        if done == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        rate_range(tiny(), give_up)
