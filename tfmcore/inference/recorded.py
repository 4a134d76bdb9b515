"""The step from a token to the next, taken again without the model's own code, which takes longer than many of its
kernels.

On a GPU it is a CUDA graph (https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs), elsewhere the kernels
are called one by one."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial
from typing import Any, cast

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from tfmcore.nn.cache import Cache
from tfmcore.nn.kernels.attention import OPERATIONS

Step = Callable[[Tensor], Tensor]
TO_COPY = torch.ops.aten._to_copy.default
COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd
NUM_TRIED = 2
"""Steps before a graph is recorded, in which libraries set up what they need."""
SHARED = 2**20
"""A kernel that is given so many numbers is shared between threads; with fewer it is over before another has woken,
unless many texts are multiplied by them."""


class RecordedStep:
    """What `step` makes of the ids (B, 1) of the next tokens, whose keys and values it adds to the cache, as long as
    that is fixed with the same `room`. The first one is recorded, which raises RuntimeError for a step that cannot be;
    then the cache is as long as it was."""

    def __init__(self, cache: Cache, step: Step, batch_size: int = 1) -> None:
        self._cache, self._step = cache, step
        self._place, self.room = cache.fix(), cache.room
        self._ids = torch.zeros((batch_size, 1), dtype=torch.long, device=self._place.device)
        self._again: Callable[[], object] | None = None

    def take(self, ids: Tensor) -> Tensor:
        """The result for these tokens; the next one is written over it."""
        self._ids.copy_(ids)
        self._place.fill_(self._cache.length)
        if self._again:
            self._again()
        else:
            self._again, self._result = (_as_graph if self._ids.is_cuda else _as_kernels)(self._step, self._ids)
        self._cache.length += 1
        return self._result


def _as_graph(step: Step, ids: Tensor) -> tuple[Callable[[], object], Tensor]:
    aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    aside.wait_stream(torch.cuda.current_stream())
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.stream(aside):  # as torch.cuda.graph does, which collects garbage first, and that takes long
        for _ in range(NUM_TRIED):
            step(ids)
        graph.capture_begin(capture_error_mode="thread_local")
        try:
            result = step(ids)
        finally:
            graph.capture_end()
    torch.cuda.current_stream().wait_stream(aside)
    graph.replay()
    return graph.replay, result


def _as_kernels(step: Step, ids: Tensor) -> tuple[Callable[[], object], Tensor]:
    with _Kernels(SHARED // len(ids)) as kernels:
        result = step(ids)
    again, before = kernels.needed(result), result.clone()

    def take() -> None:
        for call in again:
            call()

    take()
    if not torch.equal(before, result):
        raise RuntimeError("the same kernels come to another result")
    return take, result


class _Call:
    """A function that is called again with the same tensors, and puts what comes of it where it was at first."""

    def __init__(self, function: OpOverload, inputs: tuple[Any, ...], options: Mapping[str, Any], result: Any) -> None:
        self.function, self.inputs, self.options, self.result = function, inputs, dict(options), result
        self.num_threads = torch.get_num_threads()
        self.places = [] if function._schema.is_mutable else [*_tensors((result,))]

    def given(self) -> Iterator[Tensor]:
        return _tensors((*self.inputs, *self.options.values()))

    def is_whole_copy(self) -> bool:
        """Whether it only has the same numbers in the same order, in another type."""
        return self.function is TO_COPY and self.inputs[0].is_contiguous() and self.places[0].is_contiguous()

    def prepared(self, goes: Callable[[Tensor], Tensor | None]) -> Callable[[], object]:
        """As quick a call as there is, whose results go to these places, if anywhere."""
        inputs, options, places = self.inputs, self.options, self.places
        function = _bound(self.function)
        if not places:
            return partial(function, *inputs, **options)
        if self.function is TO_COPY:
            return partial(places[0].copy_, inputs[0])
        if _writes(self.function):
            return partial(function, *inputs, **options, out=places[0] if len(places) == 1 else places)
        if isinstance(self.result, Tensor):
            copy = cast(Tensor, goes(self.result)).copy_
            return lambda: copy(function(*inputs, **options))
        found = [(number, goes(x)) for number, x in enumerate(self.result) if isinstance(x, Tensor)]
        read = [(number, place.copy_) for number, place in found if place is not None]

        def call() -> None:
            results = function(*inputs, **options)
            for number, copy in read:
                copy(results[number])

        return call


class _Kernels(TorchDispatchMode):
    """Notes which kernels are called. When they are called again their results go where they went before, so that what
    only looks at these in another way needs no call."""

    def __init__(self, shared: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._shared = shared
        self._calls: list[_Call] = []
        self._changed = set[int]()
        self._num_threads = torch.get_num_threads()

    def __exit__(self, *error: Any) -> None:
        torch.set_num_threads(self._num_threads)
        super().__exit__(*error)  # type: ignore[no-untyped-call]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """To skip it, torch would load its compiler."""
        return False

    def needed(self, result: Tensor) -> list[Callable[[], object]]:
        """The calls that `result` needs: constants stay as they are, what nobody reads is not made, and what is read
        only to be copied goes where the copy does."""

        def is_constant(call: _Call) -> bool:
            if torch.Tag.nondeterministic_seeded in call.function.tags:
                return False
            return not [*call.given()] and all(_storage(place) not in self._changed for place in call.places)

        def is_read(place: Tensor) -> bool:
            return reads[_storage(place)] > 0

        reads, calls = Counter([_storage(result)]), list[_Call]()
        for call in reversed(self._calls):
            is_mutable = call.function._schema.is_mutable
            if is_mutable or (any(map(is_read, call.places)) and not is_constant(call)):
                calls.append(call)
                reads.update(map(_storage, call.given()))
        calls.reverse()
        copies, left_out = {_storage(call.inputs[0]): call for call in calls if call.is_whole_copy()}, set[_Call]()

        def goes(place: Tensor) -> Tensor | None:
            copy = copies.get(_storage(place))
            if copy and reads[_storage(place)] == 1 and copy.inputs[0].numel() == place.numel():
                left_out.add(copy)
                return copy.places[0].view_as(place)
            return place if is_read(place) else None

        again: list[Callable[[], object]] = []
        num_threads = self._num_threads
        for call in calls:
            if call in left_out:
                continue
            if call.num_threads != num_threads:
                num_threads = call.num_threads
                again.append(partial(torch.set_num_threads, num_threads))
            again.append(call.prepared(goes))
        return [*again, partial(torch.set_num_threads, self._num_threads)]

    def __torch_dispatch__(
        self, function: OpOverload, types: Any, inputs: tuple[Any, ...] = (), options: Mapping[str, Any] | None = None
    ) -> Any:
        options = options or {}
        if _is_composite(function):
            with self:  # what it is made of is noted
                return function._op_dk(COMPOSITE, *inputs, **options)
        if _is_asked_for_numbers(function, inputs):
            raise RuntimeError(f"{function} cannot be recorded")
        tensors = [*_tensors((*inputs, *options.values()))]
        given = {_storage(tensor) for tensor in tensors}
        is_shared = sum(tensor.numel() for tensor in tensors) >= self._shared
        torch.set_num_threads(self._num_threads if is_shared else 1)
        result = function(*inputs, **options)
        if function._schema.is_mutable:
            self._changed |= given
        elif all(_storage(tensor) in given for tensor in _tensors((result,))):
            return result  # it only looks at it in another way
        self._calls.append(_Call(function, inputs, options, result))
        return result


@cache
def _is_composite(function: OpOverload) -> bool:
    """Whether it has no kernel, but calls other functions."""
    return torch._C._dispatch_has_kernel_for_dispatch_key(function.name(), COMPOSITE)  # type: ignore[no-untyped-call]


def _is_asked_for_numbers(function: OpOverload, inputs: tuple[Any, ...]) -> bool:
    """Whether what comes of a function, or its shape, depends on the numbers in its tensors."""
    if torch.Tag.dynamic_output_shape in function.tags:  # to take from places is no choice
        return function is not torch.ops.aten.index.Tensor or any(x.dtype == torch.bool for x in _tensors(inputs))
    return torch.Tag.data_dependent_output in function.tags


@cache
def _bound(function: OpOverload) -> Callable[..., Any]:
    """The same function as torch's Python has it, which reads its arguments in 1 µs and not in 4."""
    if function in OPERATIONS:
        return OPERATIONS[function]
    name = function._schema.name.removeprefix("aten::")
    places = (torch._C._VariableFunctions, torch._C._nn, torch._C.TensorBase)
    found: list[Callable[..., Any]] = [getattr(place, name) for place in places if hasattr(place, name)]
    return found[0] if found else function


@cache
def _writes(function: OpOverload) -> bool:
    """Whether it can write what comes of it into tensors that it is given, and does not only copy it there."""
    if _bound(function) is function:
        return False
    for overload in ("out", f"{function._overloadname}_out"):
        other = getattr(function.overloadpacket, overload, None)
        if other and torch.Tag.generated not in other.tags:
            given = [argument.name for argument in other._schema.arguments if not argument.is_out]
            if given == [argument.name for argument in function._schema.arguments]:
                return True
    return False


def _tensors(given: Iterable[Any]) -> Iterator[Tensor]:
    for each in given:
        if isinstance(each, Tensor):
            yield each
        elif isinstance(each, (list, tuple)):
            yield from _tensors(each)


def _storage(tensor: Tensor) -> int:
    """Where it lies; an opaque one by itself."""
    return tensor.untyped_storage().data_ptr() if tensor.layout == torch.strided else id(tensor)
