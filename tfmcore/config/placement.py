"""Who holds what: which layers, heads, shards and examples each of the processes that share a training has.

The processes themselves go by these rules, and so do the picture in the window, `tfm check` and the estimate of memory.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from tfmcore.config.config import Config
from tfmcore.config.model import ModelConfig
from tfmcore.config.parallel import chunk_range, data_parallel_size, even_rows, sizes, stage_layers
from tfmcore.config.parts import stacks
from tfmcore.config.training import TrainingConfig


@dataclass(frozen=True)
class StageLayers:
    """One stage of a pipeline: which of all layers are its own (`mine`), an encoder's first; and its `layers` of each
    stack, numbered as they are there. The stacks have so many in all: `depths`."""

    mine: range
    layers: dict[str, range]
    depths: tuple[int, ...]

    @property
    def num_layers(self) -> int:
        return sum(self.depths)

    @property
    def depth(self) -> int:
        """How many layers an encoder has that a decoder reads."""
        return self.depths[0] if len(self.depths) > 1 else 0

    @property
    def is_first(self) -> bool:
        return self.mine.start == 0

    @property
    def is_last(self) -> bool:
        """Whether the head and the loss are here."""
        return self.mine.stop == self.num_layers

    @property
    def writes(self) -> bool:
        """Whether layers of a decoder are here, of a model that has both."""
        return self.mine.stop > self.depth

    @property
    def begins_writing(self) -> bool:
        """Whether what the decoder reads first is embedded here."""
        return self.depth in self.mine


def stage_of(model: ModelConfig, index: int = 0, count: int = 1) -> StageLayers:
    """Stage `index` of `count`; the only one holds all layers."""
    depths = stacks(model)
    mine, first = stage_layers(sum(depths.values()), count)[index], 0
    layers = dict[str, range]()
    for name, depth in depths.items():
        start, stop = (min(max(place - first, 0), depth) for place in (mine.start, mine.stop))
        layers[name] = range(start, stop)
        first += depth
    return StageLayers(mine, layers, tuple(depths.values()))


@dataclass(frozen=True)
class Share:
    """What one process has: its `rank`, which one it is among those of each kind (`place`), and what that means. It
    computes those `examples` of every batch, with those heads and features of the layers of its stage."""

    rank: int
    place: dict[str, int]
    stage: StageLayers
    heads: range
    kv_heads: range
    features: range
    examples: range


def num_processes(training: TrainingConfig) -> int:
    return math.prod(sizes(training).values())


def place_of(rank: int, found: dict[str, int]) -> dict[str, int]:
    """Which one the process is among those of each kind: those of the last kind are neighbours."""
    place = {}
    for kind, size in reversed(found.items()):
        rank, place[kind] = divmod(rank, size)
    return {kind: place[kind] for kind in found}


def share_of(config: Config, rank: int) -> Share:
    """What the process `rank` (from 0) of a valid config has."""
    model, training, found = config.model, config.training, sizes(config.training)
    place = place_of(rank, found)
    tensor, among = place.get("tensor", 0), found.get("tensor", 1)
    number = place.get("data", 0) * found.get("fsdp", 1) + place.get("fsdp", 0)
    return Share(
        rank=rank,
        place=place,
        stage=stage_of(model, place.get("pipeline", 0), found.get("pipeline", 1)),
        heads=chunk_range(model.num_heads, tensor, among),
        kv_heads=chunk_range(model.kv_heads, tensor, among),
        features=chunk_range(model.ff_width, tensor, among),
        examples=even_rows(number, data_parallel_size(training), training.batch_size),
    )


@dataclass(frozen=True)
class Held:
    """One thing that a process has because of a `kind` ("": it has all of it), in words, and from where to where it
    reaches in the whole, from 0 to 1; `of` says more of that (" of 4"), where there is room."""

    kind: str
    words: str
    start: float = 0.0
    stop: float = 1.0
    of: str = ""

    @property
    def sentence(self) -> str:
        return self.words + self.of


def held_by(config: Config, share: Share) -> list[Held]:
    """What a process has, in words."""
    return list(_held_by(config, share))


def _held_by(config: Config, share: Share) -> Iterator[Held]:
    model, found = config.model, sizes(config.training)
    if "pipeline" in found:
        mine, total = share.stage.mine, share.stage.num_layers
        yield Held("pipeline", _stage_words(share.stage), mine.start / total, mine.stop / total)
    if "tensor" in found:
        yield _some("tensor", "head", share.heads, model.num_heads)
        if model.kv_heads != model.num_heads:
            yield _some("tensor", "key/value head", share.kv_heads, model.kv_heads)
        yield _some("tensor", "feature", share.features, model.ff_width)
    if count := found.get("fsdp"):
        number = share.place["fsdp"]
        words, which = f"1/{count} of each weight", f" (shard {number + 1:,})"
        yield Held("fsdp", words, number / count, (number + 1) / count, which)
    if list(found) == ["data"]:
        yield Held("data", "a full copy of the model")
    size = config.training.batch_size
    by = next((kind for kind in ("data", "fsdp") if kind in found), "")
    if len(share.examples) < size:
        yield _some(by, "example", share.examples, size)
    else:
        yield Held("", f"all {size:,} examples" if size > 1 else "every example")


def _some(kind: str, name: str, mine: range, total: int) -> Held:
    return Held(kind, _numbered(name, mine), mine.start / total, mine.stop / total, f" of {total:,}")


def _numbered(name: str, mine: range) -> str:
    """Such as "layer 3" and "layers 1–2": people count from 1."""
    if len(mine) == 1:
        return f"{name} {mine.stop:,}"
    return f"{name}s {mine.start + 1:,}–{mine.stop:,}"


def _stage_words(stage: StageLayers) -> str:
    """Such as "embedding, layers 1–2"; of a model with both stacks, whose layers they are."""
    both, words = stage.depth > 0, list[str]()
    if stage.is_first or (both and stage.begins_writing):
        words.append("embedding")
    words += [_numbered(f"{name} layer" if both else "layer", mine) for name, mine in stage.layers.items() if mine]
    return ", ".join([*words, "head"] if stage.is_last else words)


def layout_words(training: TrainingConfig) -> str:
    """Such as "8 processes: data 4 × tensor 2"."""
    kinds = " × ".join(f"{kind} {size:,}" for kind, size in sizes(training).items())
    return f"{num_processes(training):,} processes: {kinds}"
