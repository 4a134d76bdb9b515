"""Whether the steps of a run are compiled: chosen once, before the first of them, by what it would cost and bring."""

import contextlib
import math
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import torch

from tfmcore.config import Config, SavedModel, TrainingConfig, UserError
from tfmcore.config.compilers import missing_compiler
from tfmcore.config.compute import step_flops
from tfmcore.config.estimate import estimate
from tfmcore.data.progress import Cancelled, Progress, silent
from tfmcore.training.batches import DeviceBatch
from tfmcore.training.faults import first_line
from tfmcore.training.learner import Learner
from tfmcore.training.state import Way, random_states, set_random_states
from tfmcore.units import duration

SECONDS = {"cpu": 40.0, "cuda": 30.0}
"""What it takes to compile, and to find out what that brings, about."""
SHARE = 0.05
"""So much of a run may be spent on finding out."""
RATE, CALLS = {"cpu": 2e10, "cuda": 1e12}, 0.1
"""No step takes longer than its operations at this rate and so many seconds: that tells a short run at once."""
LEAST_GAIN = 1.02
"""A smaller one may be chance."""
NUM_TRIED, TIMED_SECONDS = 3, 2.0
"""Steps whose batches are tried; how long each side is timed, once for each of them at least."""
CLOSE = {"fp32": 1e-4, "tf32": 1e-2, "bf16": 3e-2, "fp16": 3e-2}
"""A compiled step's loss and gradient norm may differ from the other's by such a share of them."""
SMALL = 50_000_000
"""A model of fewer parameters waits for its calls on a GPU."""


class Compilation(NamedTuple):
    """How the steps of a run are computed, and what there is to say of it."""

    way: Way
    sentence: str


class Taken(NamedTuple):
    """What one gradient took, and was."""

    seconds: float
    loss: float
    norm: float


def flops_of_step(config: Config, saved: SavedModel) -> float:
    """Floating-point operations of an optimizer step whose sequences are all as long as the context."""
    cost = estimate(saved.model, saved.vocab_size, saved.task, len(saved.labels) or 2)
    training = config.training
    tokens = training.sequences_per_step * saved.model.context_length
    return tokens * sum(step_flops(cost, training).values())


def check_compiler(training: TrainingConfig, device: str) -> None:
    """Raise UserError where steps are to be compiled, and cannot be."""
    if training.compile == "always" and (lack := missing_compiler(device)):
        raise UserError(f"training.compile: {lack}, so choose auto or never")


def choose(
    learner: Learner,
    work: Callable[[], Iterable[list[DeviceBatch]]],
    num_steps: int,
    flops: float,
    before: Way | None = None,
    progress: Progress = silent,
) -> Compilation:
    """Choose for `num_steps` steps of so many floating-point operations, whose batches `work` makes, and have the
    `learner` take them so; nothing else of it changes. `before` is what was chosen when the run began. Raises UserError
    where training.compile is always and the layers cannot be compiled."""
    training, device = learner.training, learner.device.type
    always = training.compile == "always"
    check_compiler(training, device)
    if training.compile == "never":
        return Compilation("no", "not compiled, as training.compile asks")
    if not always and (reason := _against(learner, num_steps, flops, before)):
        return Compilation("no", f"not compiled{reason}")
    groups = list(islice((batches for batches in work() if any(batch.num_labels for batch in batches)), NUM_TRIED))
    if not groups or not num_steps:
        return Compilation(before or "no", "not compiled: there is nothing left to train")
    with _as_it_was(learner):
        if before not in (None, "no"):
            return _begun(learner, groups, before, "as when the run began", progress)
        if learner.parallel.uncompiled:
            return _begun(learner, groups, next(ways(learner, groups)), "as training.compile asks", progress)
        return _tried(learner, groups, num_steps, progress)


def _against(learner: Learner, num_steps: int, flops: float, before: Way | None) -> str:
    """What speaks against compiling, before anything is tried."""
    device = learner.device.type
    if lack := missing_compiler(device):
        return f": {lack}"
    if why := learner.parallel.uncompiled:
        return f": {why}"
    if before == "no":
        return ", as when the run began"
    if before is None and (longest := num_steps * (CALLS + flops / RATE[device])) * SHARE < SECONDS[device]:
        return f": that takes about {duration(SECONDS[device])}, too long for a run of less than {duration(longest)}"
    return ""


def _begun(
    learner: Learner, groups: Sequence[list[DeviceBatch]], way: Way, why: str, progress: Progress
) -> Compilation:
    """Compile as is known, unless that fails."""
    progress("compiling the layers", 0, 1)
    learner.compiled.begin(way)
    try:
        _gradient(learner, groups[0], compiled=True)
    except Exception as error:  # whatever a compiler says
        learner.compiled.end()
        if learner.training.compile == "always":
            raise _cannot(first_line(error)) from None
        return Compilation("no", f"not compiled: that failed ({first_line(error)})")
    return Compilation(way, f"compiled, {why}")


