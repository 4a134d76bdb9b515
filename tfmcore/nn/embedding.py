"""From token ids to vectors."""

import torch
from torch import Tensor, nn

from tfmcore.nn.dropout import Dropout
from tfmcore.nn.positions import LearnedPositions, PositionalEncoding
from tfmcore.nn.probe import Probe


class InputEmbedding(nn.Module):
    """dropout(norm(tokens · scale + positions + token types)); `tokens` may be shared with another embedding."""

    def __init__(
        self,
        tokens: nn.Embedding,
        positions: LearnedPositions | PositionalEncoding | None = None,
        num_token_types: int = 0,
        norm: nn.Module | None = None,
        dropout: float = 0.0,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.tokens = tokens
        self.positions = positions
        self.token_types = nn.Embedding(num_token_types, tokens.embedding_dim) if num_token_types else None
        self.norm = norm or nn.Identity()
        self.dropout = Dropout(dropout)
        self.scale = scale
        self.probe_output = Probe()

    def forward(self, input_ids: Tensor, positions: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """Ids (B, T) at positions (B or 1, T) → (B, T, D). Without `token_type_ids` every token is of type 0; types
        beyond the last are the last; a model without token types takes no notice of them."""
        x = self.tokens(input_ids)
        if self.scale != 1.0:
            x = x * self.scale
        if self.positions is not None:
            x = x + self.positions(positions)
        if self.token_types is not None:
            last = self.token_types.num_embeddings - 1
            first_type = self.token_types.weight[0]
            x = x + (first_type if token_type_ids is None else self.token_types(token_type_ids.clamp(max=last)))
        x = self.norm(x)
        if torch.is_autocast_enabled(x.device.type) and torch.get_autocast_dtype(x.device.type) == torch.bfloat16:
            x = x.bfloat16()  # the residual stream has the numbers of the products, where their range is that of fp32
        return self.probe_output(self.dropout(x))
