"""From the description of a saved model to the model itself."""

from tfmcore.config.saved import SavedModel
from tfmcore.models.decoder_only import DecoderOnlyTransformer
from tfmcore.models.encoder_decoder import EncoderDecoderTransformer
from tfmcore.models.encoder_only import EncoderOnlyTransformer
from tfmcore.models.model import Model

ARCHITECTURES: dict[str, type[EncoderOnlyTransformer | DecoderOnlyTransformer | EncoderDecoderTransformer]] = {
    "encoder": EncoderOnlyTransformer,
    "decoder": DecoderOnlyTransformer,
    "encoder_decoder": EncoderDecoderTransformer,
}


def build(saved: SavedModel) -> Model:
    """The model that `saved` describes, with fresh weights: seed torch first to have the same ones again."""
    return ARCHITECTURES[saved.model.architecture](saved.model, saved.vocab_size, saved.task, len(saved.labels) or 2)
