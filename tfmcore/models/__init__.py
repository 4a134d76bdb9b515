"""The three architectures, made from a config: an encoder, a decoder, and both."""

from tfmcore.models.build import build
from tfmcore.models.decoder_only import DecoderOnlyTransformer
from tfmcore.models.encoder_decoder import EncoderDecoderTransformer
from tfmcore.models.encoder_only import EncoderOnlyTransformer
from tfmcore.models.model import Features, Model, ModelOutput
from tfmcore.models.weights import load_model, save_weights

__all__ = [
    "DecoderOnlyTransformer",
    "EncoderDecoderTransformer",
    "EncoderOnlyTransformer",
    "Features",
    "Model",
    "ModelOutput",
    "build",
    "load_model",
    "save_weights",
]
