"""Which token may look at which: a band around each query, and padding that nobody sees."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor

from tfmcore.nn.positions import Relative

Band = tuple[int | None, int | None]
"""How many tokens to the left and to the right of itself a query sees; None: all of them."""
FULL: Band = (None, None)
CAUSAL: Band = (None, 0)


class Mask(NamedTuple):
    """What attention adds to its scores: `tensor` (B or 1, H or 1, T or 1, S), bool (True: may look) or float
    (a bias, -inf: may not look); or no tensor but `causal`, which the fused kernel knows by itself. Of `relative`
    each attention makes a bias of its own. Where there is `until` (1,), nobody looks at keys after that place, and they
    need not be read."""

    tensor: Tensor | None = None
    causal: bool = False
    relative: Relative | None = None
    until: Tensor | None = None

    @classmethod
    def of_padding(cls, attention_mask: Tensor | None) -> Self:
        """Every query sees every real key: `attention_mask` (B, S), 1 for a real token."""
        return cls() if attention_mask is None else cls(attention_mask.bool()[:, None, None, :])

    @classmethod
    def of_documents(cls, queries: Tensor, keys: Tensor) -> Self:
        """Every query sees the keys of its own document: `queries` (B, T) and `keys` (B, S) are document numbers from 1
        on. What padding, of the number 0, sees does not matter, as long as it sees something."""
        queries = queries[:, None, :, None]
        return cls((queries == keys[:, None, None, :]) | (queries == 0))

    def allowed(self, scores: Tensor) -> Tensor | None:
        """True where a query of `scores` (…, T, S) may look; None where every query may look everywhere."""
        if self.causal:
            return torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril_()
        if self.tensor is None and self.until is not None:
            return torch.arange(scores.shape[-1], device=scores.device) <= self.until
        if self.tensor is not None and self.tensor.is_floating_point():
            return self.tensor > float("-inf")
        return self.tensor

    def biased(self, bias: Tensor) -> "Mask":
        """This mask with `bias` (B or 1, H, T, S) added; it is the bias's last use."""
        allowed = self.allowed(bias)
        if self.tensor is not None and self.tensor.is_floating_point():
            bias = bias + self.tensor
        return Mask(bias if allowed is None else fill(bias, ~allowed, float("-inf")), until=self.until)


@dataclass(frozen=True)
class Timeline:
    """Where tokens stand. `queries` (B or 1, T) and `keys` (B or 1, S) are positions, counted over real tokens only;
    `real` (B, S) is False for padding, None where there is none. Where texts share a row, `documents` (B, S) are the
    number of each token's text, and positions are counted in it. Masks are what attention adds, if they are to be
    `as_bias`, so that kernels which need it so do not make it for every layer. Where keys after a place (1,) are not
    `real`, and all others are, `until` may say so."""

    queries: Tensor
    keys: Tensor
    real: Tensor | None = None
    documents: Tensor | None = None
    as_bias: bool = False
    until: Tensor | None = None

    @classmethod
    def of(cls, x: Tensor, attention_mask: Tensor | None = None, document_ids: Tensor | None = None) -> Self:
        """The timeline of a whole sequence `x` (B, T) or (B, T, D), padded at either end; or of several in a row, told
        apart by `document_ids` (B, T) from 1 on, 0 for padding."""
        if document_ids is not None:
            positions = count_in_documents(document_ids)
            return cls(positions, positions, document_ids > 0, document_ids)
        if attention_mask is None:
            positions = torch.arange(x.shape[1], device=x.device)[None]
            return cls(positions, positions)
        positions = count_positions(attention_mask)
        return cls(positions, positions, attention_mask.bool())

    def mask(self, band: Band, bias: Tensor | None = None) -> Mask:
        """The mask of a self-attention with that band, and `bias` (B or 1, H, T, S) added to its scores."""
        (left, right), T, S = band, self.queries.shape[-1], self.keys.shape[-1]
        if band == CAUSAL and T == S and self.real is None and bias is None:
            # the kernel's own causal mask needs no tensor; an exporter's T is no number
            return Mask(causal=bool(T > 1))
        if left is None and self.until is not None and bias is None:
            return Mask(until=self.until)  # which says it all of the newest token
        own = self.documents
        allowed = (Mask.of_padding(self.real) if own is None else Mask.of_documents(own, own)).tensor
        queries, keys = self.queries[:, None, :, None], self.keys[:, None, None, :]
        if left is not None:
            allowed = _both(allowed, keys >= queries - left)  # (B or 1, 1, T, S)
        if right is not None and T > 1:  # nothing stands to the right of the newest token
            allowed = _both(allowed, keys <= queries + right)
        if bias is None and allowed is not None and self.as_bias:
            bias = torch.zeros(allowed.shape, device=allowed.device)
        if bias is None or allowed is None:
            return Mask(allowed if bias is None else bias, until=self.until)
        return Mask(bias.masked_fill(~allowed, float("-inf")), until=self.until)


def count_positions(attention_mask: Tensor) -> Tensor:
    """Position of each token among the real ones: (B, T) → (B, T). Padding takes the position before it."""
    return (attention_mask.long().cumsum(-1) - 1).clamp(min=0)


def count_in_documents(document_ids: Tensor) -> Tensor:
    """Position of each token in its document, whose tokens stand side by side: (B, T) → (B, T)."""
    places = torch.arange(document_ids.shape[-1], device=document_ids.device)
    begins = document_ids != document_ids.roll(1, -1)
    return places - (places * begins).cummax(-1).values


def _both(first: Tensor | None, second: Tensor) -> Tensor:
    return second if first is None else first & second


def fill(x: Tensor, where: Tensor, value: float) -> Tensor:
    """`x` with that value somewhere; `x` itself becomes it where no gradient needs what it was."""
    return x.masked_fill(where, value) if x.requires_grad else x.masked_fill_(where, value)
