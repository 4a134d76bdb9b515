"""Which of a model's weights learn, by part: all but those that are frozen, or with LoRA the factors of the updates."""

from collections.abc import Iterator, Mapping

from tfmcore.config.estimate import Estimate, in_layers, stack_of
from tfmcore.config.model import ModelConfig
from tfmcore.config.parts import weights_of
from tfmcore.config.training import TrainingConfig

OF_STACKS = ("final norm", "distance biases", "distance embedding", "convolution")


def trained(
    cost: Estimate, training: TrainingConfig, weights: Mapping[str, int], layers: Mapping[str, range]
) -> dict[str, float]:
    """How many of so many `weights` by part learn, in `layers` of each stack."""
    frozen = tuple(prefix for part in training.freeze for prefix in weights_of(part, cost.model))
    found = dict[str, float]()
    for part in cost.parts:
        places = list(_places(part.name, layers))
        learning = [place for place in places if not place.startswith(frozen)] if frozen else places
        if training.lora_rank:
            found[part.name] = len(learning) * training.lora_rank * _ends(part.name, cost.model, training)
        else:
            found[part.name] = weights[part.name] * len(learning) / max(1, len(places))
    return found


def _places(name: str, layers: Mapping[str, range]) -> Iterator[str]:
    """How the names of the weights begin in each block of a part."""
    if in_layers(name):
        stack = stack_of(name, layers)
        yield from (f"{stack}.layers.{n}." for n in layers.get(stack, ()))
    elif name in OF_STACKS:
        yield from (f"{stack}." for stack in layers)
    else:
        yield "embedding." if "embedding" in name or name == "token types" else "head."


def _ends(name: str, model: ModelConfig, training: TrainingConfig) -> int:
    """Inputs and outputs of all matrices of a block that have an update."""
    d, queries, keys = model.d_model, model.num_heads * model.width_per_head, model.kv_heads * model.width_per_head
    if name.endswith("feed-forward"):
        return ("feed_forward" in training.lora_targets) * (3 if model.gated else 2) * (d + model.ff_width)
    if "attention" not in training.lora_targets or name.endswith("norms"):
        return 0
    if name.endswith("attention"):
        return 4 * d + 2 * queries + 2 * keys
    if name.endswith("distance projections"):
        ends = {"content_to_position": d + keys, "position_to_content": d + queries}
        return sum(ends[term] for term in model.position_terms)
    return 0
