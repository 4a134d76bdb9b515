"""Why a run could not go on, as one sentence that says what to do."""

import re
import traceback

from tfmcore.config import TrainingConfig, UserError
from tfmcore.messages import Failed

ALLOCATION = re.compile(r"allocate (\d[\d.,]* ?(?:bytes|[KMGT]i?B))", re.IGNORECASE)
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "unable to allocate")


class Failure(UserError):
    """What happened to a run whose input was right: a full disk, too little memory, a loss that is no number."""


def failed(step: int, error: BaseException, training: TrainingConfig | None = None) -> Failed:
    """The last event of a run that `error` ended."""
    if isinstance(error, UserError):
        return Failed(step=step, sentence=str(error), details=error.details)
    details = "".join(traceback.format_exception(error))
    if is_out_of_memory(error):
        return Failed(step=step, sentence=memory_sentence(step, error, training or TrainingConfig()), details=details)
    what = f"{type(error).__name__}: {error}".partition("\n")[0][:300]
    return Failed(step=step, sentence=f"training ended unexpectedly after step {step}: {what}", details=details)


def exit_code(error: BaseException) -> int:
    """2 for bad input, 1 for a failure."""
    return 2 if isinstance(error, UserError) and not isinstance(error, Failure) else 1


def is_out_of_memory(error: BaseException) -> bool:
    """torch says so by a RuntimeError: a bare one on a processor, a subclass of it on a GPU."""
    words = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(phrase in words for phrase in OUT_OF_MEMORY)
    )


def memory_sentence(step: int, error: BaseException, training: TrainingConfig) -> str:
    found = ALLOCATION.search(str(error))
    amount = f"{readable(found[1])} more could not be had" if found else "what it needs could not be had"
    return f"memory ran out after step {step}: {amount}; try {smaller_step(training)}"


def readable(amount: str) -> str:
    """What an allocator says in bytes, in a larger unit."""
    number, unit = amount.split()[0], amount.split()[-1]
    if unit != "bytes":
        return amount
    size = float(number.replace(",", ""))
    return f"{size / 2**30:.2f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"


def smaller_step(training: TrainingConfig) -> str:
    """The settings that need less memory for the same step."""
    half = training.batch_size // 2
    ways = []
    if half:
        same = f"training.accumulation={training.accumulation * 2}"
        ways.append(f"training.batch_size={half} with {same} (the same step, half the memory)")
    if not training.gradient_checkpointing:
        ways.append("training.gradient_checkpointing=true")
    return " or ".join(ways) or "a smaller model or a shorter context"
