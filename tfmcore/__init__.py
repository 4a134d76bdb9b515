"""Build, train and look inside transformers; importing this loads no torch until one of its names is used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfmcore.inference.generate import generate
    from tfmcore.inference.opened import load
    from tfmcore.models.decoder_only import DecoderOnlyTransformer
    from tfmcore.models.encoder_decoder import EncoderDecoderTransformer
    from tfmcore.models.encoder_only import EncoderOnlyTransformer
    from tfmcore.nn.attention import MultiHeadAttention, MultiHeadSelfAttention
    from tfmcore.nn.feed_forward import FeedForward
    from tfmcore.nn.layers import DecoderLayer, EncoderLayer
    from tfmcore.nn.positions import PositionalEncoding
    from tfmcore.nn.residual import ResidualConnection
    from tfmcore.training.trainer import TransformerTrainer, train

__all__ = [
    "DecoderLayer",
    "DecoderOnlyTransformer",
    "EncoderDecoderTransformer",
    "EncoderLayer",
    "EncoderOnlyTransformer",
    "FeedForward",
    "MultiHeadAttention",
    "MultiHeadSelfAttention",
    "PositionalEncoding",
    "ResidualConnection",
    "TransformerTrainer",
    "generate",
    "load",
    "train",
]

_HOME = {
    "DecoderLayer": "nn.layers",
    "DecoderOnlyTransformer": "models.decoder_only",
    "EncoderDecoderTransformer": "models.encoder_decoder",
    "EncoderLayer": "nn.layers",
    "EncoderOnlyTransformer": "models.encoder_only",
    "FeedForward": "nn.feed_forward",
    "MultiHeadAttention": "nn.attention",
    "MultiHeadSelfAttention": "nn.attention",
    "PositionalEncoding": "nn.positions",
    "ResidualConnection": "nn.residual",
    "TransformerTrainer": "training.trainer",
    "generate": "inference.generate",
    "load": "inference.opened",
    "train": "training.trainer",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
