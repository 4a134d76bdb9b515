"""The layers of a model, and on a GPU its loss, as torch.compile makes them for the steps of a training alone
(https://docs.pytorch.org/docs/stable/torch.compiler.html), and what a machine needs for that."""

import contextlib
import importlib.util
import os
import shlex
import shutil
import sys
import sysconfig
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from tfmcore.nn.dropout import SEEDS, Choice, dropout_on_cpu
from tfmcore.nn.linear import linear
from tfmcore.nn.mask import Mask
from tfmcore.nn.probe import Hooks
from tfmcore.nn.scaled_dot_product import all_at_once, as_products_take_them, plain_products, weights_kept
from tfmcore.training.examination import layers_of
from tfmcore.training.losses import Judge, Objective, judge
from tfmcore.workspace import cache_folder

Options = dict[str, str | int | bool | Callable[..., Any]]
MOST_KINDS = 64
"""Layers, and batches, that differ may be compiled anew so many times."""
COMPILERS = {"darwin": "clang++", "win32": "cl"}
"""What torch looks for where CXX does not name one; elsewhere it is g++."""
OLDEST_GPU = (7, 0)
"""Triton's oldest compute capability."""


class CompiledLayers:
    """The layers of a model, each compiled by itself: those that are alike are compiled once, and all weights keep
    their names. Only `in_step` they are the compiled ones: validation and samples, and steps in which somebody looks
    into the layers, have them as they are. On a GPU the judge of the logits is compiled too, which then reads them
    once; on a processor they do not leave its cache."""

    def __init__(self, objective: Objective) -> None:
        self.objective, self.layers = objective, list(layers_of(objective.model).values())
        self.graphs = False
        self._hooks = Hooks(module for layer in self.layers for module in layer.modules())
        self._calls: list[Callable[..., object]] = []
        self._judge: Judge = judge

    def begin(self, graphs: bool = False) -> None:
        """Compile each layer when a step first calls it; with `graphs`, its calls on a GPU are made all at once."""
        _set_up()
        self.graphs = graphs
        # dropout draws the random numbers that it always does
        options: Options = {"fallback_random": True, "triton.cudagraphs": graphs}
        self._calls = [torch.compile(layer._call_impl, options=options) for layer in self.layers]
        if self.objective.model.device.type == "cuda":
            self._judge = torch.compile(judge)

    def end(self) -> None:
        """Have the layers as they are, in steps too."""
        self._calls, self._judge = [], judge

    @contextlib.contextmanager
    def in_step(self) -> Iterator[None]:
        """What a gradient is computed in."""
        if not self._calls or self._hooks:
            yield
            return
        if self.graphs:
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        try:
            for layer, call in zip(self.layers, self._calls, strict=True):
                layer._compiled_call_impl = call
            self.objective.judge = self._judge
            yield
        finally:
            self.objective.judge = judge
            for layer in self.layers:
                layer._compiled_call_impl = None


@cache
def _set_up() -> None:
    """What torch's compiler is told once; loading it takes a second."""
    import torch._dynamo

    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_folder() / "compiled"))
    torch._dynamo.config.recompile_limit = MOST_KINDS
    warnings.filterwarnings("ignore", "Torchinductor does not support code generation for complex")  # of rotations

    @torch.compiler.substitute_in_graph(linear)
    def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """Without the question whether this is inference, which would cut each layer into pieces."""
        return F.linear(x, weight, bias)

    _have_numpy_draw_in_graphs()


def _have_numpy_draw_in_graphs() -> None:
    """Compiled, too, dropout on a processor draws what it always does: as an operation that nobody looks into."""

    @torch.library.custom_op("tfm::kept", mutates_args=())
    def kept(seed: Tensor, shape: Sequence[int], p: float, dtype: torch.dtype) -> Tensor:
        return Choice(p, np.random.SFC64(int(seed))).kept(shape, dtype)

    @torch.library.custom_op("tfm::kept_weights", mutates_args=())
    def kept_weights(
        seed: Tensor, shape: Sequence[int], S: int, is_biased: bool, causal: bool, p: float, dtype: torch.dtype
    ) -> Tensor:
        return weights_kept(np.random.SFC64(int(seed)), shape, S, is_biased, causal, p, dtype)

    kept.register_fake(lambda seed, shape, p, dtype: torch.empty(shape, dtype=dtype))
    kept_weights.register_fake(
        lambda seed, shape, S, is_biased, causal, p, dtype: torch.empty((shape[0] * shape[1], shape[2], S), dtype=dtype)
    )

    @torch.compiler.substitute_in_graph(dropout_on_cpu)
    def dropped(x: Tensor, p: float) -> Tensor:
        kept: Tensor = torch.ops.tfm.kept(torch.randint(SEEDS, ()), x.shape, p, x.dtype)
        return x * kept.mul(1 / (1 - p))

    @torch.compiler.substitute_in_graph(plain_products)
    def attention(q: Tensor, k: Tensor, v: Tensor, mask: Mask, dropout: float, scale: float) -> Tensor:
        q, k, v, bias = as_products_take_them(q, k, v, mask)
        facts = q.shape, k.shape[2], bias is not None, mask.causal, dropout, q.dtype
        kept = torch.ops.tfm.kept_weights(torch.randint(SEEDS, ()), *facts)
        return all_at_once(q, k, v, bias, mask.causal, scale, dropout, kept)


def missing_compiler(device: str) -> str:
    """What compiling for that device needs and this machine lacks, in words; empty where all is there."""
    if device == "mps":
        return "layers are compiled for processors and CUDA only"
    if device == "cuda" and importlib.util.find_spec("triton") is None:
        return "triton is not installed"
    if device == "cuda" and torch.cuda.is_available() and torch.cuda.get_device_capability() < OLDEST_GPU:
        return f"the GPU is older than compute capability {OLDEST_GPU[0]}.{OLDEST_GPU[1]}"
    named = os.environ.get("CXX") or COMPILERS.get(sys.platform, "g++")
    if shutil.which(shlex.split(named)[0]) is None:
        return f"there is no C++ compiler here ({named})"
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        return "Python's headers are not here (Python.h, of the system's package python3-dev)"
    return ""
