"""Tensor parallel: every rank has some of the heads, some of the feed-forward features, some of the vocabulary.

Within a layer the ranks compute apart and then sum what they found, as in Megatron-LM
(https://arxiv.org/abs/1909.08053). Weights are plain tensors, so that a layer computes as fast as ever; DTensors stand
at the seams, where torch knows what an all-reduce or an all-gather means for the gradient.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard
from torch.distributed.tensor.parallel import ParallelStyle, parallelize_module
from torch.nn import functional as F

from tfmcore.models import Model
from tfmcore.nn.attention import MultiHeadAttention, MultiHeadSelfAttention
from tfmcore.nn.disentangled import DistanceScores
from tfmcore.nn.feed_forward import FeedForward
from tfmcore.nn.heads import LanguageModelHead
from tfmcore.nn.linear import FusedLinear
from tfmcore.nn.mask import Mask
from tfmcore.nn.stacks import Stack
from tfmcore.training.parallel.shard_spec import ShardSpec


def apply_tensor_parallel(
    model: Model, mesh: DeviceMesh, specs: dict[str, ShardSpec], names: Mapping[str, str]
) -> set[str]:
    """Leave this rank's shards of `model`, and say in `specs` what they are, by the names of the full model, which
    `names` has for those here. The names of those weights whose gradient each rank knows only a part of."""
    sharder = Sharder(model, mesh, specs, names)
    plan: dict[str, ParallelStyle] = {}
    for name, module in model.named_modules():
        if isinstance(module, MultiHeadAttention | MultiHeadSelfAttention):
            plan[name] = AttentionParallel(sharder, name)
        elif isinstance(module, FeedForward):
            plan[name] = FeedForwardParallel(sharder, name)
        elif isinstance(module, LanguageModelHead):
            plan[name] = VocabularyParallel(sharder, name)
    sharder.shard_embeddings()
    parallelize_module(model, mesh, plan)
    return sharder.partial


class Sharder:
    """Shards weights, and keeps their specs."""

    def __init__(self, model: Model, mesh: DeviceMesh, specs: dict[str, ShardSpec], names: Mapping[str, str]) -> None:
        self.model, self.mesh, self.specs = model, mesh, specs
        self.rank, self.size = mesh.get_local_rank(), mesh.size()
        self.names: dict[Tensor, str] = {weight: names[name] for name, weight in model.named_parameters()}
        self.partial = {self.names[weight] for module in model.modules() for weight in _seen_by_heads(module)}

    def shard(self, module: nn.Module, weight: str, dim: int) -> None:
        """Leave this rank's shard of a module's weight."""
        whole = getattr(module, weight)
        if whole is None:
            return
        name = self.names[whole]
        self.specs[name] = spec = self.specs[name].sharded(dim, self.rank, self.size)
        mine = nn.Parameter(spec.shard(whole.detach()).clone(), whole.requires_grad)
        setattr(module, weight, mine)
        self.names[mine] = name

    def column_parallel(self, linear: nn.Linear) -> None:
        """Each rank has some of the results (of each projection, where several are kept together)."""
        self.shard(linear, "weight", 0)
        self.shard(linear, "bias", 0)
        linear.out_features = len(linear.weight)
        if isinstance(linear, FusedLinear):
            linear.sizes = tuple(size // self.size for size in linear.sizes)

    def row_parallel(self, parent: nn.Module, name: str) -> None:
        """Each rank has some of the inputs, and the results are all-reduced."""
        linear = getattr(parent, name)
        self.shard(linear, "weight", 1)
        setattr(parent, name, RowParallelLinear(linear, self.mesh))

    def shard_embeddings(self) -> None:
        """Have the token embeddings, and the heads that are tied to one, know a part of the vocabulary."""
        heads = [module for module in self.model.modules() if isinstance(module, LanguageModelHead)]
        for parent in list(self.model.modules()):
            tokens = getattr(parent, "tokens", None)
            if not isinstance(tokens, nn.Embedding):
                continue
            if not isinstance(tokens, VocabularyParallelEmbedding):
                self.shard(tokens, "weight", 0)
                embedding = VocabularyParallelEmbedding(tokens, self.specs[self.names[tokens.weight]], self.mesh)
                for module in self.model.modules():
                    if getattr(module, "tokens", None) is tokens:
                        module.tokens = embedding
                for head in heads:
                    if head.projection is tokens:
                        head.projection = embedding
        for head in heads:
            if not isinstance(head.projection, VocabularyParallelEmbedding):
                self.shard(head.projection, "weight", 0)
            self.shard(head, "bias", 0)


def _seen_by_heads(module: nn.Module) -> Iterator[nn.Parameter]:
    """The weights that every head uses, though each rank has only some of the heads."""
    if isinstance(module, Stack):
        yield from module.positions.parameters()
    elif isinstance(module, MultiHeadAttention | MultiHeadSelfAttention):
        for norm in (module.query_norm, module.key_norm):
            yield from () if norm is None else norm.parameters()


class BlockParallel(ParallelStyle):
    """How one block is parallelized."""

    def __init__(self, sharder: Sharder, name: str) -> None:
        super().__init__()
        self.sharder, self.name = sharder, name


class AttentionParallel(BlockParallel):
    """Every rank attends with its own heads, and their keys and values."""

    def _apply(self, module: nn.Module, device_mesh: DeviceMesh) -> nn.Module:
        assert isinstance(module, MultiHeadAttention | MultiHeadSelfAttention)
        sharder = self.sharder
        if isinstance(module, MultiHeadSelfAttention):
            sharder.column_parallel(module.query_key_value)
            if isinstance(module.distances, DistanceScores):
                for projection in (module.distances.key, module.distances.query):
                    if projection is not None:
                        sharder.column_parallel(projection)
        else:
            sharder.column_parallel(module.query)
            sharder.column_parallel(module.key_value)
        sharder.row_parallel(module, "output")
        heads = sharder.specs[f"{self.name}.output.weight"].local_range(module.num_heads)
        module.num_heads //= sharder.size
        module.num_kv_heads //= sharder.size
        inputs = 2 if isinstance(module, MultiHeadAttention) else 1  # x, and the memory

        def enter(_: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
            seen = [_replicated(argument, device_mesh) for argument in arguments[:inputs]]
            return (*seen, *(_local_heads(argument, heads) for argument in arguments[inputs:]))

        module.register_forward_pre_hook(enter)
        return module


class FeedForwardParallel(BlockParallel):
    """Every rank has some of the features between the two matrices; of gate and value the same ones."""

    def _apply(self, module: nn.Module, device_mesh: DeviceMesh) -> nn.Module:
        assert isinstance(module, FeedForward)
        self.sharder.column_parallel(module.input)
        self.sharder.row_parallel(module, "output")
        module.register_forward_pre_hook(lambda _, arguments: (_replicated(arguments[0], device_mesh),))
        return module


class VocabularyParallel(BlockParallel):
    """Every rank makes the logits of its own tokens; all of them get all."""

    def _apply(self, module: nn.Module, device_mesh: DeviceMesh) -> nn.Module:
        assert isinstance(module, LanguageModelHead)
        vocabulary = self.sharder.specs[self.sharder.names[module.projection.weight]].shape[0]
        gather = _all_gather(device_mesh, vocabulary)
        module.register_forward_pre_hook(lambda _, arguments: (_replicated(arguments[0], device_mesh), *arguments[1:]))
        module.register_forward_hook(lambda _module, _arguments, logits: gather(logits))
        return module


class RowParallelLinear(nn.Linear):
    """A projection of which every rank has some of the inputs: W x is the sum of what each of them makes."""

    def __init__(self, linear: nn.Linear, mesh: DeviceMesh) -> None:
        with torch.device("meta"):
            super().__init__(linear.weight.shape[1], linear.out_features, linear.bias is not None)
        self.weight, self.bias, self.mesh = linear.weight, linear.bias, mesh

    def forward(self, x: Tensor) -> Tensor:
        result = _all_reduced(F.linear(x, self.weight), self.mesh)
        return result if self.bias is None else result + self.bias


class VocabularyParallelEmbedding(nn.Embedding):
    """The vectors of some of the tokens; those of the others come from the other ranks."""

    def __init__(self, tokens: nn.Embedding, spec: ShardSpec, mesh: DeviceMesh) -> None:
        with torch.device("meta"):
            super().__init__(*tokens.weight.shape)
        self.weight, self.mesh, self.known = tokens.weight, mesh, spec.local_range(spec.shape[0])

    def forward(self, ids: Tensor) -> Tensor:
        """Ids (B, T) of the whole vocabulary → (B, T, D)"""
        if not self.known:  # more ranks than there are chunks of the vocabulary
            return _all_reduced(self.weight.new_zeros(*ids.shape, self.weight.shape[1]), self.mesh)
        known = (ids >= self.known.start) & (ids < self.known.stop)
        vectors = F.embedding((ids - self.known.start).clamp(0, len(self.known) - 1), self.weight)
        return _all_reduced(vectors * known[..., None], self.mesh)


def _replicated(x: Any, mesh: DeviceMesh) -> Any:
    """The same `x` in every rank; its gradient is the sum of what each of them finds."""
    if not isinstance(x, Tensor):
        return x
    return DTensor.from_local(x, mesh, [Replicate()], run_check=False).to_local(grad_placements=[Partial()])


def _all_reduced(x: Tensor, mesh: DeviceMesh) -> Tensor:
    """The sum of every rank's `x`; each `x` has the sum's gradient."""
    return DTensor.from_local(x, mesh, [Partial()], run_check=False).redistribute(placements=[Replicate()]).to_local()


def _all_gather(mesh: DeviceMesh, size: int) -> Callable[[Tensor], Tensor]:
    """Puts the last dimensions of all ranks' tensors beside each other, `size` in all."""

    def gather(x: Tensor) -> Tensor:
        shape = torch.Size((*x.shape[:-1], size))
        stride = torch.empty(shape, device="meta").stride()
        cut = DTensor.from_local(x, mesh, [Shard(x.ndim - 1)], run_check=False, shape=shape, stride=stride)
        return cut.redistribute(placements=[Replicate()]).to_local()

    return gather


def _local_heads(argument: Any, heads: range) -> Any:
    """A mask's bias for the heads that this rank has; anything else as it is."""
    if isinstance(argument, Mask) and argument.tensor is not None and argument.tensor.shape[1] > 1:
        return argument._replace(tensor=argument.tensor[:, heads.start : heads.stop])
    return argument
