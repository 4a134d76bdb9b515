"""From a config to blocks: the one place that unpacks a ModelConfig."""

import torch
from torch import nn

from tfmcore.config.model import ModelConfig
from tfmcore.config.problems import UserError
from tfmcore.nn.attention import HeadOptions, MultiHeadAttention, MultiHeadSelfAttention
from tfmcore.nn.cache import Cache, KeyValueCache
from tfmcore.nn.embedding import InputEmbedding
from tfmcore.nn.feed_forward import FeedForward
from tfmcore.nn.layers import DecoderLayer, EncoderLayer
from tfmcore.nn.mask import Band
from tfmcore.nn.norm import LayerNorm, RMSNorm
from tfmcore.nn.positions import LearnedPositions, PositionalEncoding, Positions, RelativeBuckets, Rotary
from tfmcore.nn.residual import ResidualConnection
from tfmcore.nn.stacks import DecoderStack, EncoderStack


def norm(config: ModelConfig) -> nn.Module:
    if config.norm == "rms":
        return RMSNorm(config.d_model, config.norm_eps)
    return LayerNorm(config.d_model, config.norm_eps, config.norm_bias)


def encoder_stack(config: ModelConfig) -> EncoderStack:
    reach = None if config.attention_window is None else config.attention_window - 1
    layers = [
        EncoderLayer(_self_attention(config, (reach, reach)), _feed_forward(config), lambda: _residual(config))
        for _ in range(config.num_layers)
    ]
    return EncoderStack(layers, _positions(config, one_sided=False), _final_norm(config))


def decoder_stack(config: ModelConfig, cross_attention: bool) -> DecoderStack:
    reach = None if config.attention_window is None else config.attention_window - 1
    layers = [
        DecoderLayer(
            _self_attention(config, (reach, 0)),
            _feed_forward(config),
            lambda: _residual(config),
            MultiHeadAttention(config.d_model, config.num_heads, **_heads(config)) if cross_attention else None,
        )
        for _ in range(config.decoder_layers if cross_attention else config.num_layers)
    ]
    return DecoderStack(layers, _positions(config, one_sided=True), _final_norm(config))


def input_embedding(config: ModelConfig, tokens: nn.Embedding, num_token_types: int = 0) -> InputEmbedding:
    positions: LearnedPositions | PositionalEncoding | None = None
    if config.position == "learned":
        positions = LearnedPositions(config.context_length, config.d_model)
    elif config.position == "sinusoidal":
        positions = PositionalEncoding(config.d_model)
    scale = config.d_model**0.5 if config.embedding_scale else 1.0
    after = norm(config) if config.embedding_norm else None
    return InputEmbedding(tokens, positions, num_token_types, after, config.dropout, scale)


def new_cache(config: ModelConfig, stack: DecoderStack, batch_size: int, max_length: int, like: nn.Module) -> Cache:
    """An empty cache for `batch_size` sequences of at most `max_length` tokens; raises UserError where learned
    positions end before."""
    if config.position == "learned" and max_length > config.context_length:
        raise UserError(f"{max_length} tokens are too many: this model has positions for {config.context_length}")
    weight = next(like.parameters())
    shape = (batch_size, config.kv_heads, max_length, config.width_per_head)
    layers = [KeyValueCache(torch.empty(shape, dtype=weight.dtype, device=weight.device)) for _ in stack.layers]
    return Cache(layers, batch_size, max_length, weight.device)


def _heads(config: ModelConfig) -> HeadOptions:
    return HeadOptions(
        num_kv_heads=config.kv_heads,
        head_dim=config.width_per_head,
        bias=config.attention_bias,
        dropout=config.dropout if config.attention_dropout is None else config.attention_dropout,
        scale=config.attention_scale,
    )


def _self_attention(config: ModelConfig, band: Band) -> MultiHeadSelfAttention:
    return MultiHeadSelfAttention(config.d_model, config.num_heads, band=band, **_heads(config))


def _feed_forward(config: ModelConfig) -> FeedForward:
    return FeedForward(config.d_model, config.ff_width, activation=config.activation, bias=config.feed_forward_bias)


def _residual(config: ModelConfig) -> ResidualConnection:
    return ResidualConnection(norm(config), config.norm_placement, config.dropout)


def _final_norm(config: ModelConfig) -> nn.Module | None:
    return norm(config) if config.has_final_norm else None


def _positions(config: ModelConfig, one_sided: bool) -> Positions:
    match config.position:
        case "rotary":
            return Rotary(config.width_per_head, config.rope_theta)
        case "relative_buckets":
            buckets, farthest = config.num_position_buckets, config.max_position_distance
            return RelativeBuckets(config.num_heads, buckets, farthest, one_sided)
        case _:
            return Positions()
