"""What memory a training step needs before it is taken, by what it holds; nothing is measured, nothing is loaded.

Two moments need the most. When the loss is known, every activation is still there and the logits stand beside their
gradient. When the backward pass ends, the activations are gone and every gradient is there, once for each share of the
batch that threads compute side by side. The larger one counts. Where several processes share the training, it is told
of one device, whichever needs the most.
"""

import functools
import math
from dataclasses import dataclass

from tfmcore.config.compilers import missing_compiler
from tfmcore.config.config import Config
from tfmcore.config.cuda import has_cuda
from tfmcore.config.device import Device, device_of, hidden
from tfmcore.config.estimate import WITHOUT_LOGITS, Estimate, likely_cost
from tfmcore.config.model import ModelConfig
from tfmcore.config.parallel import data_parallel_size, sizes
from tfmcore.config.placement import num_processes
from tfmcore.config.processor import has_bf16
from tfmcore.config.shares import num_shares, num_threads
from tfmcore.config.training import TrainingConfig

BYTES = 4
"""Weights, gradients, the optimizer's means and the loss are fp32 whatever the precision."""
HALF = ("bf16", "fp16")
"""Precisions whose activations take two bytes."""
MOST_LOGITS = {"cpu": 2**24, "cuda": 2**28}
"""So many logits exist at once, at the most: 64 MiB of fp32, or 1 GiB on a GPU, which is busy with many only."""
MOST_IN_PLACE = 2**30
"""So many where their gradient takes their place."""
MOST_KEPT = 2**20
"""So many weights of one attention that is not the kernel's are kept by a processor for their gradient: they stay in
its cache."""
MOST_COMPILED = 2**22
"""So many where steps are compiled, which makes them all at once; of more, the kernel keeps none."""
COPIES = 2
"""Of these logits, in fp32: themselves and their gradients."""


@dataclass(frozen=True)
class _Moment:
    gradients: float
    activations: float
    logits: float

    @property
    def total(self) -> float:
        return self.gradients + self.activations + self.logits


@functools.cache
def logits_become_gradients(device: str) -> bool:
    """Whether a kernel that is compiled for that kind of device writes the gradient of the logits over them."""
    return device == "cuda" and not missing_compiler(device)


