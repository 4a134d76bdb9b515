"""What a layer keeps for its backward pass, and what its gradients need meanwhile, in bytes; nothing is measured."""

from dataclasses import dataclass

from tfmcore.config.model import ModelConfig
from tfmcore.config.training import TrainingConfig

BYTES = 4
"""Weights, gradients, the optimizer's means and the loss are fp32 whatever the precision."""
MOST_KEPT = 2**20
"""So many weights of one attention that is not the kernel's are kept by a processor for their gradient: they stay in
its cache."""
MOST_COMPILED = 2**22
"""So many where steps are compiled, which makes them all at once; of more, the kernel keeps none."""
QUERIES = 256
"""So many causal queries at a time, or half of them where one thread has to do it all: what they may not see is then
hardly calculated."""
PIECES, PIECES_KEPT = 7, 3
"""So many pieces of the weights there are at once where a processor makes them piece by piece: themselves, which of
them are dropped, three on the way to the gradient, and two of the next piece; or the three alone where the others are
kept."""
DISTANCES = ("relative_buckets", "disentangled")
"""Positions whose learned biases have a gradient, which the fused kernel does not know."""


@dataclass(frozen=True)
class Kept:
    """Bytes that are `kept` from the forward pass to the backward pass, in which it takes so many more: `busy`. When it
    comes to the layer's first matrices, it has and takes only `last`."""

    kept: float
    busy: float = 0.0
    last: float = 0.0


@dataclass(frozen=True)
class Batch:
    """Of so many `tokens` in sequences of that `length` the activations are there at once, on that kind of device, a
    number taking `width` bytes; `at_once` are all weights of an attention from which some are dropped, or a few."""

    tokens: int
    length: int
    width: int
    kind: str
    at_once: bool


@dataclass(frozen=True)
class Learning:
    """Whether a layer's own weights learn, and whether a gradient goes on to what is `before` it."""

    own: bool
    before: bool


def layer_activations(
    model: ModelConfig, training: TrainingConfig, batch: Batch, layer: int, reads: bool, learning: Learning
) -> Kept:
    """Of layer number `layer` of a stack, which also `reads` what an encoder has made, or does not."""
    attention, feed_forward = _learned_inputs(model, training, learning)
    biased, window = model.position in ("alibi", *DISTANCES), bool(model.window_of(layer))
    causal = (reads or model.architecture == "decoder") and not (biased or window)
    near = _attention(model, batch, attention, causal, window, model.position)
    if not learning.before and attention < 0:  # so it has no gradient at all
        near = Kept(0.0)
    far = _attention(model, batch, attention, causal=False) if reads else Kept(0.0)
    kept, busy = 0.0, 0.0
    for part in (_feed_forward(model, batch, feed_forward), far, near):  # as the backward pass comes to them
        busy = max(busy, part.busy - kept)
        kept += part.kept
    return Kept(kept, busy, near.kept + near.busy)


def shared_activations(model: ModelConfig, batch: Batch) -> float:
    """Of a stack: what its layers share of each pair of a sequence's places, the same for every sequence: ALiBi's
    biases, T5's buckets, or distances."""
    each = {"alibi": BYTES * model.num_heads, "relative_buckets": 4, "disentangled": 8}
    return batch.length**2 * each.get(model.position, 0)


