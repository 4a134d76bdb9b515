"""The encoder-only transformer: reads a whole text at once, as BERT."""

from torch import Tensor, nn

from tfmcore.config.model import ModelConfig
from tfmcore.models.blocks import encoder_stack, input_embedding
from tfmcore.models.heads import make_head, make_second_head
from tfmcore.models.model import Features, Model, ModelOutput
from tfmcore.nn.mask import Timeline


class EncoderOnlyTransformer(Model):
    """Embeddings, an encoder and the head of `task` (`num_labels` for a classifier)."""

    def __init__(
        self, config: ModelConfig, vocab_size: int, task: str = "masked_language_modeling", num_labels: int = 2
    ) -> None:
        super().__init__(config, vocab_size)
        tokens = nn.Embedding(vocab_size, config.d_model)
        self.embedding = input_embedding(config, tokens, config.num_token_types)
        self.encoder = encoder_stack(config)
        self.head = make_head(task, config, tokens, num_labels)
        self.next_sentence_head = make_second_head(task, config)
        self.initialize()

    def features(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        return_attention: bool = False,
        document_ids: Tensor | None = None,
    ) -> Features:
        timeline = Timeline.of(input_ids, attention_mask, document_ids)
        x = self.embedding(input_ids, timeline.queries, token_type_ids)
        hidden, attentions = self.encoder(x, timeline, return_attention)
        return Features(hidden=hidden, attentions=attentions)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        return_attention: bool = False,
        document_ids: Tensor | None = None,
    ) -> ModelOutput:
        """Ids (B, T), and `attention_mask` (B, T) with 1 for real tokens where there is padding; where texts share a
        row, instead of it `document_ids` (B, T), the number of each token's text from 1 on."""
        features = self.features(input_ids, attention_mask, token_type_ids, return_attention, document_ids)
        return self.answer(features, attention_mask)
