"""Tensor parallel: every process has some of the heads, some of the feed-forward features, some of the vocabulary.

Within a layer the processes compute apart and then add up what they found (https://arxiv.org/abs/1909.08053). Weights
are plain tensors, so that a layer computes as fast as ever; DTensors stand at the seams, where torch knows what a sum
or a cut means for the gradient.
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
from tfmcore.training.parallel.places import Place


def cut_tensors(model: Model, mesh: DeviceMesh, places: dict[str, Place], names: Mapping[str, str]) -> set[str]:
    """Leave this process's share of `model`, and say in `places` what that is, by the names of the whole model, which
    `names` has for those here. The names of those weights whose gradient each process knows only a part of."""
    cutter = Cutter(model, mesh, places, names)
    plan: dict[str, ParallelStyle] = {}
    for name, module in model.named_modules():
        if isinstance(module, MultiHeadAttention | MultiHeadSelfAttention):
            plan[name] = ByHeads(cutter, name)
        elif isinstance(module, FeedForward):
            plan[name] = ByFeatures(cutter, name)
        elif isinstance(module, LanguageModelHead):
            plan[name] = ByVocabulary(cutter, name)
    cutter.share_embeddings()
    parallelize_module(model, mesh, plan)
    return cutter.partial


class Cutter:
    """Cuts weights, and remembers where."""

    def __init__(self, model: Model, mesh: DeviceMesh, places: dict[str, Place], names: Mapping[str, str]) -> None:
        self.model, self.mesh, self.places = model, mesh, places
        self.index, self.count = mesh.get_local_rank(), mesh.size()
        self.names: dict[Tensor, str] = {weight: names[name] for name, weight in model.named_parameters()}
        self.partial = {self.names[weight] for module in model.modules() for weight in _seen_by_heads(module)}

    def cut(self, module: nn.Module, weight: str, dimension: int) -> None:
        """Leave of a module's weight what this process has."""
        whole = getattr(module, weight)
        if whole is None:
            return
        name = self.names[whole]
        self.places[name] = place = self.places[name].among(dimension, self.index, self.count)
        mine = nn.Parameter(place.take(whole.detach()).clone(), whole.requires_grad)
        setattr(module, weight, mine)
        self.names[mine] = name

    def rows(self, linear: nn.Linear) -> None:
        """Each process has some of the results (of each projection, where several are kept together)."""
        self.cut(linear, "weight", 0)
        self.cut(linear, "bias", 0)
        linear.out_features = len(linear.weight)
        if isinstance(linear, FusedLinear):
            linear.sizes = tuple(size // self.count for size in linear.sizes)

    def columns(self, parent: nn.Module, name: str) -> None:
        """Each process has some of the inputs, and the results are added up."""
        linear = getattr(parent, name)
        self.cut(linear, "weight", 1)
        setattr(parent, name, SummedLinear(linear, self.mesh))

    def share_embeddings(self) -> None:
        """Have the token embeddings, and the heads that share one, know a part of the vocabulary."""
        heads = [module for module in self.model.modules() if isinstance(module, LanguageModelHead)]
        for parent in list(self.model.modules()):
            tokens = getattr(parent, "tokens", None)
            if not isinstance(tokens, nn.Embedding):
                continue
            if not isinstance(tokens, VocabularyShare):
                self.cut(tokens, "weight", 0)
                share = VocabularyShare(tokens, self.places[self.names[tokens.weight]], self.mesh)
                for module in self.model.modules():
                    if getattr(module, "tokens", None) is tokens:
                        module.tokens = share
                for head in heads:
                    if head.projection is tokens:
                        head.projection = share
        for head in heads:
            if not isinstance(head.projection, VocabularyShare):
                self.cut(head.projection, "weight", 0)
            self.cut(head, "bias", 0)


def _seen_by_heads(module: nn.Module) -> Iterator[nn.Parameter]:
    """The weights that every head uses, though each process has only some of the heads."""
    if isinstance(module, Stack):
        yield from module.positions.parameters()
    elif isinstance(module, MultiHeadAttention | MultiHeadSelfAttention):
        for norm in (module.query_norm, module.key_norm):
            yield from () if norm is None else norm.parameters()


class Style(ParallelStyle):
    """How one block is shared."""

    def __init__(self, cutter: Cutter, name: str) -> None:
        super().__init__()
        self.cutter, self.name = cutter, name


class ByHeads(Style):
    """Every process attends with its own heads, and their keys and values."""

    def _apply(self, module: nn.Module, device_mesh: DeviceMesh) -> nn.Module:
        assert isinstance(module, MultiHeadAttention | MultiHeadSelfAttention)
        cutter = self.cutter
        if isinstance(module, MultiHeadSelfAttention):
            cutter.rows(module.query_key_value)
            if isinstance(module.distances, DistanceScores):
                for projection in (module.distances.key, module.distances.query):
                    if projection is not None:
                        cutter.rows(projection)
        else:
            cutter.rows(module.query)
            cutter.rows(module.key_value)
        cutter.columns(module, "output")
        heads = cutter.places[f"{self.name}.output.weight"].piece(module.num_heads)
        module.num_heads //= cutter.count
        module.num_kv_heads //= cutter.count
        inputs = 2 if isinstance(module, MultiHeadAttention) else 1  # x, and the memory

        def enter(_: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
            seen = [_shared(argument, device_mesh) for argument in arguments[:inputs]]
            return (*seen, *(_own_heads(argument, heads) for argument in arguments[inputs:]))

        module.register_forward_pre_hook(enter)
        return module


class ByFeatures(Style):
    """Every process has some of the features between the two matrices; of gate and value the same ones."""

    def _apply(self, module: nn.Module, device_mesh: DeviceMesh) -> nn.Module:
        assert isinstance(module, FeedForward)
        self.cutter.rows(module.input)
        self.cutter.columns(module, "output")
        module.register_forward_pre_hook(lambda _, arguments: (_shared(arguments[0], device_mesh),))
        return module


class ByVocabulary(Style):
    """Every process makes the logits of its own tokens; all of them get all."""

    def _apply(self, module: nn.Module, device_mesh: DeviceMesh) -> nn.Module:
        assert isinstance(module, LanguageModelHead)
        vocabulary = self.cutter.places[self.cutter.names[module.projection.weight]].shape[0]
        gather = _gathered(device_mesh, vocabulary)
        module.register_forward_pre_hook(lambda _, arguments: (_shared(arguments[0], device_mesh), *arguments[1:]))
        module.register_forward_hook(lambda _module, _arguments, logits: gather(logits))
        return module


class SummedLinear(nn.Linear):
    """A projection of which every process has some of the inputs: W x is the sum of what each of them makes."""

    def __init__(self, linear: nn.Linear, mesh: DeviceMesh) -> None:
        with torch.device("meta"):
            super().__init__(linear.weight.shape[1], linear.out_features, linear.bias is not None)
        self.weight, self.bias, self.mesh = linear.weight, linear.bias, mesh

    def forward(self, x: Tensor) -> Tensor:
        result = _summed(F.linear(x, self.weight), self.mesh)
        return result if self.bias is None else result + self.bias


class VocabularyShare(nn.Embedding):
    """The vectors of some of the tokens; those of the others come from the other processes."""

    def __init__(self, tokens: nn.Embedding, place: Place, mesh: DeviceMesh) -> None:
        with torch.device("meta"):
            super().__init__(*tokens.weight.shape)
        self.weight, self.mesh, self.known = tokens.weight, mesh, place.piece(place.shape[0])

    def forward(self, ids: Tensor) -> Tensor:
        """Ids (B, T) of the whole vocabulary → (B, T, D)"""
        if not self.known:  # more processes than there are pieces of the vocabulary
            return _summed(self.weight.new_zeros(*ids.shape, self.weight.shape[1]), self.mesh)
        known = (ids >= self.known.start) & (ids < self.known.stop)
        vectors = F.embedding((ids - self.known.start).clamp(0, len(self.known) - 1), self.weight)
        return _summed(vectors * known[..., None], self.mesh)


def _shared(x: Any, mesh: DeviceMesh) -> Any:
    """The same `x` in every process; its gradient is the sum of what each of them finds."""
    if not isinstance(x, Tensor):
        return x
    return DTensor.from_local(x, mesh, [Replicate()], run_check=False).to_local(grad_placements=[Partial()])


def _summed(x: Tensor, mesh: DeviceMesh) -> Tensor:
    """The sum of every process's `x`; each `x` has the sum's gradient."""
    return DTensor.from_local(x, mesh, [Partial()], run_check=False).redistribute(placements=[Replicate()]).to_local()


def _gathered(mesh: DeviceMesh, size: int) -> Callable[[Tensor], Tensor]:
    """Puts the last dimensions of all processes' tensors beside each other, `size` in all."""

    def gather(x: Tensor) -> Tensor:
        shape = torch.Size((*x.shape[:-1], size))
        stride = torch.empty(shape, device="meta").stride()
        cut = DTensor.from_local(x, mesh, [Shard(x.ndim - 1)], run_check=False, shape=shape, stride=stride)
        return cut.redistribute(placements=[Replicate()]).to_local()

    return gather


def _own_heads(argument: Any, heads: range) -> Any:
    """A mask's bias for the heads that this process has; anything else as it is."""
    if isinstance(argument, Mask) and argument.tensor is not None and argument.tensor.shape[1] > 1:
        return argument._replace(tensor=argument.tensor[:, heads.start : heads.stop])
    return argument
