"""What memory a training step needs before it is taken, by what it holds; nothing is measured, nothing is loaded.

Some moments need the most. When the loss is known, every activation is still there and the logits stand beside their
gradient. Then gradients on their way through a layer stand beside what is kept of it and of those before it. When the
backward pass ends, the activations are gone and every gradient is there, once for each share of the batch that threads
compute side by side. The largest one counts. Where several processes share the training, it is told of one device,
whichever needs the most.
"""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

from tfmcore.config.activations import BYTES, Batch, Kept, layer_activations, shared_activations
from tfmcore.config.compilers import missing_compiler
from tfmcore.config.config import Config
from tfmcore.config.cuda import has_cuda
from tfmcore.config.device import Device, device_of, hidden
from tfmcore.config.estimate import Estimate, in_layers, likely_cost
from tfmcore.config.parallel import data_parallel_size, sizes
from tfmcore.config.placement import num_processes
from tfmcore.config.processor import has_bf16
from tfmcore.config.shares import num_shares, num_threads
from tfmcore.config.tasks import TOKEN_TASKS
from tfmcore.config.trained import learning_layers
from tfmcore.config.training import TrainingConfig

HALF = ("bf16", "fp16")
"""Precisions whose activations take two bytes."""
MOST_LOGITS = {"cpu": 2**24, "cuda": 2**28}
"""So many logits exist at once, at the most: 64 MiB of fp32, or 1 GiB on a GPU, which is busy with many only."""
FEW_LOGITS = 2**20
"""Fewer are made as they are: what would spare their memory takes longer."""
MOST_IN_PLACE = 2**30
"""So many where their gradient takes their place."""
COPIES, COPIES_CAPPED = 2, 3
"""Of these logits, in fp32: themselves and their gradients; with a soft cap, so many more."""


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
    fits, too_many = 0, _most("batch_size") + 1
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
    limit = min(limit, _needs(cost, training) - 1)
    return next((way for way in _same_steps(training) if _needs(cost, training, **way) <= limit), {})


def lightest_same_step(cost: Estimate, training: TrainingConfig) -> dict[str, int | bool]:
    """Those with which it needs the least; nothing where that is now."""
    return min(({}, *_same_steps(training)), key=lambda way: _needs(cost, training, **way))


def _same_steps(training: TrainingConfig) -> list[dict[str, int | bool]]:
    """Settings other than now with which a step is the same, the quickest first."""
    sequences, shares, most = training.sequences_per_step, data_parallel_size(training), _most("accumulation")
    smaller = (n for n in range(training.batch_size - 1, 0, -1) if sequences % n == n % shares == 0)
    ways: list[dict[str, int | bool]] = [
        {"batch_size": size, "accumulation": sequences // size} for size in smaller if sequences // size <= most
    ]
    if not training.gradient_checkpointing:
        ways += [{**way, "gradient_checkpointing": True} for way in ({}, *ways)]
    return ways


def _most(option: str) -> int:
    """The largest number that an option of [training] can be."""
    return int(next(bound.le for bound in TrainingConfig.model_fields[option].metadata if hasattr(bound, "le")))


def _needs(cost: Estimate, training: TrainingConfig, **changes: int | bool) -> int:
    return sum(training_memory(cost, training.model_copy(update=changes)).values())


def _parts(cost: Estimate, training: TrainingConfig, device: Device, length: int) -> dict[str, int]:
    narrow = _is_narrow(training)
    by_muon = hidden(device.trained) / device.shards if training.optimizer == "muon" else 0
    averages = device.learned if training.ema_decay else 0
    factors = sum(n for name, n in device.trained.items() if in_layers(name)) if training.lora_rank else 0
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
    """When the loss is known, within the layers, in the first of them, and when the embeddings have their gradient."""
    kind, narrow = _kind(training), _is_narrow(training)
    batch_logits = device.tokens * cost.vocab_size
    shares = num_shares(training, cost.total, batch_logits, kind, num_threads(training.threads))
    model, tokens, width = device.model, math.ceil(device.tokens / shares), 2 if narrow else BYTES
    batch = Batch(tokens, length, width, kind, training.compile == "always" or kind == "mps")
    layers = list(_layers(cost, training, device, batch))
    streams = 2 if model.architecture == "encoder_decoder" else 1
    stream = tokens * model.d_model * BYTES
    outside = streams * (3 * stream + shared_activations(model, batch))  # embeddings, and the last norm
    if model.convolution and model.architecture != "decoder":
        outside += 3 * stream  # its input and result, and the sum that its norm is of
    kept, most, last = outside, outside, max((layer.last for layer in layers), default=0.0)
    for layer in layers:
        again = layer.kept if training.gradient_checkpointing else 0.0
        kept += stream if training.gradient_checkpointing else layer.kept
        most = max(most, kept + again + layer.busy - 2 * stream)
    every, matrix = BYTES * device.learned, BYTES * -(-cost.vocab_size // device.tensor) * model.d_model
    writes = device.stage.is_last and cost.task in TOKEN_TASKS
    read = matrix if device.trained["token embedding"] else 0
    written = matrix if writes and device.trained["token embedding" if model.tie_embeddings else "head"] else 0
    before = every if training.accumulation > 1 or device.early else 0
    shared = streams > 1 or (writes and model.tie_embeddings)
    ends = max(read, written) * (bool(before) + shared)  # to be added up
    logits = of_head = of_pieces = 0.0
    if writes:
        in_place, capped = logits_become_gradients(kind), COPIES_CAPPED * bool(model.logit_softcap)
        pieces = num_loss_chunks(tokens, cost.vocab_size, kind, in_place)
        each = width if in_place else (COPIES + narrow) * BYTES  # the shorter ones are one
        logits = (each + capped * BYTES) * cost.vocab_size * math.ceil(tokens / pieces)
        if tokens * cost.vocab_size >= FEW_LOGITS:  # their gradients are taken at once
            of_head = written + stream
        if pieces > 1:  # the gradients of a piece are added to those of the others
            logits, of_pieces = logits + written, of_head
    return [
        _Moment(before + shares * of_head, shares * kept, shares * logits),
        _Moment(before + shares * (of_pieces + written), shares * most, 0),
        _Moment(shares * (every - (0 if ends else read)), shares * (streams * stream + last), 0),
        _Moment(shares * (every + ends), shares * outside, 0),
    ]


def _layers(cost: Estimate, training: TrainingConfig, device: Device, batch: Batch) -> Iterator[Kept]:
    """What each of its layers keeps in which something learns, or before which."""
    alone = device.stage.is_first and device.stage.is_last
    for stack, mine in device.stage.layers.items():
        reads = stack == "decoder" and len(device.stage.layers) > 1
        for layer, learning in zip(mine, learning_layers(cost, training, stack, mine, alone), strict=True):
            if learning:
                yield layer_activations(device.model, training, batch, layer, reads, learning)
