"""How the learning rate goes from step to step, as pure functions."""

import math

from tfmcore.config.training import TrainingConfig


def learning_rate(config: TrainingConfig, d_model: int, step: int) -> float:
    """The learning rate of optimizer step `step`, counted from 1; `d_model` matters to noam alone.

    Warm-up is a line from 0. Cosine: https://arxiv.org/abs/1608.03983; noam: https://arxiv.org/abs/1706.03762, §5.3.
    """
    warmup, highest = config.warmup_steps, config.learning_rate
    if config.schedule == "noam":
        return highest / math.sqrt(d_model) * min(1 / math.sqrt(step), step / math.sqrt(warmup) ** 3)
    if step <= warmup:
        return highest * step / warmup
    done = min(1.0, (step - warmup) / max(1, config.steps - warmup))
    least = highest * config.minimum_learning_rate
    match config.schedule:
        case "linear":
            return highest + (least - highest) * done
        case "cosine":
            return least + (highest - least) * (1 + math.cos(math.pi * done)) / 2
        case _:
            return highest
