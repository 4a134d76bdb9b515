"""When the loss or the gradient is NaN or infinite: what is known of the cause, before the weights are damaged."""

import math
from collections.abc import Mapping, Sequence

from torch import Tensor

from tfmcore.training.faults import Failure
from tfmcore.training.learner import Learner
from tfmcore.training.parallel.strategy import Strategy
from tfmcore.training.record import shown_ids

NUM_IDS = 1000
"""So many examples of the batch are named."""


def diverged(
    step: int,
    loss: float,
    norm: float,
    ids: list[int],
    texts: Sequence[str],
    learner: Learner,
    rate: float,
) -> Failure:
    """The end of a run at `step`, whose batch held the examples `ids`, `texts` among them; the optimizer has not
    stepped. Of several ranks all come here."""
    training, weights = learner.training, dict(learner.objective.model.named_parameters())
    what, value = ("gradient", norm) if math.isfinite(loss) else ("loss", loss)
    harmed = _not_finite(weights, learner.parallel)
    gradients = _not_finite({name: w.grad for name, w in weights.items() if w.grad is not None}, learner.parallel)
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


def _not_finite(tensors: Mapping[str, Tensor], parallel: Strategy) -> list[str]:
    """The names of those that hold NaN or infinite values, here or in another rank."""
    return parallel.all_names([name for name, each in tensors.items() if not parallel.local(each).isfinite().all()])
