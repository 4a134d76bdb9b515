"""What may differ when a run goes on, and what it keeps."""

import pytest

from tfmcore.config import Config, ConfigError
from tfmcore.config.resuming import CHANGEABLE, changed


def test_a_smaller_batch_with_more_accumulation_may_go_on():
    new = changed(Config(), ["training.batch_size=8", "training.accumulation=4", "training.precision=bf16"])
    assert (new.training.batch_size, new.training.accumulation, new.training.precision) == (8, 4, "bf16")
    assert set(CHANGEABLE) <= set(Config().raw()["training"]) | {"threads", "eval_batches", "early_stopping"}
    assert changed(Config(), []) == Config()


@pytest.mark.parametrize(
    ("overrides", "field"),
    [
        (["training.batch_size=8"], "training.accumulation"),
        (["training.learning_rate=0.1"], "training.learning_rate"),
        (["model.num_layers=2"], "model.num_layers"),
        (["data.seed=3"], "data.seed"),
        (["training.nothing=3"], "training.nothing"),
    ],
)
def test_all_else_is_a_branch(overrides, field):
    with pytest.raises(ConfigError, match=field):
        changed(Config(), overrides)
