"""One token's step of a model as a CUDA graph: a GPU takes it again without a call for each of its hundred kernels
(https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tfmcore.nn.cache import Cache

NUM_TRIED = 2
"""Steps before the one that is recorded, in which libraries set up what they need."""


def is_looked_into(model: nn.Module) -> bool:
    """Whether somebody waits for calls that a record does not make again."""
    return any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


class RecordedStep:
    """What `step` makes of the next token's id (1, 1), whose keys and values it adds to the cache. Raises RuntimeError
    where one of its kernels cannot be recorded; then the cache is of no use any more."""

    def __init__(self, cache: Cache, step: Callable[[Tensor], Tensor]) -> None:
        self._cache, self._place = cache, cache.fix()
        self._ids = torch.zeros((1, 1), dtype=torch.long, device=self._place.device)
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.stream(aside):  # as torch.cuda.graph does, which collects garbage first, and that takes long
            for _ in range(NUM_TRIED):
                step(self._ids)
            self._graph.capture_begin(capture_error_mode="thread_local")
            try:
                self._result = step(self._ids)
            finally:
                self._graph.capture_end()
        torch.cuda.current_stream().wait_stream(aside)

    def take(self, id: int) -> Tensor:
        """The result for that token; the next one is written over it."""
        self._ids.fill_(id)
        self._place.fill_(self._cache.length)
        self._cache.length += 1
        self._graph.replay()
        return self._result
