"""The families by the names of the literature: each builds, with the switches that are asked for."""

import pytest
import torch

import tfmcore
from tfmcore.config import ConfigError, SavedModel, UserError, find_preset
from tfmcore.config.estimate import estimate
from tfmcore.families import constructors
from tfmcore.families.exporting import find_place

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


@pytest.mark.parametrize("version", [1, 2, 3])
def test_versions_of_deberta(version: int) -> None:
    with torch.device("meta"):
        config = tfmcore.DeBERTaModel(version=version, num_layers=1).config
        assert tfmcore.DeBERTaModel(version=version, num_layers=1, vocab_size=50).vocab_size == 50
    assert (config.key_bias, config.convolution, config.num_relative_buckets) == {
        1: (False, 0, None),
        2: (True, 3, 256),
        3: (True, 0, 256),
    }[version]


PUBLISHED = {
    "gpt": 116_534_784,
    "gpt2": 124_439_808,
    "gpt-neo-125m": 125_198_592,
    "pythia-160m": 162_322_944,
    "bloom-560m": 559_214_592,
    "llama-2-7b": 6_738_415_616,
    "llama-3-8b": 8_030_261_248,
    "mistral-7b": 7_241_732_096,
    "qwen2-0.5b": 494_032_768,
    "qwen3-0.6b": 596_049_920,
    "gemma-2b": 2_506_172_416,
    "gemma-2-2b": 2_614_341_888,
    "gemma-3-1b": 999_885_952,
}
"""Parameters of the published checkpoints, shared ones counted once."""


@pytest.mark.parametrize("preset", PUBLISHED)
def test_presets_of_true_size(preset: str) -> None:
    """They have as many parameters as what they are named after, and are of a family that transformers knows."""
    config = find_preset(preset).config()
    task, vocab_size = config.data.task, config.tokenizer.vocab_size
    assert estimate(config.model, vocab_size, task).total == PUBLISHED[preset]
    family, _ = find_place(SavedModel(task=task, vocab_size=vocab_size, model=config.model))
    assert preset.startswith(family.name.rstrip("23")) or (preset, family.name) == ("pythia-160m", "gpt-neox")


def test_another_task() -> None:
    model = tfmcore.RoBERTaModel(vocab_size=50, task="classification", num_labels=5, **SMALL)
    assert model(torch.ones(2, 3, dtype=torch.long)).logits.shape == (2, 5)


def test_what_cannot_be() -> None:
    with pytest.raises(ConfigError, match="num_heads"):
        tfmcore.BERTModel(num_heads=5)
    with pytest.raises(ConfigError, match="depth"):
        tfmcore.BERTModel(depth=5)
    with pytest.raises(UserError, match="no DeBERTa 4"):
        tfmcore.DeBERTaModel(version=4)
