"""What one process keeps and computes, where several share the training: how many weights, how many tokens."""

from collections.abc import Mapping
from dataclasses import dataclass

from tfmcore.config.estimate import Estimate, Part, in_layers, stack_of
from tfmcore.config.model import ModelConfig
from tfmcore.config.parallel import data_parallel_size, num_micro_batches, sizes
from tfmcore.config.placement import StageLayers, stage_of
from tfmcore.config.tasks import TOKEN_TASKS
from tfmcore.config.trained import trained
from tfmcore.config.training import TrainingConfig

GATHERED_LAYERS = 2
"""FSDP has so many layers whole at once: one that is computed and the next one."""


@dataclass(frozen=True)
class Device:
    """What one process has: a stage's `weights` by part, with its share of the heads, of which so many are `trained`;
    and of these one of `shards`. Of so many `tokens` there are activations at once. `model` has the heads and features
    that are computed here. There is an `early` gradient beside the activations: in DDP's buckets, or of pieces of the
    batch that have passed before."""

    stage: StageLayers
    model: ModelConfig
    weights: dict[str, int]
    trained: dict[str, float]
    tokens: int
    tensor: int
    shards: int
    early: bool

    @property
    def kept(self) -> float:
        """Weights that are here."""
        return sum(self.weights.values()) / self.shards

    @property
    def learned(self) -> float:
        """Those of which gradients and means are here."""
        return sum(self.trained.values()) / self.shards

    @property
    def gathered(self) -> float:
        """Weights of others that are whole here while they are computed with."""
        if self.shards == 1:
            return 0.0
        layered, layers = sum(n for name, n in self.weights.items() if in_layers(name)), len(self.stage.mine)
        return sum(self.weights.values()) - layered + min(GATHERED_LAYERS, layers) * layered / layers


def device_of(cost: Estimate, training: TrainingConfig, length: int, index: int) -> Device:
    """A process with stage `index` of the pipeline, which is the only one where there is none; sequences are `length`
    long."""
    found, model = sizes(training), cost.model
    tensor, stages = found.get("tensor", 1), found.get("pipeline", 1)
    stage = stage_of(model, index, stages)
    early = "data" in found and "fsdp" not in found and stages == 1
    rows = -(-training.batch_size // data_parallel_size(training))
    if stages > 1:
        pieces = num_micro_batches(rows, stages)
        early = pieces >= stages
        rows = rows // pieces * (min(stages - index, pieces) if early else pieces)
    if tensor > 1:
        heads = {"num_heads": model.num_heads // tensor, "num_kv_heads": model.kv_heads // tensor}
        shared = {"head_dim": model.width_per_head, "d_ff": model.ff_width // tensor}
        model = model.model_copy(update=heads | shared)
    weights = weights_of(cost, stage, tensor)
    learning = trained(cost, training, weights, stage.layers)
    if model.position == "relative_buckets" and not learning["distance biases"]:
        model = model.model_copy(update={"position": "alibi"})  # their biases are as fixed
    return Device(stage, model, weights, learning, rows * length, tensor, found.get("fsdp", 1), early)


def weights_of(cost: Estimate, stage: StageLayers, tensor: int = 1) -> dict[str, int]:
    """Weights by part in one stage of a pipeline, of which each of `tensor` processes has its heads, features and
    tokens; those with the most of them, where they do not come out even."""
    return {part.name: _blocks(part, cost, stage) * _of_one(part, tensor) for part in cost.parts}


def hidden(weights: Mapping[str, float]) -> float:
    """The matrices within layers, about: all but the embeddings and the head."""
    return sum(count for name, count in weights.items() if "attention" in name or "feed-forward" in name)


def _of_one(part: Part, tensor: int) -> int:
    return part.parameters - part.cut + -(-part.cut // tensor)


def _blocks(part: Part, cost: Estimate, stage: StageLayers) -> int:
    """How many blocks of that kind the stage has."""
    model, layers = cost.model, stage.layers
    mine = layers.get(stack_of(part.name, layers), range(0))
    if part.name.startswith("cross-attention"):
        return len(layers["decoder"])
    if in_layers(part.name):
        first = 0 in mine
        if part.name.endswith("first layer's norms"):
            return int(first)
        without_first = part.name.endswith("norms") and model.skip_first_norm
        return len(mine) - (first and without_first)
    begins = stage.is_first + (stage.depth > 0 and stage.begins_writing)  # how many streams of vectors begin here
    match part.name:
        case "token embedding":
            tied = model.tie_embeddings and cost.task in TOKEN_TASKS
            return int(begins > 0 or (tied and stage.is_last))
        case "position embedding" | "embedding norm":
            return begins
        case "token types":
            return int(stage.is_first)
        case "convolution":
            return int(0 in layers["encoder"])
        case "final norm":
            return sum(mine.stop == depth for mine, depth in zip(layers.values(), stage.depths, strict=True) if mine)
        case "distance biases" | "distance embedding":
            return sum(bool(mine) for mine in layers.values())
        case _:
            return int(stage.is_last)  # the heads