def _attention(
    model: ModelConfig, batch: Batch, inputs: float, causal: bool, window: bool = False, position: str = "none"
) -> Kept:
    """The stream, its norm, queries, keys, values (normed or rotated ones again) and the result. Where the fused kernel
    cannot serve (learned biases, a soft cap, dropout on a processor), there are copies of them for each head, and the
    weights: all, or a few at a time, which are kept where they are few."""
    queries, keys = model.num_heads * model.width_per_head, model.kv_heads * model.width_per_head
    pairs, biased = model.num_heads * batch.length, position in ("alibi", *DISTANCES)
    rate = model.dropout if model.attention_dropout is None else model.attention_dropout
    on_cuda, capped, learned = batch.kind == "cuda", model.attention_softcap is not None, position in DISTANCES
    dropped, narrow = bool(rate) and not on_cuda, batch.width < BYTES
    few = batch.tokens * pairs <= (MOST_COMPILED if batch.at_once else MOST_KEPT)
    few &= batch.at_once or not causal or batch.length <= QUERIES
    in_pieces = not on_cuda and not capped and (dropped or narrow or (batch.at_once and few))
    numbers = _around(model) + (queries + keys) * model.query_key_norm + inputs
    precise = maps = 0.0
    if in_pieces or capped or learned:
        numbers += (4 if inputs >= 0 else 3) * queries
    else:
        numbers += 2 * (queries + keys) + (queries + keys) * (position == "rotary" or model.query_key_norm)
    if capped:
        # tanh and softmax; which are dropped, and what is left; or what is left where a mask hides some
        precise = 4 if dropped else 2 + (biased or window)
    elif in_pieces:
        maps = 3 if dropped and batch.at_once else (1 + dropped) * few
        maps += 2 * (position == "disentangled")
    elif learned:
        maps = 1
    busy = model.d_model + 2 * (queries + keys)
    if position == "disentangled":
        seen = model.num_heads * min(2 * batch.length - 1, 2 * model.position_span)
        numbers += len(model.position_terms) * (seen + queries)
        busy += seen
    each, whole = batch.tokens * batch.width, batch.tokens * pairs
    kept = each * (numbers + pairs * maps) + whole * precise * BYTES
    if window and not biased:
        kept += BYTES * batch.length**2  # the mask, as a bias
    if not in_pieces:
        return Kept(kept, each * busy + (2 - dropped) * whole * BYTES * (capped or learned))
    piece = max(MOST_KEPT, batch.length * pairs * biased)
    if biased and position != "disentangled":
        kept += batch.width * batch.length * pairs  # the biases, in each layer
    if causal:
        whole = min(whole, batch.tokens * model.num_heads * QUERIES)
    return Kept(kept, each * busy + (PIECES_KEPT if few else PIECES) * batch.width * min(piece, whole))


def _feed_forward(model: ModelConfig, batch: Batch, inputs: float) -> Kept:
    """The stream, its norm, and what stands between the matrices."""
    inner = 4 if model.gated else (1 if model.activation == "relu" else 2)
    numbers = _around(model) + inner * model.ff_width + inputs
    busy = model.d_model + (1 + model.gated) * model.ff_width
    return Kept(batch.tokens * batch.width * numbers, batch.tokens * batch.width * busy)


def _around(model: ModelConfig) -> float:
    """Of a sublayer: the stream and its norm; for each number that dropout may set to zero whether it does; and the
    result, where a norm comes after it."""
    return (2 + bool(model.dropout) + (model.norm_placement == "sandwich")) * model.d_model


def _learned_inputs(model: ModelConfig, training: TrainingConfig, learning: Learning) -> tuple[float, float]:
    """What an attention and a feed-forward layer keep beyond those whose matrices learn, in numbers for each token. A
    matrix that does not learn does not keep its input; an update keeps it, and its short vectors, and with a dropout of
    its own what that leaves of the input, and which."""
    queries, dropped = model.num_heads * model.width_per_head, bool(training.lora_dropout)
    own = model.ff_width * (model.gated or model.activation != "relu")  # what the last matrix alone has kept
    attention, feed_forward = -float(model.d_model), -float(model.d_model + own)
    if not learning.own:
        return attention, feed_forward
    if not training.lora_rank:
        return 0.0, 0.0
    if "attention" in training.lora_targets:
        attention = 4.0 * training.lora_rank + dropped * (model.d_model + 2 * queries)
    if "feed_forward" in training.lora_targets:
        feed_forward = (2.0 + model.gated) * training.lora_rank + dropped * (model.d_model + 2 * model.ff_width - own)
    return attention, feed_forward
