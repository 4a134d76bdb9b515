"""`losses.loss_and_gradient` as one kernel of a GPU (https://triton-lang.org): it fetches each logit from memory once,
and writes its gradient in its place."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from tfmcore.data import IGNORED
from tfmcore.training.losses import Sums

LANES = 4096
"""A program has a row, and at most so many columns of it beside each other. Of more rows at once, some would be out
of the cache before they are read again."""
PER_WARP = 256
"""So many of them keep 32 threads busy, with eight each."""
LOG2E = tl.constexpr(1.4426950408889634)
LEAST = tl.constexpr(-1e30)
"""Stands for no logit; the difference of two is a number."""


def fused_loss(logits: Tensor, labels: Tensor, label_smoothing: float, num_classes: int) -> tuple[Sums, Tensor]:
    """As `loss_and_gradient`; the gradient is in the memory of the logits."""
    found = torch.empty(2, len(labels), device=logits.device)
    facts = num_classes, logits.shape[1], 1 - label_smoothing, label_smoothing / num_classes
    lanes = min(LANES, triton.next_power_of_2(logits.shape[1]))
    _row_loss[(len(labels),)](
        logits, labels, found, logits.stride(0), *facts, IGNORED, lanes, num_warps=max(1, lanes // PER_WARP)
    )
    return Sums(*found.sum(1)), logits


@triton.jit
def _row_loss(
    logits, labels, found, stride, num_classes: tl.constexpr, num_columns: tl.constexpr, one: tl.constexpr,
    others: tl.constexpr, IGNORED: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    logits += row * stride
    label = tl.load(labels + row)
    counts = label != IGNORED
    wanted = tl.load(logits + label, mask=counts, other=0.0).to(tl.float32)
    lane, total = tl.arange(0, LANES), 0.0

    # each lane has a softmax of its own: its largest logit, and the sum of exp(logit - largest)
    largest, exps = tl.full([LANES], LEAST, tl.float32), tl.zeros([LANES], tl.float32)
    whole: tl.constexpr = num_classes // (4 * LANES) * (4 * LANES)
    for start in range(0, whole, 4 * LANES):  # four at a time, so that the largest seldom changes
        a = tl.load(logits + start + lane, eviction_policy="evict_last").to(tl.float32)
        b = tl.load(logits + start + LANES + lane, eviction_policy="evict_last").to(tl.float32)
        c = tl.load(logits + start + 2 * LANES + lane, eviction_policy="evict_last").to(tl.float32)
        d = tl.load(logits + start + 3 * LANES + lane, eviction_policy="evict_last").to(tl.float32)
        larger = tl.maximum(tl.maximum(largest, tl.maximum(a, b)), tl.maximum(c, d))
        exps = exps * _exp(largest, larger) + (_exp(a, larger) + _exp(b, larger)) + (_exp(c, larger) + _exp(d, larger))
        largest = larger
        if others > 0:
            total += tl.sum((a + b) + (c + d))
    for start in range(whole, num_classes, LANES):
        at = start + lane
        x = _row(logits, at, num_classes, num_columns)
        larger = tl.maximum(largest, x)
        exps = exps * _exp(largest, larger) + _exp(x, larger)
        largest = larger
        if others > 0:
            total += tl.sum(tl.where(at < num_classes, x, 0.0))
    top = tl.max(largest)
    log_sum = top + tl.log(tl.sum(exps * _exp(largest, top)))

    away = tl.where(counts, log_sum, -LEAST)  # from where nothing is left of exp(logit - away)
    for start in range(0, num_columns, LANES):
        at = start + lane
        gradient = _exp(_row(logits, at, num_classes, num_columns), away)
        if others > 0:
            gradient -= tl.where(counts & (at < num_classes), others, 0.0)
        gradient = tl.where(at == label, gradient - one, gradient)
        tl.store(logits + at, gradient.to(logits.dtype.element_ty), mask=at < num_columns)

    nats = tl.where(counts, log_sum - wanted, 0.0)
    spread = tl.where(counts, (log_sum * num_classes - total) * others, 0.0)
    tl.store(found + row, one * nats + spread)
    tl.store(found + tl.num_programs(0) + row, nats)


@triton.jit
def _row(logits, at, num_classes: tl.constexpr, num_columns: tl.constexpr):
    """Logits of a row. The number of columns, unlike that of classes, may let several be loaded at once."""
    x = tl.load(logits + at, mask=at < num_columns, other=LEAST).to(tl.float32)
    return tl.where(at < num_classes, x, LEAST)


@triton.jit
def _exp(x, of):
    """exp(x - of)"""
    return tl.exp2((x - of) * LOG2E)
