"""The head of each task, made from a config."""

from collections.abc import Callable

from torch import nn

from tfmcore.config.model import ModelConfig
from tfmcore.models.blocks import norm
from tfmcore.nn.heads import (
    ClassificationHead,
    LanguageModelHead,
    MaskedLanguageModelHead,
    NextSentenceHead,
    Pooler,
    SpanHead,
    TaggingHead,
)


def make_head(task: str, config: ModelConfig, tokens: nn.Embedding, num_labels: int) -> nn.Module:
    """The head that `task` needs; it shares the matrix of `tokens` where the config ties embeddings."""
    return HEADS[task](config, tokens, num_labels)


def make_second_head(task: str, config: ModelConfig) -> nn.Module | None:
    """The head that `task` has beside its own, where the config wants one."""
    make = SECOND_HEADS.get(task)
    return None if make is None else make(config)


def _language_model(config: ModelConfig, tokens: nn.Embedding, num_labels: int) -> nn.Module:
    return _output_layer(config, tokens, config.output_bias)


def _masked_language_model(config: ModelConfig, tokens: nn.Embedding, num_labels: int) -> nn.Module:
    output = _output_layer(config, tokens, bias=True)
    return MaskedLanguageModelHead(config.d_model, output, norm(config), config.head_activation, config.head_bias)


def _output_layer(config: ModelConfig, tokens: nn.Embedding, bias: bool) -> LanguageModelHead:
    shared = tokens if config.tie_embeddings else None
    scale = config.d_model**-0.5 if config.output_scale else 1.0
    return LanguageModelHead(config.d_model, tokens.num_embeddings, shared, bias, scale, config.logit_softcap)


def _classifier(config: ModelConfig, tokens: nn.Embedding, num_labels: int) -> nn.Module:
    pooler, bias = POOLERS[config.pooler_layer](config), config.classifier_bias
    return ClassificationHead(config.d_model, num_labels, config.pooling, config.dropout, pooler, bias)


def _tagger(config: ModelConfig, tokens: nn.Embedding, num_labels: int) -> nn.Module:
    return TaggingHead(config.d_model, num_labels, config.dropout, _of_each_token(config), config.classifier_bias)


def _span_finder(config: ModelConfig, tokens: nn.Embedding, num_labels: int) -> nn.Module:
    return SpanHead(config.d_model, _of_each_token(config), config.classifier_bias)


def _of_each_token(config: ModelConfig) -> nn.Module | None:
    """Of the poolers, ModernBERT's alone is one for single tokens too."""
    return _dense_norm(config) if config.pooler_layer == "dense_norm" else None


def _dense_norm(config: ModelConfig) -> nn.Module:
    return Pooler(config.d_model, config.head_activation, config.head_bias, norm(config))


def _next_sentence(config: ModelConfig) -> nn.Module | None:
    return NextSentenceHead(config.d_model, config.dropout) if config.next_sentence_head else None


POOLERS: dict[str, Callable[[ModelConfig], nn.Module | None]] = {
    "none": lambda config: None,
    "tanh": lambda config: Pooler(config.d_model, "tanh"),
    "gelu": lambda config: Pooler(config.d_model, "gelu"),
    "dense_norm": _dense_norm,
}
SECOND_HEADS: dict[str, Callable[[ModelConfig], nn.Module | None]] = {"masked_language_modeling": _next_sentence}
HEADS: dict[str, Callable[[ModelConfig, nn.Embedding, int], nn.Module]] = {
    "language_modeling": _language_model,
    "masked_language_modeling": _masked_language_model,
    "classification": _classifier,
    "translation": _language_model,
    "token_tagging": _tagger,
    "question_answering": _span_finder,
    "span_corruption": _language_model,
    "denoising": _language_model,
}
