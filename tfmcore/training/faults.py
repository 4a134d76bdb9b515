"""Why a run could not go on, as one sentence that says what to do."""

import traceback
from collections.abc import Sequence

import psutil

from tfmcore.config import Config, UserError
from tfmcore.config.estimate import likely_cost
from tfmcore.config.memory import same_step_within
from tfmcore.config.parallel import data_parallel_size
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
        remedy = smaller_step(config or Config(), memory_of_a_step(error))
        return Failed(step=step, sentence=memory_sentence(step, error, remedy), details=details, remedy=remedy)
    sentence = f"training ended unexpectedly after step {step}: {first_line(error)}"
    return Failed(step=step, sentence=sentence, details=details)


def first_line(error: BaseException) -> str:
    """What kind of error it is, and the first line of what it says."""
    return f"{type(error).__name__}: {error}".partition("\n")[0][:300]


def exit_code(error: BaseException) -> int:
    """2 for bad input, 1 for a failure."""
    return 2 if isinstance(error, UserError) and not isinstance(error, Failure) else 1


def memory_sentence(step: int, error: BaseException, remedy: list[str]) -> str:
    amount = f"another {missing}" if (missing := missing_memory(error)) else "more"
    way = "try a smaller model or a shorter context"
    if remedy:
        way = f"the same step fits in memory with {' and '.join(remedy)}"
    return f"memory ran out after step {step}: could not allocate {amount}; {way}"


def memory_of_a_step(error: BaseException) -> float:
    """Bytes that a step may need, seen when it could not have them: what the process has taken and may still take, of
    the GPU where it was one that had no more."""
    if type(error).__name__ == "OutOfMemoryError":  # torch's, which is loaded only where it is needed
        import torch

        free, total = torch.cuda.mem_get_info()
        allowed = torch.cuda.get_per_process_memory_fraction() * total
        return SURE * min(allowed, torch.cuda.memory_reserved() + free)
    return SURE * (max(0, psutil.Process().memory_info().rss - IDLE_BYTES) + free_memory())


def smaller_step(config: Config, limit: float) -> list[str]:
    """The settings, as `section.name=value`, with which the same step needs no more memory than `limit`, or if all of
    them need more, half the batch."""
    training, cost = config.training, likely_cost(config)
    way = same_step_within(cost, training, limit)
    shares = data_parallel_size(training)
    if not way and training.batch_size > shares:
        size = next(n for n in range(training.batch_size // 2, 0, -1) if training.batch_size % n == n % shares == 0)
        way = {"batch_size": size, "accumulation": training.accumulation * training.batch_size // size}
    return [f"training.{name}={str(value).lower()}" for name, value in way.items()]
