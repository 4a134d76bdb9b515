"""The decoder-only transformer: writes from left to right, as GPT."""

from torch import Tensor, nn

from tfmcore.config.model import ModelConfig
from tfmcore.models.blocks import decoder_stack, input_embedding, new_cache
from tfmcore.models.heads import make_head
from tfmcore.models.model import Features, Model, ModelOutput
from tfmcore.nn.cache import Cache
from tfmcore.nn.mask import Timeline


class DecoderOnlyTransformer(Model):
    """Embeddings, a decoder without cross-attention and the head of `task` (`num_labels` for a classifier)."""

    def __init__(
        self, config: ModelConfig, vocab_size: int, task: str = "language_modeling", num_labels: int = 2
    ) -> None:
        super().__init__(config, vocab_size)
        tokens = nn.Embedding(vocab_size, config.d_model)
        self.embedding = input_embedding(config, tokens, config.num_token_types)
        self.decoder = decoder_stack(config, cross_attention=False)
        self.head = make_head(task, config, tokens, num_labels)
        self.initialize()

    def new_cache(self, batch_size: int, max_length: int) -> Cache:
        return new_cache(self.config, self.decoder, batch_size, max_length, self)

    def features(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        return_attention: bool = False,
        cache: Cache | None = None,
        document_ids: Tensor | None = None,
    ) -> Features:
        if cache is None:
            timeline = Timeline.of(input_ids, attention_mask, document_ids)
        else:
            timeline = cache.advance(input_ids, attention_mask)
        x = self.embedding(input_ids, timeline.queries, token_type_ids)
        hidden, attentions, _ = self.decoder(x, timeline, cache=cache, return_attention=return_attention)
        return Features(hidden=hidden, attentions=attentions)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        return_attention: bool = False,
        cache: Cache | None = None,
        document_ids: Tensor | None = None,
    ) -> ModelOutput:
        """Ids (B, T), and `attention_mask` (B, T) with 1 for real tokens where there is padding; a batch that is padded
        on the right needs none, since no token looks to its right. With a `cache`, both are of the new tokens only.
        Where texts share a row, `document_ids` (B, T) are instead the number of each token's text, from 1 on."""
        features = self.features(input_ids, attention_mask, token_type_ids, return_attention, cache, document_ids)
        return self.answer(features, attention_mask)
