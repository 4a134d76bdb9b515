"""Build, train and look inside transformers; importing this loads no torch until one of its names is used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfmcore.families.constructors import (
        BARTModel,
        BERTModel,
        DeBERTaModel,
        GPT2Model,
        GPT3Model,
        GPTModel,
        MT5Model,
        RoBERTaModel,
        T5Model,
        Transformer,
    )
    from tfmcore.families.exchange import export_hf, import_hf
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
    "BARTModel",
    "BERTModel",
    "DeBERTaModel",
    "DecoderLayer",
    "DecoderOnlyTransformer",
    "EncoderDecoderTransformer",
    "EncoderLayer",
    "EncoderOnlyTransformer",
    "FeedForward",
    "GPT2Model",
    "GPT3Model",
    "GPTModel",
    "MT5Model",
    "MultiHeadAttention",
    "MultiHeadSelfAttention",
    "PositionalEncoding",
    "ResidualConnection",
    "RoBERTaModel",
    "T5Model",
    "Transformer",
    "TransformerTrainer",
    "export_hf",
    "generate",
    "import_hf",
    "load",
    "train",
]

_HOME = {
    "BARTModel": "families.constructors",
    "BERTModel": "families.constructors",
    "DeBERTaModel": "families.constructors",
    "DecoderLayer": "nn.layers",
    "DecoderOnlyTransformer": "models.decoder_only",
    "EncoderDecoderTransformer": "models.encoder_decoder",
    "EncoderLayer": "nn.layers",
    "EncoderOnlyTransformer": "models.encoder_only",
    "FeedForward": "nn.feed_forward",
    "GPT2Model": "families.constructors",
    "GPT3Model": "families.constructors",
    "GPTModel": "families.constructors",
    "MT5Model": "families.constructors",
    "MultiHeadAttention": "nn.attention",
    "MultiHeadSelfAttention": "nn.attention",
    "PositionalEncoding": "nn.positions",
    "ResidualConnection": "nn.residual",
    "RoBERTaModel": "families.constructors",
    "T5Model": "families.constructors",
    "Transformer": "families.constructors",
    "TransformerTrainer": "training.trainer",
    "export_hf": "families.exchange",
    "generate": "inference.generate",
    "import_hf": "families.exchange",
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
