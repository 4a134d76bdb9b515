"""When the loss or the gradient is NaN or infinite: what is known of the cause, before the weights are damaged."""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import nn

from tfmcore.config import TrainingConfig
from tfmcore.training.faults import Failure
from tfmcore.training.record import shown_ids

NUM_IDS = 1000
"""So many examples of the batch are named."""


def diverged(
    step: int,
    loss: float,
    norm: float,
    ids: list[int],
    texts: Sequence[str],
    model: nn.Module,
    rate: float,
    training: TrainingConfig,
) -> Failure:
    """The end of a run at `step`, whose batch held the examples `ids`, `texts` among them; the optimizer has not
    stepped."""
    what, value = ("gradient", norm) if math.isfinite(loss) else ("loss", loss)
    harmed = _not_finite((name, weight) for name, weight in model.named_parameters())
    gradients = _not_finite((name, w.grad) for name, w in model.named_parameters() if w.grad is not None)
    if harmed:
        cause = f"the weights already contain NaN or infinite values (in {harmed[0]})"
    else:
        causes = [f"too high a learning rate ({rate:.3g})"]
        causes += ["no gradient clipping"] * (not training.gradient_clip)
        causes += ["bf16 precision"] * (training.precision == "bf16")
        cause = f"likely causes are {', '.join(causes)} or this batch"
    sentence = (
        f"step {step} was not taken: the {what} is {value} (examples of the batch: {shown_ids(ids)}); {cause}. "
        "Resumed, the run comes to this step again: branch from an earlier checkpoint, or begin anew, with a lower "
        "learning rate"
    )
    more = f" and {len(ids) - NUM_IDS:,} more" if len(ids) > NUM_IDS else ""
    details = "\n".join(
        [
            f"loss {loss}, gradient norm {norm}, learning rate {rate}",
            f"examples of the batch: {ids[:NUM_IDS]}{more}",
            *(f"    ▸ {' '.join(text.split())}" for text in texts),
            f"weights with non-finite values: {', '.join(harmed) or 'none'}",
            f"gradients with non-finite values: {', '.join(gradients) or 'none'}",
        ]
    )
    return Failure(sentence, details)


def _not_finite(tensors: Iterable[tuple[str, torch.Tensor]]) -> list[str]:
    return [name for name, tensor in tensors if not bool(tensor.isfinite().all())]
