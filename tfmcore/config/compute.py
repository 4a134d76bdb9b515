"""What a training step computes, by part: the forward pass, and of the backward pass what weights that learn need."""

from tfmcore.config.estimate import Estimate, in_layers, stack_of
from tfmcore.config.placement import stage_of
from tfmcore.config.tasks import TOKEN_TASKS
from tfmcore.config.trained import learning_layers, trained
from tfmcore.config.training import TrainingConfig


def step_flops(cost: Estimate, training: TrainingConfig) -> dict[str, float]:
    """Floating-point operations for each token by part: forward, as many for the gradient of what each matrix was
    given, and as many for its own. What is frozen has none of its own, and what stands before all that learns has none
    at all. Layers that are computed twice to spare memory count once."""
    layers = stage_of(cost.model).layers
    weights = {part.name: part.parameters * part.count for part in cost.parts}
    learned, found = trained(cost, training, weights, layers), dict[str, float]()
    moves = {
        stack: [learning is not None for learning in learning_layers(cost, training, stack, mine, begins=True)]
        for stack, mine in layers.items()
    }
    is_tied = cost.model.tie_embeddings and cost.task in TOKEN_TASKS
    for part in cost.parts:
        if not part.flops:
            continue
        name = "token embedding" if part.name == "head" and is_tied else part.name
        if part.name == "head":
            matrices, passed = part.flops, float(any(map(any, moves.values())))
        else:
            matrices = part.count * min(part.flops, 2 * part.parameters)  # the rest are products of activations
            mine = moves[stack_of(part.name, layers)]
            passed = sum(mine) / len(mine)
        if training.lora_rank and in_layers(part.name):
            own = 6 * learned[name]  # forward and backward
        else:
            own = matrices * learned[name] / weights[name]
        found[part.name] = part.count * part.flops * (1 + 2 * passed) - passed * matrices + own
    return found
