"""How the learning rate goes from step to step, as pure functions."""

import math

from tfmcore.config.training import TrainingConfig


def learning_rate(config: TrainingConfig, d_model: int, step: int) -> float:
    """The learning rate of optimizer step `step`, counted from 1; `d_model` matters to noam alone.

    Warm-up is a line from 0. Cosine: https://arxiv.org/abs/1608.03983; noam: https://arxiv.org/abs/1706.03762, §5.3;
    wsd, which falls on a line in its last steps: https://arxiv.org/abs/2405.18392.
    """
    warmup, highest = config.warmup_steps, config.learning_rate
    if config.schedule == "noam":
        return highest / math.sqrt(d_model) * min(1 / math.sqrt(step), step / math.sqrt(warmup) ** 3)
    if step <= warmup:
        return highest * step / warmup
    begin = warmup
    if config.schedule == "wsd":
        begin = max(warmup, config.steps - math.ceil(config.steps * config.decay_share))
    done = min(1.0, max(0, step - begin) / max(1, config.steps - begin))
    least = highest * config.minimum_learning_rate
    match config.schedule:
        case "linear" | "wsd":
            return highest + (least - highest) * done
        case "cosine":
            return least + (highest - least) * (1 + math.cos(math.pi * done)) / 2
        case "constant":
            return highest
