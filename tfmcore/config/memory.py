"""What memory a training step needs before it is taken, by what it holds; nothing is measured, nothing is loaded.

Two moments need the most. When the loss is known, every activation is still there and the logits stand beside their
gradient. When the backward pass ends, the activations are gone and every gradient is there. The larger one counts.
"""

from dataclasses import dataclass

from tfmcore.config.config import Config
from tfmcore.config.estimate import Estimate, likely_cost
from tfmcore.config.model import ModelConfig
from tfmcore.config.training import TrainingConfig

BYTES = 4
"""Weights, gradients, the optimizer's means and the loss are fp32 whatever the precision."""
MOST_LOGITS = 2**24
"""So many logits exist at once, at the most: 64 MiB of fp32."""
COPIES = 3
"""Of these logits: their log-probabilities, and the gradients of both."""
WITHOUT_LOGITS = ("classification", "token_tagging", "question_answering")


@dataclass(frozen=True)
class _Moment:
    gradients: float
    activations: float
    logits: float

    @property
    def total(self) -> float:
        return self.gradients + self.activations + self.logits


def training_memory(cost: Estimate, training: TrainingConfig, context_length: int | None = None) -> dict[str, int]:
    """Bytes that a training step needs, by what they hold; sequences are taken to be `context_length` long (None: as
    long as they can be), and every weight to learn."""
    length, weights, hidden = context_length or cost.model.context_length, cost.total, _hidden_weights(cost)
    narrow = training.precision != "fp32"
    means = 2 * weights - (hidden if training.optimizer == "muon" else 0)
    moment = max(_moments(cost, training, training.batch_size * length, length), key=lambda moment: moment.total)
    parts = {
        "weights": BYTES * weights * (2 if training.ema_decay else 1) + (2 * hidden if narrow else 0),
        "gradients": moment.gradients,
        "optimizer": BYTES * means,
        "activations": moment.activations,
        "logits": moment.logits,
    }
    return {name: round(size) for name, size in parts.items()}


def memory_to_train(config: Config) -> int:
    """All of it, as far as it can be told before the data are prepared."""
    return sum(training_memory(likely_cost(config), config.training).values())


def largest_batch(cost: Estimate, training: TrainingConfig, limit: float) -> int:
    """The most sequences of a batch whose step needs at most `limit` bytes; 0 where not even one does."""
    most = next(bound.le for bound in TrainingConfig.model_fields["batch_size"].metadata if hasattr(bound, "le"))
    fits, too_many = 0, int(most) + 1
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if _needs(cost, training, batch_size=middle) <= limit:
            fits = middle
        else:
            too_many = middle
    return fits


def same_step_within(cost: Estimate, training: TrainingConfig, limit: float) -> dict[str, int | bool]:
    """Settings with which the same step needs at most `limit` bytes, and less than now: a smaller batch, more often, or
    layers computed twice; nothing where there are none."""
    sequences = training.batch_size * training.accumulation
    smaller = [size for size in range(training.batch_size - 1, 0, -1) if sequences % size == 0]
    ways: list[dict[str, int | bool]] = [{"batch_size": size, "accumulation": sequences // size} for size in smaller]
    if not training.gradient_checkpointing:
        ways += [{**way, "gradient_checkpointing": True} for way in ({}, *ways)]
    return next((way for way in ways if _needs(cost, training, **way) <= limit), {})


def _needs(cost: Estimate, training: TrainingConfig, **changes: int | bool) -> int:
    return sum(training_memory(cost, training.model_copy(update=changes)).values())


def _moments(cost: Estimate, training: TrainingConfig, tokens: int, length: int) -> list[_Moment]:
    """When the loss is known, in the middle of the last layer's backward pass, and at the end of all."""
    model, width = cost.model, BYTES if training.precision == "fp32" else 2
    layers = [size for size, count in _activations(model, length, width) for _ in range(count)]
    streams = 2 if model.architecture == "encoder_decoder" else 1
    outside = 3 * model.d_model * streams * BYTES
    kept = outside + (len(layers) * model.d_model * BYTES if training.gradient_checkpointing else sum(layers))
    again = max(layers) if training.gradient_checkpointing else 0.0
    every, matrix = BYTES * cost.total, BYTES * cost.vocab_size * model.d_model
    before = every if training.accumulation > 1 else 0
    logits, of_head = 0.0, 0.0
    if cost.task not in WITHOUT_LOGITS:
        at_once = max(1, MOST_LOGITS // cost.vocab_size)
        logits = COPIES * BYTES * cost.vocab_size * min(tokens, at_once)
        if tokens > at_once:  # piece by piece: the gradients of a piece are added to those of the others
            logits, of_head = logits + matrix, matrix + BYTES * tokens * model.d_model
    return [
        _Moment(before + of_head, tokens * kept, logits),
        _Moment(before + of_head + matrix, tokens * (kept + again), 0),
        _Moment(every + matrix, tokens * (outside + max(layers)), 0),
    ]


def _hidden_weights(cost: Estimate) -> int:
    """The matrices within layers, about: all but the embeddings and the head."""
    return sum(count for name, count in cost.parameters.items() if "attention" in name or "feed-forward" in name)


def _activations(model: ModelConfig, length: int, width: int) -> list[tuple[float, int]]:
    """For each kind of layer: how many bytes a token its backward pass needs, where a number takes `width` of them, and
    how many such layers there are."""
    layer = _attention_activations(model, length, width) + _feed_forward_activations(model) * width
    if model.architecture != "encoder_decoder":
        return [(layer, model.num_layers)]
    return [
        (layer, model.num_layers),
        (layer + _attention_activations(model, length, width, cross=True), model.decoder_layers),
    ]


def _attention_activations(model: ModelConfig, length: int, width: int, cross: bool = False) -> float:
    """The stream, its norm, queries, keys, values (rotated ones again) and the result; where the fused kernel cannot
    serve (dropout, learned biases, a soft cap), the weights of every head too. Cross-attention knows no positions."""
    queries, keys = model.num_heads * model.width_per_head, model.kv_heads * model.width_per_head
    rotated = queries + keys if model.position == "rotary" and not cross else 0
    normed = queries + keys if model.query_key_norm else 0
    rate = model.dropout if model.attention_dropout is None else model.attention_dropout
    precise = (3 if rate else 0) + (2 if model.attention_softcap else 0)  # computed in fp32 whatever the precision
    maps, distances = 0.0, 0
    if model.position == "relative_buckets" and not cross:
        maps += 1
    if model.position == "disentangled" and not cross:
        maps += 1.4
        seen = model.num_heads * min(2 * length - 1, 2 * model.position_span)
        distances = len(model.position_terms) * (seen + queries)
    weights = model.num_heads * length * maps + distances
    numbers = (2 + _mask(model)) * model.d_model + 2 * queries + 2 * keys + rotated + normed + weights
    return numbers * width + model.num_heads * length * precise * BYTES


def _feed_forward_activations(model: ModelConfig) -> float:
    """The stream, its norm, and what stands between the matrices."""
    inner = 4 if model.gated else (1 if model.activation == "relu" else 2)
    return (2 + _mask(model)) * model.d_model + inner * model.ff_width


def _mask(model: ModelConfig) -> float:
    """Dropout keeps a number for each one that it may set to zero."""
    return 1.0 if model.dropout else 0.0
