"""The encoder-decoder transformer of 2017: reads one text and writes another."""

from torch import Tensor, nn

from tfmcore.config.model import ModelConfig
from tfmcore.models.blocks import decoder_stack, encoder_stack, input_embedding, new_cache
from tfmcore.models.heads import make_head
from tfmcore.models.model import Features, Model, ModelOutput
from tfmcore.nn.cache import Cache
from tfmcore.nn.mask import Timeline
from tfmcore.nn.stacks import Weights


class EncoderDecoderTransformer(Model):
    """An encoder, a decoder that looks at what it read, and a language model's head; one token embedding for both."""

    def __init__(self, config: ModelConfig, vocab_size: int, task: str = "translation", num_labels: int = 2) -> None:
        super().__init__(config, vocab_size)
        tokens = nn.Embedding(vocab_size, config.d_model)
        self.encoder_embedding = input_embedding(config, tokens, config.num_token_types)
        self.encoder = encoder_stack(config)
        self.decoder_embedding = input_embedding(config, tokens)
        self.decoder = decoder_stack(config, cross_attention=True)
        self.head = make_head(task, config, tokens, num_labels)
        self.initialize()

    def new_cache(self, batch_size: int, max_length: int) -> Cache:
        return new_cache(self.config, self.decoder, batch_size, max_length, self)

    def encode(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        return_attention: bool = False,
        document_ids: Tensor | None = None,
    ) -> tuple[Tensor, Weights]:
        """Ids (B, S) → memory (B, S, D), and the encoder's attentions if asked for."""
        timeline = Timeline.of(input_ids, attention_mask, document_ids)
        x = self.encoder_embedding(input_ids, timeline.queries, token_type_ids)
        memory, attentions = self.encoder(x, timeline, return_attention)
        return memory, attentions

    def decode(
        self,
        decoder_input_ids: Tensor,
        memory: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        return_attention: bool = False,
        cache: Cache | None = None,
        document_ids: Tensor | None = None,
        decoder_document_ids: Tensor | None = None,
    ) -> Features:
        """Ids (B, T) that look at `memory` (B, S, D) with its `attention_mask` (B, S), or where texts share a row with
        the `document_ids` of both. A cache keeps memory and mask: with one, they are needed in the first call only, and
        the decoder's ids and mask are of the new tokens only."""
        if cache is None:
            timeline = Timeline.of(decoder_input_ids, decoder_attention_mask, decoder_document_ids)
        else:
            timeline = cache.advance(decoder_input_ids, decoder_attention_mask)
        x = self.decoder_embedding(decoder_input_ids, timeline.queries)
        seen = attention_mask if document_ids is None else document_ids
        hidden, own, cross = self.decoder(x, timeline, memory, seen, cache, return_attention)
        return Features(hidden=hidden, attentions=own, cross_attentions=cross)

    def features(
        self,
        input_ids: Tensor | None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        *,
        decoder_input_ids: Tensor,
        decoder_attention_mask: Tensor | None = None,
        return_attention: bool = False,
        cache: Cache | None = None,
        document_ids: Tensor | None = None,
        decoder_document_ids: Tensor | None = None,
    ) -> Features:
        memory, attentions = None, None
        if input_ids is not None and not (cache and cache.memories):
            memory, attentions = self.encode(input_ids, attention_mask, token_type_ids, return_attention, document_ids)
        features = self.decode(
            decoder_input_ids,
            memory,
            attention_mask,
            decoder_attention_mask,
            return_attention,
            cache,
            document_ids,
            decoder_document_ids,
        )
        features.encoder_attentions = attentions
        return features

    def forward(
        self,
        input_ids: Tensor | None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        *,
        decoder_input_ids: Tensor,
        decoder_attention_mask: Tensor | None = None,
        return_attention: bool = False,
        cache: Cache | None = None,
        document_ids: Tensor | None = None,
        decoder_document_ids: Tensor | None = None,
    ) -> ModelOutput:
        """Ids (B, S) and `decoder_input_ids` (B, T) → logits (B, T, V); masks have 1 for real tokens. A decoder's batch
        that is padded on the right needs no mask, since no token looks to its right. With a `cache` the source is read
        in the first call only (it may be None after that), and the decoder's ids and mask are of the new tokens. Where
        texts share a row, the document ids say which text a token is of, from 1 on, 0 for padding; masks are None."""
        features = self.features(
            input_ids,
            attention_mask,
            token_type_ids,
            decoder_input_ids=decoder_input_ids,
            decoder_attention_mask=decoder_attention_mask,
            return_attention=return_attention,
            cache=cache,
            document_ids=document_ids,
            decoder_document_ids=decoder_document_ids,
        )
        return self.answer(features, decoder_attention_mask)
