"""Which of a model's weights learn: all but those that are frozen, or with LoRA the factors of the updates, and a head
that is new."""

from collections.abc import Iterator, Mapping

from tfmcore.config.activations import DISTANCES, Learning
from tfmcore.config.estimate import Estimate, in_layers, stack_of
from tfmcore.config.finetuning import has_new_head
from tfmcore.config.model import ModelConfig
from tfmcore.config.parts import weights_of
from tfmcore.config.training import TrainingConfig

HEADS = ("head", "next sentence head")
OF_STACKS = ("final norm", "distance biases", "distance embedding", "convolution")


def trained(
    cost: Estimate, training: TrainingConfig, weights: Mapping[str, int], layers: Mapping[str, range]
) -> dict[str, float]:
    """How many of so many `weights` by part learn, in `layers` of each stack."""
    frozen = tuple(prefix for part in training.freeze for prefix in weights_of(part, cost.model))
    new_head = has_new_head(training, cost.task)
    found = dict[str, float]()
    for part in cost.parts:
        places = list(_places(part.name, layers))
        learning = [place for place in places if not place.startswith(frozen)] if frozen else places
        if training.lora_rank and not (part.name in HEADS and new_head):
            found[part.name] = len(learning) * training.lora_rank * _ends(part.name, cost.model, training)
        else:
            found[part.name] = weights[part.name] * len(learning) / max(1, len(places))
    return found


def learning_layers(
    cost: Estimate, training: TrainingConfig, stack: str, layers: range, begins: bool
) -> Iterator[Learning | None]:
    """What learns in those `layers` of a stack, and before; None where nothing does. Where the stack does not begin
    here, something may."""
    frozen = tuple(prefix for part in training.freeze for prefix in weights_of(part, cost.model))

    def learns(place: str) -> bool:
        return not (frozen and place.startswith(frozen))

    before = not begins or (not training.lora_rank and any(learns(place) for place in _begin(cost.model, stack)))
    reads = stack == "decoder" and stack != cost.model.architecture
    memory = reads and any(learning_layers(cost, training, "encoder", range(cost.model.num_layers), begins))
    for layer in layers:
        own = learns(f"{stack}.layers.{layer}.")
        yield Learning(own, before) if own or before or memory else None
        before |= own or memory


def _begin(model: ModelConfig, stack: str) -> list[str]:
    """How the names of the weights begin that a stack's first layer meets."""
    embedding = f"{stack}_embedding." if model.architecture == "encoder_decoder" else "embedding."
    return [embedding, f"{stack}.positions."] if model.position in DISTANCES else [embedding]


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