def num_loss_chunks(tokens: int, vocab_size: int, device: str, in_place: bool) -> int:
    """In how many equal pieces the logits of so many tokens are made on that kind of device."""
    most = MOST_IN_PLACE if in_place else MOST_LOGITS.get(device, MOST_LOGITS["cpu"])
    return max(1, math.ceil(tokens / max(1, most // vocab_size)))


def training_memory(cost: Estimate, training: TrainingConfig, context_length: int | None = None) -> dict[str, int]:
    """Bytes that a training step needs on each device, by what they hold; sequences are taken to be `context_length`
    long (None: as long as they can be)."""
    length = context_length or cost.model.context_length
    stages = sizes(training).get("pipeline", 1)
    found = (_parts(cost, training, device_of(cost, training, length, stage), length) for stage in range(stages))
    return max(found, key=lambda parts: sum(parts.values()))


def memory_to_train(config: Config) -> int:
    """All of it, of all processes together, as far as it can be told before the data are prepared."""
    return num_processes(config.training) * sum(training_memory(likely_cost(config), config.training).values())


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
    sequences = training.sequences_per_step
    shares = data_parallel_size(training)
    smaller = [n for n in range(training.batch_size - 1, 0, -1) if sequences % n == 0 and n % shares == 0]
    ways: list[dict[str, int | bool]] = [{"batch_size": size, "accumulation": sequences // size} for size in smaller]
    if not training.gradient_checkpointing:
        ways += [{**way, "gradient_checkpointing": True} for way in ({}, *ways)]
    return next((way for way in ways if _needs(cost, training, **way) <= limit), {})


def _needs(cost: Estimate, training: TrainingConfig, **changes: int | bool) -> int:
    return sum(training_memory(cost, training.model_copy(update=changes)).values())


def _parts(cost: Estimate, training: TrainingConfig, device: Device, length: int) -> dict[str, int]:
    narrow = _is_narrow(training)
    by_muon = hidden(device.trained) / device.shards if training.optimizer == "muon" else 0
    averages = device.learned if training.ema_decay else 0
    factors = device.learned if training.lora_rank else 0
    casts = 2 * hidden(device.weights) if narrow else 0
    moment = max(_moments(cost, training, device, length), key=lambda moment: moment.total)
    parts = {
        "weights": BYTES * (device.kept + factors + averages) + casts,
        "gathered weights": BYTES * device.gathered,
        "gradients": moment.gradients,
        "optimizer": BYTES * (2 * device.learned - by_muon),
        "activations": moment.activations,
        "logits": moment.logits,
    }
    return {name: round(size) for name, size in parts.items() if size or name != "gathered weights"}


def _kind(training: TrainingConfig) -> str:
    return "cuda" if training.device == "auto" and has_cuda() else training.device


def _is_narrow(training: TrainingConfig) -> bool:
    """Whether activations take two bytes: a processor without products in bf16 makes those of fp32."""
    in_fp32 = training.precision == "bf16" and _kind(training) in ("auto", "cpu") and not has_bf16()
    return training.precision in HALF and not in_fp32


def _moments(cost: Estimate, training: TrainingConfig, device: Device, length: int) -> list[_Moment]:
    """When the loss is known, in the middle of the last layer's backward pass, and at the end of all."""
    kind, narrow = _kind(training), _is_narrow(training)
    batch_logits = device.tokens * cost.vocab_size
    shares = num_shares(training, cost.total, batch_logits, kind, num_threads(training.threads))
    model, tokens, width = device.model, math.ceil(device.tokens / shares), 2 if narrow else BYTES
    numbers = (len(mine) for mine in device.stage.layers.values())
    at_once = training.compile == "always" or kind == "mps"
    more = width * _update_activations(model, training) if training.lora_rank else 0.0
    each = [size + more for size in _activations(model, tokens, length, width, kind, at_once)]
    layers = [size for size, n in zip(each, numbers, strict=True) for _ in range(n)]
    streams = 2 if model.architecture == "encoder_decoder" else 1
    outside = 3 * model.d_model * streams * BYTES
    kept = outside + (len(layers) * model.d_model * BYTES if training.gradient_checkpointing else sum(layers))
    again = max(layers) if training.gradient_checkpointing else 0.0
    every, matrix = BYTES * device.learned, BYTES * -(-cost.vocab_size // device.tensor) * model.d_model
    writes = device.stage.is_last and cost.task not in WITHOUT_LOGITS
    read = matrix if device.trained["token embedding"] else 0
    written = matrix if writes and device.trained["token embedding" if model.tie_embeddings else "head"] else 0
    before = every if training.accumulation > 1 or device.early else 0
    ends = max(read, written) if before or streams > 1 or (writes and model.tie_embeddings) else 0  # to be added up
    logits, of_head = 0.0, 0.0
    if writes:
        in_place, copies = logits_become_gradients(kind), COPIES + narrow  # the shorter ones are one
        pieces = num_loss_chunks(tokens, cost.vocab_size, kind, in_place)
        logits = (width if in_place else copies * BYTES) * cost.vocab_size * math.ceil(tokens / pieces)
        if pieces > 1:  # piece by piece: the gradients of a piece are added to those of the others
            logits, of_head = logits + written, written + BYTES * tokens * model.d_model
    return [
        _Moment(before + shares * of_head, shares * tokens * kept, shares * logits),
        _Moment(before + shares * (of_head + written), shares * tokens * (kept + again), 0),
        _Moment(shares * (every + ends), shares * tokens * (outside + max(layers)), 0),
    ]


def _activations(model: ModelConfig, tokens: int, length: int, width: int, kind: str, at_once: bool) -> list[float]:
    """For a layer of each stack: how many bytes each of the tokens needs for the backward pass on that kind of device,
    where a number takes `width`; `at_once` are all weights of an attention from which some are dropped, or a few."""
    near, far = (_attention_activations(model, tokens, length, width, kind, at_once, cross) for cross in (False, True))
    layer = near + _feed_forward_activations(model) * width
    return [layer] if model.architecture != "encoder_decoder" else [layer, layer + far]


def _attention_activations(
    model: ModelConfig, tokens: int, length: int, width: int, kind: str, at_once: bool, cross: bool
) -> float:
    """The stream, its norm, queries, keys, values (rotated ones again) and the result; where the fused kernel cannot
    serve (learned biases, a soft cap), the weights of every head too, and where they are few. Cross-attention knows no
    positions."""
    queries, keys = model.num_heads * model.width_per_head, model.kv_heads * model.width_per_head
    rotated = queries + keys if model.position == "rotary" and not cross else 0
    normed = queries + keys if model.query_key_norm else 0
    rate = model.dropout if model.attention_dropout is None else model.attention_dropout
    dropped, capped = bool(rate) and kind != "cuda", model.attention_softcap
    precise = (5 if dropped else 2) if capped else 0  # computed in fp32 whatever the precision
    maps, distances, few = 0.0, 0, MOST_COMPILED if at_once else MOST_KEPT
    if dropped and at_once and not capped:
        maps = 3  # with which are dropped, and what is left
    elif kind != "cuda" and not capped and tokens * model.num_heads * length <= few:
        maps = 2 if dropped else float(width < BYTES or at_once)
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


def _update_activations(model: ModelConfig, training: TrainingConfig) -> float:
    """What a layer that learns updates keeps beyond one that learns its matrices: the short vectors; and with a dropout
    of their own what it leaves of the inputs, and which. A matrix without an update does not keep its input."""
    queries, dropped = model.num_heads * model.width_per_head, bool(training.lora_dropout)
    own = model.ff_width * (model.gated or model.activation != "relu")  # what the last matrix alone has kept
    if "attention" in training.lora_targets:
        attention = 4 * training.lora_rank + dropped * (model.d_model + 2 * queries)
    else:
        attention = -model.d_model
    if "feed_forward" in training.lora_targets:
        feed_forward = (2 + model.gated) * training.lora_rank + dropped * (model.d_model + 2 * model.ff_width - own)
    else:
        feed_forward = -model.d_model - own
    return attention + feed_forward


def _mask(model: ModelConfig) -> float:
    """Dropout keeps a number for each one that it may set to zero."""
    return 1.0 if model.dropout else 0.0
