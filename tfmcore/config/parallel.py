"""How several processes share a training, as the config has it: which kinds, how many processes each, what can be."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, get_args

from tfmcore.config.problems import Problem

if TYPE_CHECKING:
    from tfmcore.config.config import Config
    from tfmcore.config.model import ModelConfig
    from tfmcore.config.training import TrainingConfig

Kind = Literal["pipeline", "data", "fsdp", "tensor"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""From the one whose processes say least to each other to the one whose processes say most: the last are neighbours."""
APART = {"fsdp", "pipeline"}
"""These two are not combined: a stage would gather its shards once for each microbatch."""
MOST_PIECES = 4
"""A batch is cut into up to so many pieces for each stage: then stages wait for a fifth of the time at the most."""


def sizes(training: "TrainingConfig") -> dict[str, int]:
    """Kind → number of processes, their product `num_processes`; in the order of KINDS. Empty for one process."""
    given = training.parallel_sizes or default_sizes(len(training.parallel), training.num_processes)
    named = dict(zip(training.parallel, given, strict=False))
    return {kind: named[kind] for kind in KINDS if kind in named}


def default_sizes(num_kinds: int, num_processes: int) -> list[int]:
    """All for one kind; for two, as nearly the same as can be, the first having the fewer."""
    if num_kinds < 2:
        return [num_processes] * num_kinds
    few = max(size for size in range(1, math.isqrt(num_processes) + 1) if num_processes % size == 0)
    return [few, num_processes // few]


def data_parallel_size(training: "TrainingConfig") -> int:
    """Over how many ranks the rows of each batch are split."""
    found = sizes(training)
    return found.get("data", 1) * found.get("fsdp", 1)


def parallel_problems(config: "Config") -> Iterator[Problem]:
    """What the processes of a config could not share; nothing where there is one process."""
    training = config.training
    if not training.parallel:
        return
    if set(training.parallel) >= APART:
        yield Problem("training.parallel", "cannot be both fsdp and pipeline", training.parallel[:1])
        return
    if problems := list(_numbers(training)):
        yield from problems
        return
    yield from _shares(config)
    yield from _companions(training)


def _numbers(training: "TrainingConfig") -> Iterator[Problem]:
    kinds, processes = training.parallel, training.num_processes
    default = default_sizes(len(kinds), processes)
    if 1 in default:
        reason = f"{processes} processes cannot be split between {' and '.join(kinds)}"
        yield Problem("training.num_processes", reason, max(4, processes + processes % 2))
    elif given := training.parallel_sizes:
        if len(given) != len(kinds):
            yield Problem("training.parallel_sizes", f"must have {len(kinds)} numbers, one per kind", default)
        elif min(given) < 2 or math.prod(given) != processes:
            reason = f"the product of {' and '.join(map(str, given))} must be the {processes} processes, each 2 or more"
            yield Problem("training.parallel_sizes", reason, default)


def _shares(config: "Config") -> Iterator[Problem]:
    """Heads, layers and batches that do not come out even."""
    model, training, found = config.model, config.training, sizes(config.training)
    if tensor := found.get("tensor"):
        common = math.gcd(model.num_heads, model.kv_heads, model.ff_width)
        if common % tensor:
            heads = f"{model.num_heads} heads, {model.kv_heads} key/value heads and a feed-forward width"
            reason = f"{heads} of {model.ff_width} cannot be split among {tensor} processes"
            yield from _smaller(training, "tensor", reason, _divisors(common))
    if stages := found.get("pipeline"):
        layers = num_layers(model)
        if stages > layers:
            reason = f"{layers} layers cannot be split into {stages} stages"
            yield from _smaller(training, "pipeline", reason, list(range(1, layers + 1)))
    shares = data_parallel_size(training)
    if training.batch_size % shares:
        reason = f"{training.batch_size} sequences cannot be split evenly among {shares} processes"
        yield Problem("training.batch_size", reason, -(-training.batch_size // shares) * shares)


def _smaller(training: "TrainingConfig", kind: str, reason: str, possible: list[int]) -> Iterator[Problem]:
    """Fewer processes for that kind, as many as can be, and in all; none where two are too many already."""
    found = sizes(training)
    fits = max(size for size in possible if size <= found[kind])
    if fits == 1:
        yield Problem("training.parallel", f"{kind}: {reason}", [k for k in training.parallel if k != kind])
        return
    fitting = found | {kind: fits}
    if training.parallel_sizes:
        yield Problem("training.parallel_sizes", reason, [fitting[k] for k in training.parallel])
    yield Problem("training.num_processes", reason, math.prod(fitting.values()))


def _companions(training: "TrainingConfig") -> Iterator[Problem]:
    """What needs whole matrices, or all gradients, in one process."""
    cut = [kind for kind in ("fsdp", "tensor") if kind in training.parallel]
    if cut and training.optimizer == "muon":
        yield Problem("training.optimizer", f"muon needs whole matrices, and {cut[0]} splits them", "adamw")
    if training.lora_rank and training.parallel != ["data"]:
        yield Problem("training.lora_rank", "LoRA can be trained by one process, or data parallel only", 0)
    if training.precision == "fp16" and training.parallel != ["data"]:
        yield Problem("training.precision", "fp16 needs all gradients for its loss scale: data parallel only", "bf16")
    if training.ema_decay and "fsdp" in training.parallel:
        yield Problem("training.ema_decay", "fsdp keeps its weights in shards, which cannot be averaged (EMA)", 0.0)
    if training.device == "mps":
        yield Problem("training.device", "several processes cannot share an mps device", "cpu")


def num_layers(model: "ModelConfig") -> int:
    """Layers that stages can be made of."""
    return model.num_layers + (model.decoder_layers if model.architecture == "encoder_decoder" else 0)


def stage_layers(num_layers: int, num_stages: int) -> list[range]:
    """The layers of each stage, one after the other, as evenly as can be; the first stages, which have no head to
    compute, get those that are left over."""
    few, more = divmod(num_layers, num_stages)
    starts = [stage * few + min(stage, more) for stage in range(num_stages + 1)]
    return [range(start, end) for start, end in pairwise(starts)]


def even_rows(number: int, count: int, size: int) -> range:
    """Which of a batch's `size` rows are in one of `count` shares."""
    return range(number * size // count, (number + 1) * size // count)


def chunk_range(size: int, index: int, count: int) -> range:
    """Which of `size` rows or columns are in one of `count` chunks, as torch.chunk cuts."""
    step = -(-size // count)
    return range(min(index * step, size), min((index + 1) * step, size))


def num_micro_batches(num_rows: int, num_stages: int) -> int:
    """Into how many pieces of the same size the rows are cut that pass a pipeline."""
    return max(n for n in range(1, MOST_PIECES * num_stages + 1) if num_rows % n == 0)


def _divisors(number: int) -> list[int]:
    return [size for size in range(1, number + 1) if number % size == 0]
