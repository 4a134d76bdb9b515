"""What turns the last layer's vectors into answers, one class for each kind of answer."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tfmcore.nn.activations import ACTIVATIONS, Activation
from tfmcore.nn.dropout import Dropout
from tfmcore.nn.kernels.linear import linear, missing_rows
from tfmcore.nn.kernels.packed import PackedLinear
from tfmcore.nn.linear import Linear

Pooling = Literal["first", "mean", "last"]


class VocabularyHead(nn.Module):
    """A head that answers at each place by itself, with a logit for each token: (…, D) → (…, V)."""

    def weights_for(self, hidden: Tensor) -> dict[str, Tensor]:
        """Its weights by their names. Where a GPU is quicker with them, there are more rows than tokens: what the head
        makes of hidden (…, D) with these is then followed by logits that mean nothing."""
        return dict(self.named_parameters())


class LanguageModelHead(VocabularyHead):
    """Logits of every token: (B, T, D) → (B, T, V). Tied where it is given the `tokens` whose matrix it shares
    (https://arxiv.org/abs/1608.05859); the vectors are multiplied by `scale` before, and `softcap` keeps the logits
    within ± that (https://arxiv.org/abs/2408.00118). `packed`, if there is one, stands for the matrix."""

    def __init__(
        self,
        d_model: int,
        vocab_size: int,
        tokens: nn.Embedding | None = None,
        bias: bool = False,
        scale: float = 1.0,
        softcap: float | None = None,
    ) -> None:
        super().__init__()
        self.projection = tokens if tokens is not None else Linear(d_model, vocab_size, bias=False)
        self.bias = nn.Parameter(torch.zeros(vocab_size)) if bias else None
        self.scale, self.softcap = scale, softcap
        self.packed: PackedLinear | None = None

    def forward(self, hidden: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        x = hidden if self.scale == 1.0 else hidden * self.scale
        logits = linear(x, self.projection.weight, self.bias) if self.packed is None else self.packed(x)
        return logits if self.softcap is None else torch.tanh(logits / self.softcap) * self.softcap

    def weights_for(self, hidden: Tensor) -> dict[str, Tensor]:
        weights = super().weights_for(hidden)
        shared = bool(self._forward_hooks)  # others' logits are put beside these
        if not shared and (missing := missing_rows(hidden, self.projection.weight)):
            for name in weights.keys() & {"projection.weight", "bias"}:
                rest = (0, 0) * (weights[name].dim() - 1)
                weights[name] = F.pad(weights[name], (*rest, 0, missing))
        return weights


class MaskedLanguageModelHead(VocabularyHead):
    """dense, activation, norm, then a language model's head, the `decoder`: (B, T, D) → (B, T, V)
    (BERT, https://arxiv.org/abs/1810.04805)."""

    def __init__(
        self,
        d_model: int,
        decoder: LanguageModelHead,
        norm: nn.Module,
        activation: str = "gelu",
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.dense = Linear(d_model, d_model, bias)
        self.norm = norm
        self.activation = ACTIVATIONS[activation]
        self.decoder = decoder

    def forward(self, hidden: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        logits: Tensor = self.decoder(self.norm(self.activation(self.dense(hidden))))
        return logits

    def weights_for(self, hidden: Tensor) -> dict[str, Tensor]:
        ours = self.decoder.weights_for(hidden)
        return super().weights_for(hidden) | {f"decoder.{name}": weight for name, weight in ours.items()}


class Pooler(nn.Sequential):
    """What vectors pass before a choice is made: a dense layer, an activation, and a norm if there is one."""

    def __init__(self, d_model: int, activation: str, bias: bool = True, norm: nn.Module | None = None) -> None:
        layers = [Linear(d_model, d_model, bias), Activation(activation)]
        super().__init__(*layers, *([] if norm is None else [norm]))


class ClassificationHead(nn.Module):
    """One vector for the whole text, which passes the `pooler`, then a choice: (B, T, D) → (B, C)."""

    def __init__(
        self,
        d_model: int,
        num_labels: int,
        pooling: Pooling = "mean",
        dropout: float = 0.0,
        pooler: nn.Module | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.pooling: Pooling = pooling
        self.pooler = pooler or nn.Identity()
        self.dropout = Dropout(dropout)
        self.classifier = Linear(d_model, num_labels, bias)

    def forward(self, hidden: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        logits: Tensor = self.classifier(self.dropout(self.pooler(pool(hidden, attention_mask, self.pooling))))
        return logits


class NextSentenceHead(ClassificationHead):
    """Does the second text follow the first? BERT's pooler and a choice of two: (B, T, D) → (B, 2)."""

    def __init__(self, d_model: int, dropout: float = 0.0) -> None:
        super().__init__(d_model, 2, "first", dropout, Pooler(d_model, "tanh"))


class TaggingHead(nn.Module):
    """A label for each token, whose vector passes the `pooler` if there is one: (B, T, D) → (B, T, C)."""

    def __init__(
        self,
        d_model: int,
        num_labels: int,
        dropout: float = 0.0,
        pooler: nn.Module | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.pooler = pooler or nn.Identity()
        self.dropout = Dropout(dropout)
        self.classifier = Linear(d_model, num_labels, bias)

    def forward(self, hidden: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        logits: Tensor = self.classifier(self.dropout(self.pooler(hidden)))
        return logits


class SpanHead(nn.Module):
    """Where an answer starts and where it ends: (B, T, D) → (B, T, 2); padding is never chosen."""

    def __init__(self, d_model: int, pooler: nn.Module | None = None, bias: bool = True) -> None:
        super().__init__()
        self.pooler = pooler or nn.Identity()
        self.start_end = Linear(d_model, 2, bias)

    def forward(self, hidden: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        logits: Tensor = self.start_end(self.pooler(hidden))
        if attention_mask is None:
            return logits
        return logits.masked_fill(~attention_mask.bool()[..., None], torch.finfo(logits.dtype).min)


def pool(hidden: Tensor, attention_mask: Tensor | None, pooling: Pooling) -> Tensor:
    """(B, T, D) → (B, D): the first, the last or the mean of the real tokens, wherever the padding is."""
    if attention_mask is None:
        return hidden.mean(1) if pooling == "mean" else hidden[:, 0 if pooling == "first" else -1]
    if pooling == "mean":
        real = attention_mask.to(hidden.dtype)[..., None]
        return (hidden * real).sum(1) / real.sum(1).clamp(min=1)
    order = torch.arange(hidden.shape[1], 0, -1, device=hidden.device)
    order = order if pooling == "first" else order.flip(0)
    index = (attention_mask.long() * order).argmax(1)
    return hidden[torch.arange(hidden.shape[0], device=hidden.device), index]