def _cannot(trouble: str) -> UserError:
    return UserError(f"training.compile: the layers cannot be compiled ({trouble}), so choose auto or never")


def _tried(learner: Learner, groups: Sequence[list[DeviceBatch]], num_steps: int, progress: Progress) -> Compilation:
    """Compile, and take what is fastest; with training.compile always, of what is compiled."""
    device, always = learner.device.type, learner.training.compile == "always"
    if not (possible := list(ways(learner, groups))):
        return Compilation("no", "not compiled: on a CPU it pays only if all batches have the same shape")
    plain = min(_gradient(learner, groups[0]).seconds for _ in range(2))  # the first one sets things up
    if not always and (likely := num_steps * plain) * SHARE < SECONDS[device]:
        rest = f"too long for a run of about {duration(likely)}"
        return Compilation("no", f"not compiled: that takes about {duration(SECONDS[device])}, {rest}")
    found, begin, trouble = dict[Way, float](), time.perf_counter(), ""
    for way in possible:
        learner.compiled.begin(way)
        try:
            found[way] = _gain(learner, groups, plain, progress)
        except Cancelled:
            raise
        except Exception as error:  # whatever a compiler says
            trouble = first_line(error)
            learner.drop()
    took = duration(time.perf_counter() - begin)
    best: Way = max(found, key=lambda way: found[way], default="no")
    if best == "no" or (not always and found[best] < LEAST_GAIN):
        learner.compiled.end()
        if best == "no" and always:
            raise _cannot(trouble)
        outcome = f"and failed ({trouble})" if best == "no" else f"for {took} and made no step faster"
        return Compilation("no", f"not compiled: that was tried {outcome}")
    if best != learner.compiled.way:
        learner.compiled.begin(best)
    as_graphs = " into CUDA graphs" if best == "graphs" else ""
    return Compilation(best, f"compiled{as_graphs} in {took}: steps take {1 / found[best]:.0%} of the time")


def ways(learner: Learner, groups: Sequence[list[DeviceBatch]]) -> Iterator[Way]:
    """How this learner's steps are compiled, if they are. A CUDA graph is of one shape, and what it leaves is
    overwritten when it runs again, so that gradients cannot be added up. A processor's stacks are compiled for each
    shape; its layers, which gain nothing, only if they must be."""
    shapes = {tuple(tensor.shape for tensor in batch.inputs.values()) for batches in groups for batch in batches}
    training, num_parameters = learner.training, learner.objective.model.num_parameters()
    fits = len(shapes) == 1 and not training.gradient_checkpointing
    if learner.device.type == "cuda":
        yield "layers"
        if num_parameters < SMALL and fits and training.accumulation == 1:
            yield "graphs"
    elif fits:
        yield "stacks"
    elif training.compile == "always":
        yield "layers"


def _gain(learner: Learner, groups: Sequence[list[DeviceBatch]], plain: float, progress: Progress) -> float:
    """How many times as fast the compiled steps are; raises ArithmeticError where they compute something else."""
    near, checks = CLOSE[learner.training.precision], 2 * len(groups)  # other lengths are compiled anew, once
    for first in range(0, checks, len(groups)):
        for done, batches in enumerate(groups, first):
            progress("compiling the layers", done, checks)
            one, other = _gradient(learner, batches), _gradient(learner, batches, compiled=True)
            for name in ("loss", "norm"):
                a, b = getattr(one, name), getattr(other, name)
                if not math.isclose(a, b, rel_tol=near) and math.isfinite(a):
                    raise ArithmeticError(f"the {name} is {b:g}, not {a:g}")
    return statistics.median(
        _gradient(learner, batches).seconds / _gradient(learner, batches, compiled=True).seconds
        for _ in range(max(1, round(TIMED_SECONDS / plain / len(groups))))
        for batches in groups
    )


def _gradient(learner: Learner, batches: Sequence[DeviceBatch], compiled: bool = False) -> Taken:
    """Compute a gradient and forget it, with the random numbers of the next step."""
    before, begin = random_states(), time.perf_counter()
    num_labels = sum(batch.num_labels for batch in batches)
    with learner.parallel.in_step(), learner.compiled.in_step() if compiled else contextlib.nullcontext():
        nats = learner.parallel.backward(learner.objective, batches, num_labels, learner.precision)
        nats, norm = learner.parallel.loss_and_norm(nats, learner.weights)
    loss, length = torch.stack([nats / num_labels, norm]).tolist()  # waits for a GPU
    seconds = time.perf_counter() - begin
    learner.drop()
    set_random_states(before)
    return Taken(seconds, loss, length)


@contextlib.contextmanager
def _as_it_was(learner: Learner) -> Iterator[None]:
    """Leave no trace in the model's mode, the gradients and the random numbers."""
    before, training = random_states(), learner.objective.training
    learner.objective.train()
    try:
        yield
    finally:
        learner.drop()
        learner.objective.train(training)
        set_random_states(before)
