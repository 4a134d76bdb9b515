"""The families by the names of the literature: each builds, with the switches that are asked for."""

import pytest
import torch

import tfmcore
from tfmcore.config import ConfigError
from tfmcore.families import constructors

NAMES = [name for name, home in tfmcore._HOME.items() if home == "families.constructors"]
SMALL = {"d_model": 32, "num_layers": 2, "num_heads": 4, "head_dim": None, "d_ff": 64, "context_length": 16}


@pytest.mark.parametrize("name", NAMES)
def test_builds(name: str) -> None:
    model = getattr(tfmcore, name)(vocab_size=50, dropout=0.0, **SMALL).eval()
    ids = torch.randint(0, 50, (2, 9))
    more = {"decoder_input_ids": ids} if model.config.architecture == "encoder_decoder" else {}
    assert model(ids, **more).logits.shape == (2, 9, 50)
    assert model.config.preset != ""
    assert model.config.num_layers == 2


def test_true_size() -> None:
    with torch.device("meta"):
        assert constructors.BERTModel().num_parameters() == 109_514_298
        assert constructors.T5Model().num_parameters() == 60_506_624
        assert constructors.GPT2Model().num_parameters() == 124_439_808
        assert constructors.BARTModel().num_parameters() == 139_420_416 - 2 * 2 * 768 + 50_265  # unused rows; a bias


def test_another_task() -> None:
    model = tfmcore.RoBERTaModel(vocab_size=50, task="classification", num_labels=5, **SMALL)
    assert model(torch.ones(2, 3, dtype=torch.long)).logits.shape == (2, 5)


def test_what_cannot_be() -> None:
    with pytest.raises(ConfigError, match="num_heads"):
        tfmcore.BERTModel(num_heads=5)
    with pytest.raises(ConfigError, match="depth"):
        tfmcore.BERTModel(depth=5)
