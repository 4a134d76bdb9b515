"""The head of each task, made from a config."""

from collections.abc import Callable

from torch import nn

from tfmcore.config.model import ModelConfig
from tfmcore.models.blocks import norm
from tfmcore.nn.heads import ClassificationHead, LanguageModelHead, MaskedLanguageModelHead


def make_head(task: str, config: ModelConfig, tokens: nn.Embedding, num_labels: int) -> nn.Module:
    """The head that `task` needs; it shares the matrix of `tokens` where the config ties embeddings."""
    return HEADS[task](config, tokens, num_labels)


def _language_model(config: ModelConfig, tokens: nn.Embedding, num_labels: int) -> nn.Module:
    return LanguageModelHead(config.d_model, tokens.num_embeddings, tokens if config.tie_embeddings else None)


def _masked_language_model(config: ModelConfig, tokens: nn.Embedding, num_labels: int) -> nn.Module:
    shared = tokens if config.tie_embeddings else None
    return MaskedLanguageModelHead(config.d_model, tokens.num_embeddings, norm(config), shared)


def _classifier(config: ModelConfig, tokens: nn.Embedding, num_labels: int) -> nn.Module:
    return ClassificationHead(config.d_model, num_labels, config.pooling, config.dropout)


HEADS: dict[str, Callable[[ModelConfig, nn.Embedding, int], nn.Module]] = {
    "language_modeling": _language_model,
    "masked_language_modeling": _masked_language_model,
    "classification": _classifier,
    "translation": _language_model,
}
