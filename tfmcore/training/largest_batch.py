"""The largest batch whose step this machine has the memory for: by estimate, and then by trial."""

from dataclasses import dataclass

import torch

from tfmcore.config import Config, UserError
from tfmcore.config.estimate import estimate, likely_num_labels
from tfmcore.config.memory import largest_batch as largest_by_estimate
from tfmcore.config.parallel import data_parallel_size
from tfmcore.data.progress import Progress, silent
from tfmcore.memory_faults import is_out_of_memory
from tfmcore.training.devices import choose_device
from tfmcore.training.free_memory import free_memory
from tfmcore.training.measure import BatchTrial, try_batch

SHARE = 0.8
"""So much of what there is may be taken: others want some too, and an allocator keeps some."""
SMALLER = 0.8
"""A batch that did not fit is followed by one of that share."""


@dataclass(frozen=True)
class BatchFound:
    """Sequences of the batch, and what a step of it took; `limit` is the memory that it might take, in bytes."""

    batch_size: int
    trial: BatchTrial
    limit: int


def largest_batch(
    config: Config, vocab_size: int, progress: Progress = silent, limit: int | None = None, most: int | None = None
) -> BatchFound:
    """Try batches from the estimate downward, of full sequences of random tokens, until one fits into `limit` bytes
    (None: most of what is there); no more than `most` sequences, and as many for each process that takes a share.
    Raises UserError where not even one sequence does."""
    device = choose_device(config.training.device)
    limit = limit or int(SHARE * available_memory(device))
    cost = estimate(config.model, vocab_size, config.data.task, likely_num_labels(config.data))
    alone = config.training.model_copy(update={"parallel": []})  # one process tries it
    shares = data_parallel_size(config.training)
    size = max(shares, largest_by_estimate(cost, alone, limit))
    size = min(size, most or size)
    while size := size // shares * shares:
        progress(f"trying a batch of {size}", 0, 0)
        try:
            trial = try_batch(config.replaced(training__batch_size=size), vocab_size, steps=1)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            trial = None
            if device.type == "cuda":
                torch.cuda.empty_cache()
        if trial and trial.num_bytes <= limit:
            return BatchFound(size, trial, limit)
        size = int(size * SMALLER)
    each = " for each process" if shares > 1 else ""
    raise UserError(
        f"not even one sequence{each} fits in {limit / 2**20:.0f} MiB: use a smaller model, a shorter context or "
        "training.gradient_checkpointing"
    )


def available_memory(device: torch.device) -> int:
    """Bytes that this process may still take: of the device, or of the machine, within what it is limited to."""
    return int(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else free_memory()
