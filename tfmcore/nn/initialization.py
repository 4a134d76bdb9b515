"""How weights begin, by the schemes of the papers."""

import torch
from torch import Tensor, nn

from tfmcore.nn.attention import MultiHeadAttention, MultiHeadSelfAttention
from tfmcore.nn.heads import LanguageModelHead
from tfmcore.nn.positions import Disentangled, RelativeBuckets


@torch.no_grad()
def initialize(model: nn.Module, scheme: str, d_model: int, num_layers: int) -> None:
    """Set every matrix of `model` anew; biases become 0 and norms keep their 1.

    normal: N(0, 0.02), as BERT. scaled_normal: the same, projections into the residual stream ÷ √(2 · layers), as
    GPT-2. xavier: uniform by fan-in and fan-out, as in 2017; embeddings N(0, D^-½). t5: N(0, fan-in^-½); embeddings
    N(0, 1), or N(0, D^-½) where the output layer shares them.
    """
    tied = {head.projection for head in model.modules() if isinstance(head, LanguageModelHead)}
    buckets = {plug.embedding for plug in model.modules() if isinstance(plug, RelativeBuckets | Disentangled)}
    for name, module in model.named_modules():
        if isinstance(module, nn.Embedding):
            large = scheme == "t5" and module not in tied | buckets
            small = d_model**-0.5 if scheme in ("xavier", "t5") else 0.02
            nn.init.normal_(module.weight, std=1.0 if large else small)
        elif isinstance(module, nn.Linear | nn.Conv1d):
            for matrix in torch.split(module.weight.flatten(1), getattr(module, "sizes", len(module.weight))):
                _fill(matrix, scheme, (2 * num_layers) ** -0.5 if name.endswith(".output") else 1.0)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    if scheme == "t5":
        for module in model.modules():
            if isinstance(module, MultiHeadAttention | MultiHeadSelfAttention):
                _shrink_queries(module)


def _fill(matrix: Tensor, scheme: str, residual: float) -> None:
    match scheme:
        case "xavier":
            nn.init.xavier_uniform_(matrix)
        case "t5":
            nn.init.normal_(matrix, std=matrix.shape[1] ** -0.5)
        case _:
            nn.init.normal_(matrix, std=0.02 * (residual if scheme == "scaled_normal" else 1.0))


def _shrink_queries(attention: MultiHeadAttention | MultiHeadSelfAttention) -> None:
    """T5 has no scale in its attention; queries that begin smaller stand in for it."""
    projection = attention.query if isinstance(attention, MultiHeadAttention) else attention.query_key_value
    projection.weight[: attention.num_heads * attention.head_dim] *= attention.head_dim**-0.5 / attention.scale
