"""The layers of a model as torch.compile makes them for the steps of a training alone
(https://docs.pytorch.org/docs/stable/torch.compiler.html)."""

import contextlib
import functools
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tfmcore.config.activations import MOST_COMPILED
from tfmcore.config.compilers import cpp_compiler
from tfmcore.nn.kernels.attention import all_at_once, as_products_take_them, plain_products, weights_kept
from tfmcore.nn.kernels.dropout import Choice, dropout_on_cpu, random_numbers
from tfmcore.nn.kernels.linear import LEARNS_BY_ONEDNN, all_by_onednn, compiled_linear, linear
from tfmcore.nn.mask import Mask
from tfmcore.nn.probe import Hooks
from tfmcore.nn.stacks import Stack
from tfmcore.training.examination import layers_of
from tfmcore.training.losses import Objective
from tfmcore.training.state import Way
from tfmcore.training.whole_files import writes_whole_files
from tfmcore.workspace import cache_folder

Options = dict[str, str | int | bool | Callable[..., Any]]
MOST_KINDS = 64
"""Layers, and batches, that differ may be compiled anew so many times."""


class CompiledLayers:
    """The layers of a model, compiled; all weights keep their names. Only `in_step` they are the compiled ones:
    validation and samples, and steps in which somebody looks into the layers, have them as they are.

    Each layer is compiled by itself, those that are alike once. Or, on a processor, the layers of a stack as one, for a
    call of what is compiled takes as long as a small layer's norms, and into C++ that calls the products, so that other
    shares of a batch can compute meanwhile. That takes the compiler long for each new shape."""

    def __init__(self, objective: Objective, most_sequences: int) -> None:
        """A call has no more than `most_sequences`."""
        config = objective.model.config
        self.objective = objective
        self.way: Way = "no"
        self._has_few_weights = most_sequences * config.num_heads * config.context_length**2 <= MOST_COMPILED
        layers = list(layers_of(objective.model).values())
        self._hooks = Hooks(module for layer in layers for module in layer.modules())
        self._parts, self._calls = list[nn.Module](), list[Callable[..., object]]()

    def begin(self, way: Way) -> None:
        """Compile each layer, or stack, when a step first calls it."""
        _set_up()
        self.way = way
        model, as_one = self.objective.model, way == "stacks"
        layers, stacks = layers_of(model).values(), (part for part in model.modules() if isinstance(part, Stack))
        self._parts = list(stacks if as_one else layers)
        # dropout draws the random numbers that it always does
        options: Options = {"fallback_random": True, "triton.cudagraphs": way == "graphs", "cpp_wrapper": as_one}
        self._calls = [torch.compile(part._call_impl, options=options) for part in self._parts]

    def end(self) -> None:
        """Have the layers as they are, in steps too."""
        self.way, self._parts, self._calls = "no", [], []

    @contextlib.contextmanager
    def in_step(self) -> Iterator[None]:
        """What a gradient is computed in."""
        if not self._calls or self._hooks:
            yield
            return
        if self.way == "graphs":
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        by_onednn = LEARNS_BY_ONEDNN and self._has_few_weights and self.way == "stacks"
        try:
            for part, call in zip(self._parts, self._calls, strict=True):
                part._compiled_call_impl = call
            self.objective.is_compiled = True
            with all_by_onednn() if by_onednn else contextlib.nullcontext():
                yield
        finally:
            self.objective.is_compiled = False
            for part in self._parts:
                part._compiled_call_impl = None


@functools.cache
def _set_up() -> None:
    """What torch's compiler is told once; loading it takes a second, in which it chooses where it keeps things."""
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_folder() / "compiled"))
    import torch._dynamo
    import torch._inductor.config

    torch._inductor.config.cpp.cxx = (None, writes_whole_files(cpp_compiler(), cache_folder() / "compiler"))
    _keep_headers(cache_folder() / "headers")
    torch._dynamo.config.recompile_limit = MOST_KINDS
    warnings.filterwarnings("ignore", "Torchinductor does not support code generation for complex")  # of rotations
    logging.getLogger("torch._inductor.ir").setLevel(logging.ERROR)  # the same of C++ that calls such operations

    torch.compiler.substitute_in_graph(linear)(compiled_linear)
    _have_numpy_draw_in_graphs()


def _keep_headers(folder: Path) -> None:
    """torch's headers take 150 MB and ten seconds to compile; it would have them in the system's folder for temporary
    files, which is emptied when the machine starts."""
    from torch._inductor import codecache

    codecache._HEADER_DIR, codecache._HEADER_LOCK_DIR = str(folder), str(folder / "locks")


def _have_numpy_draw_in_graphs() -> None:
    """Compiled, too, dropout on a processor draws what it always does: as an operation that nobody looks into. Each is
    given what it chooses from, so that no two of them are taken for the same, nor out of turn."""
    drawing = functools.partial(torch.library.custom_op, mutates_args=(), tags=(torch.Tag.nondeterministic_seeded,))

    @drawing("tfm::kept")
    def kept(x: Tensor, p: float) -> Tensor:
        return Choice(p, random_numbers()).kept(x.shape, x.dtype)

    @drawing("tfm::kept_weights")
    def kept_weights(q: Tensor, S: int, is_biased: bool, causal: bool, p: float) -> Tensor:
        return weights_kept(q.shape, S, is_biased, causal, p, q.dtype)

    kept.register_fake(lambda x, p: torch.empty(x.shape, dtype=x.dtype))
    kept_weights.register_fake(lambda q, S, *_: q.new_empty((q.shape[0] * q.shape[1], q.shape[2], S)))

    @torch.compiler.substitute_in_graph(dropout_on_cpu)
    def dropped(x: Tensor, p: float) -> Tensor:
        kept: Tensor = torch.ops.tfm.kept(x.detach(), p)
        return x * kept.mul(1 / (1 - p))

    @torch.compiler.substitute_in_graph(plain_products)
    def attention(q: Tensor, k: Tensor, v: Tensor, mask: Mask, dropout: float, scale: float) -> Tensor:
        q, k, v, bias = as_products_take_them(q, k, v, mask)
        facts = k.shape[2], bias is not None, mask.causal, dropout
        kept = torch.ops.tfm.kept_weights(q.detach(), *facts) if dropout else None
        return all_at_once(q, k, v, bias, mask.causal, scale, dropout, kept)
