"""The families by the names that people know them by: each a model of its paper's size, or with other switches.

`vocab_size` is the paper's unless given, `task` decides the head, `num_labels` those of a classifier or tagger, and
`switches` are fields of ModelConfig that take the place of the preset's (None empties one). The weights are fresh: seed
torch first to have the same ones again. All raise ConfigError for switches that cannot be.
"""

from typing import Any

from tfmcore.config import Config, SavedModel, UserError, find_preset
from tfmcore.config.tasks import LABEL_TASKS
from tfmcore.models import Model, build

WRITTEN = "translation"
DEBERTAS = {1: ("deberta-base", 50_265), 2: ("deberta-v2-xlarge", 128_100), 3: ("deberta-v3-base", 128_100)}


def Transformer(vocab_size: int = 37_000, task: str = WRITTEN, num_labels: int = 2, **switches: Any) -> Model:
    """The base model of 2017 (https://arxiv.org/abs/1706.03762)."""
    return _sized("transformer-2017", vocab_size, task, num_labels, switches)


def BERTModel(
    vocab_size: int = 30_522, task: str = "masked_language_modeling", num_labels: int = 2, **switches: Any
) -> Model:
    """BERT, base (https://arxiv.org/abs/1810.04805)."""
    return _sized("bert-base", vocab_size, task, num_labels, switches)


def RoBERTaModel(
    vocab_size: int = 50_265, task: str = "masked_language_modeling", num_labels: int = 2, **switches: Any
) -> Model:
    """RoBERTa, base (https://arxiv.org/abs/1907.11692)."""
    return _sized("roberta-base", vocab_size, task, num_labels, switches)


def DeBERTaModel(
    vocab_size: int | None = None,
    task: str = "masked_language_modeling",
    num_labels: int = 2,
    version: int = 3,
    **switches: Any,
) -> Model:
    """DeBERTa 1, base (https://arxiv.org/abs/2006.03654), 2, xlarge, or 3, base (https://arxiv.org/abs/2111.09543).
    Raises UserError for another version."""
    if version not in DEBERTAS:
        raise UserError(f"there is no DeBERTa {version}: its versions are {', '.join(map(str, DEBERTAS))}")
    preset, known = DEBERTAS[version]
    return _sized(preset, known if vocab_size is None else vocab_size, task, num_labels, switches)


def GPTModel(vocab_size: int = 40_478, task: str = "language_modeling", num_labels: int = 2, **switches: Any) -> Model:
    """The first GPT."""
    return _sized("gpt", vocab_size, task, num_labels, switches)


def GPT2Model(vocab_size: int = 50_257, task: str = "language_modeling", num_labels: int = 2, **switches: Any) -> Model:
    """GPT-2, small."""
    return _sized("gpt2", vocab_size, task, num_labels, switches)


def GPT3Model(vocab_size: int = 50_257, task: str = "language_modeling", num_labels: int = 2, **switches: Any) -> Model:
    """GPT-3, small: dense and locally banded attention take turns (https://arxiv.org/abs/2005.14165)."""
    return _sized("gpt3-small", vocab_size, task, num_labels, switches)


def T5Model(vocab_size: int = 32_128, task: str = WRITTEN, num_labels: int = 2, **switches: Any) -> Model:
    """T5, small (https://arxiv.org/abs/1910.10683)."""
    return _sized("t5-small", vocab_size, task, num_labels, switches)


def MT5Model(vocab_size: int = 250_112, task: str = WRITTEN, num_labels: int = 2, **switches: Any) -> Model:
    """mT5, small (https://arxiv.org/abs/2010.11934)."""
    return _sized("mt5-small", vocab_size, task, num_labels, switches)


def BARTModel(vocab_size: int = 50_265, task: str = WRITTEN, num_labels: int = 2, **switches: Any) -> Model:
    """BART, base (https://arxiv.org/abs/1910.13461)."""
    return _sized("bart-base", vocab_size, task, num_labels, switches)


def _sized(preset: str, vocab_size: int, task: str, num_labels: int, switches: dict[str, Any]) -> Model:
    raw = find_preset(preset).raw()
    raw["model"] |= switches
    raw["model"] = {name: value for name, value in raw["model"].items() if value is not None}
    labels = [f"LABEL_{n}" for n in range(num_labels)] if task in LABEL_TASKS else []
    fields = {"task": task, "vocab_size": vocab_size, "model": Config.parse(raw).model, "labels": labels}
    return build(SavedModel.model_validate(fields))
