"""Why a run could not go on, as one sentence that says what to do."""

import os
import traceback
from collections.abc import Sequence

import psutil

from tfmcore.config import Config, UserError
from tfmcore.config.estimate import likely_cost
from tfmcore.config.memory import lightest_same_step, same_step_within
from tfmcore.memory_faults import is_out_of_memory, missing_memory
from tfmcore.messages import Failed
from tfmcore.training.free_memory import free_memory

IDLE_BYTES = 300 * 2**20
"""What a process takes that has loaded torch and nothing else, about."""
SURE = 0.85
"""So much of the memory is counted on: an allocator cannot use every byte of it."""


class Failure(UserError):
    """What happened to a run whose input was right: a full disk, too little memory, a loss of NaN.

    `remedy` has the settings, as `section.name=value`, with which it would not have happened.
    """

    def __init__(self, sentence: str, details: str = "", remedy: Sequence[str] = ()) -> None:
        super().__init__(sentence, details)
        self.remedy = list(remedy)


def failed(step: int, error: BaseException, config: Config | None = None) -> Failed:
    """The last event of a run that `error` ended."""
    if isinstance(error, UserError):
        remedy = error.remedy if isinstance(error, Failure) else []
        return Failed(step=step, sentence=str(error), details=error.details, remedy=remedy)
    details = "".join(traceback.format_exception(error))
    if is_out_of_memory(error):
        remedy, fits = smaller_step(config or Config(), memory_of_a_step(error))
        return Failed(step=step, sentence=memory_sentence(step, error, remedy, fits), details=details, remedy=remedy)
    sentence = f"training ended unexpectedly after step {step}: {first_line(error)}"
    return Failed(step=step, sentence=sentence, details=details)


def first_line(error: BaseException) -> str:
    """What kind of error it is, and the first line of what it says."""
    return f"{type(error).__name__}: {error}".partition("\n")[0][:300]


def exit_code(error: BaseException) -> int:
    """2 for bad input, 1 for a failure."""
    return 2 if isinstance(error, UserError) and not isinstance(error, Failure) else 1


def memory_sentence(step: int, error: BaseException, remedy: list[str], fits: bool) -> str:
    amount = f"another {missing}" if (missing := missing_memory(error)) else "more"
    way = "try a smaller model or a shorter context"
    if remedy:
        way = f"the same step {'fits in' if fits else 'needs the least'} memory with {' and '.join(remedy)}"
    return f"memory ran out after step {step}: could not allocate {amount}; {way}"


def memory_of_a_step(error: BaseException) -> float:
    """Bytes that a step may need, seen when it could not have them: what the process has taken and may still take, of
    the GPU where it was one that had no more, else with its share of what the processes of the run find on this
    machine."""
    if type(error).__name__ == "OutOfMemoryError":  # torch's, which is loaded only where it is needed
        import torch

        free, total = torch.cuda.mem_get_info()
        allowed = torch.cuda.get_per_process_memory_fraction() * total
        return SURE * min(allowed, torch.cuda.memory_reserved() + free)
    taken = max(0, psutil.Process().memory_info().rss - IDLE_BYTES)
    return SURE * (taken + free_memory() / int(os.environ.get("LOCAL_WORLD_SIZE", 1)))


def smaller_step(config: Config, limit: float) -> tuple[list[str], bool]:
    """The settings, as `section.name=value`, with which the same step needs no more memory than `limit`, or if all of
    them need more, the least; and whether it fits."""
    training, cost = config.training, likely_cost(config)
    fits = same_step_within(cost, training, limit)
    way = fits or lightest_same_step(cost, training)
    return [f"training.{name}={str(value).lower()}" for name, value in way.items()], bool(fits)
