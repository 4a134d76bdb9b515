"""A model made ready for writing: its matrices in fp32, bf16 or int8, and what that does to its logits."""

import copy
from dataclasses import dataclass
from typing import TypeGuard, TypeVar

import torch
from torch import Tensor, nn

from tfmcore.config import UserError
from tfmcore.inference.decoding import write_batch
from tfmcore.inference.reading import Source, Writer, reads_alone, source_of
from tfmcore.inference.sampling import Sampling
from tfmcore.messages import WritingPrecision
from tfmcore.models import DecoderOnlyTransformer, EncoderDecoderTransformer
from tfmcore.nn.heads import LanguageModelHead
from tfmcore.nn.kernels.packed import BFloat16Linear, Int8Linear, PackedLinear, lay_out
from tfmcore.nn.linear import FusedLinear

PACKED: dict[WritingPrecision, type[PackedLinear]] = {"bf16": BFloat16Linear, "int8": Int8Linear}
NUM_TOKENS = 32
W = TypeVar("W", bound=nn.Module)


@dataclass(frozen=True)
class Effect:
    """How far logits are from those of fp32: `largest` and `mean` of the differences, where the logits of fp32 have the
    standard deviation `spread`; and the `share` of tokens after which the likeliest one is the same."""

    largest: float
    mean: float
    spread: float
    share: float

    def sentence(self, precision: str) -> str:
        return (
            f"In {precision} the logits differ from fp32's by {self.mean:.2g} on average, {self.largest:.2g} at most "
            f"(standard deviation {self.spread:.2g}); after {self.share:.0%} of tokens the most likely one is the same."
        )


def writes(model: nn.Module) -> TypeGuard[Writer]:
    """Whether the model writes texts, which is what a precision is chosen for."""
    return isinstance(model, DecoderOnlyTransformer | EncoderDecoderTransformer) and isinstance(
        model.head, LanguageModelHead
    )


def prepared(model: W, precision: WritingPrecision) -> W:
    """The model with its matrices in that precision, for writing. In fp32 it is the same model, whose matrices only lie
    otherwise in memory; else it is another, which shares what is no matrix. Raises UserError for int8 on a GPU."""
    weights = list(model.parameters())
    on_cpu = weights[0].device.type == "cpu"
    if precision != "fp32":
        if precision == "int8" and not on_cpu:
            raise UserError("precision: int8 is for generating on a CPU, and this model is on a GPU (nearest: bf16)")
        model = copy.deepcopy(model, {id(weight): weight for weight in weights})
        _pack(model, PACKED[precision])
    elif on_cpu and writes(model) and (reads_alone(model) or torch.get_num_threads() == 1):
        _lay_out(model)
    return model


def _lay_out(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Linear):
            lay_out(module.weight)
        elif isinstance(module, LanguageModelHead):
            lay_out(module.projection.weight)


def _pack(model: nn.Module, kind: type[PackedLinear]) -> None:
    for module in list(model.modules()):
        if isinstance(module, LanguageModelHead):
            module.packed = kind(module.projection.weight, module.bias)
            if isinstance(module.projection, nn.Linear):
                del module.projection  # no embedding needs it
        for name, linear in list(module.named_children()):
            if isinstance(linear, FusedLinear):
                setattr(module, name, kind(linear.weight, linear.whole_bias(), linear.sizes))
            elif isinstance(linear, nn.Linear):
                setattr(module, name, kind(linear.weight, linear.bias))


@torch.inference_mode()
def effect(model: Writer, ready: Writer) -> Effect:
    """What became of the logits of `model`, after each token of a text that `ready` draws."""
    start = torch.randint(model.vocab_size, (1, 8), generator=torch.Generator().manual_seed(0)).tolist()[0]
    length = min(NUM_TOKENS, model.config.context_length - 1)
    [text] = write_batch(
        ready,
        [start[:1]],
        max_new_tokens=length,
        sampling=Sampling(1.0, seed=0),
        source=source_of(ready, start),
    )
    ids = torch.tensor([[*start[:1], *text[:-1]]], device=model.device)
    exact, found = (_logits(each, ids, source_of(each, start)) for each in (model, ready))
    difference = (found - exact).abs()
    same = (found.argmax(-1) == exact.argmax(-1)).float().mean()
    return Effect(difference.max().item(), difference.mean().item(), exact.std(-1).mean().item(), same.item())


def _logits(model: Writer, ids: Tensor, source: Source | None) -> Tensor:
    """(T, V) for ids (1, T)."""
    if isinstance(model, EncoderDecoderTransformer):
        features = model.decode(ids, None if source is None else source.memory)
    else:
        features = model.features(ids)
    logits: Tensor = model.head(features.hidden[0])
    return logits.float()
