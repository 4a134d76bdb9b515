"""Weights on disk: safetensors files, read with every byte of their header distrusted."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BufferedReader
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from tfmcore.config.problems import UserError
from tfmcore.config.saved import SavedModel
from tfmcore.models.build import build
from tfmcore.models.model import Model

FILE = "model.safetensors"
MAX_HEADER_BYTES = 10_000_000
DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
"""No weight is whole numbers, but the files of others have masks and positions among them."""
NAMES = {dtype: name for name, dtype in DTYPES.items()}
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
PIECE_BYTES = 2**20
"""So much is read or written at a time: a model takes no more memory than its weights while it is opened."""


@dataclass(frozen=True)
class Entry:
    """Where a tensor lies in the file: its bytes are [start, end)."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int
    end: int


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the weights of `model` to `path`; a matrix that two modules share is written once."""
    weights = {name: weight.detach() for name, weight in model.named_parameters()}
    write_tensors(path, weights, weights.values())


def write_tensors(path: Path, shapes: Mapping[str, Tensor], tensors: Iterable[Tensor]) -> None:
    """Write a safetensors file: its names with the dtype and shape of `shapes`, which may be on the meta device, and
    then `tensors` in the same order, one after the other, so that they need not all be there at once."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, tensor in shapes.items():
        start, end = end, end + tensor.nbytes
        header[name] = {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors:
            data = tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
            for start in range(0, len(data), PIECE_BYTES):
                file.write(data[start : start + PIECE_BYTES])


def load_model(folder: Path) -> tuple[Model, SavedModel]:
    """The model in `folder`, in evaluation mode on the CPU, and its description. Raises UserError, in one sentence, for
    anything that is not a whole model; nothing large is allocated before the file's names and shapes agree."""
    saved = SavedModel.read(folder)
    path = folder / FILE
    if not path.is_file():
        raise no_weights(folder)
    model = skeleton(saved)
    load_weights(model, path)
    return model.eval(), saved


class _Unset(TorchFunctionMode):
    """Leaves weights as they are where they would be made random: for those on the meta device, torch would load 75 MB
    of modules to do nothing."""

    RANDOM = ("normal_", "uniform_", "kaiming_uniform_", "xavier_uniform_")

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in self.RANDOM:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def skeleton(saved: SavedModel) -> Model:
    """The model that `saved` describes on the meta device: names and shapes without memory."""
    with torch.device("meta"), _Unset():
        return build(saved)


def allocate(model: nn.Module) -> None:
    """Give a model on the meta device memory, whatever lies in it. Module.to_empty does so too, but to make a tensor
    like one on the meta device torch loads 34 MB of modules."""
    model._apply(lambda weight: torch.empty(weight.shape, dtype=weight.dtype))  # type: ignore[no-untyped-call]


def no_weights(folder: Path) -> UserError:
    """What to say of a folder without a safetensors file."""
    if pickles := [found.name for pattern in PICKLES for found in folder.glob(pattern)]:
        return UserError(f"{folder} contains only {pickles[0]}, a pickle, which can run code and is never opened")
    return UserError(f"{folder} contains no weights: {FILE} is missing")


def load_weights(model: nn.Module, path: Path) -> None:
    """Fill `model`, which may be on the meta device, from `path`; raises UserError naming what does not fit."""
    try:
        with open(path, "rb") as file:
            entries = read_header(file, path)
            _compare(model, entries, path)
            if any(weight.is_meta for weight in model.parameters()):
                allocate(model)
            data = file.tell()
            for name, weight in model.named_parameters():
                read_into(weight.detach(), entries[name], file, data, path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


def read_header(file: BufferedReader, path: Path) -> dict[str, Entry]:
    """Name → place of every tensor; afterwards `file` stands at the first byte of data. Raises UserError for a header
    that is cut, too long, no JSON, names a tensor twice, or whose places overlap, leave gaps or leave the file."""
    size = path.stat().st_size
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > size - 8:
        raise UserError(f"{path} is truncated or not a safetensors file")
    if length > MAX_HEADER_BYTES:
        raise UserError(f"{path} has a header of {length:,} bytes, more than any model of this program needs")
    try:
        header = json.loads(file.read(length), object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} has a damaged header: {str(error)[:200] or 'nested too deeply'}") from None
    if not isinstance(header, dict):
        raise UserError(f"{path} has a damaged header: it is not a table of tensors")
    header.pop("__metadata__", None)
    entries = {name: _entry(name, raw, path) for name, raw in header.items()}
    places = sorted((entry.start, entry.end) for entry in entries.values())
    edges = [(0, 0), *places, (size - 8 - length,) * 2]
    if any(before[1] != after[0] for before, after in pairwise(edges)):
        raise UserError(f"{path} is truncated or damaged: its tensors overlap or do not fill the file")
    return entries


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} occurs twice")
    return table


def _entry(name: str, raw: Any, path: Path) -> Entry:
    """One tensor's place; raises UserError unless dtype, shape and offsets make sense together."""
    try:
        dtype, shape, (start, end) = DTYPES[raw["dtype"]], raw["shape"], raw["data_offsets"]
        numbers = [*shape, start, end]
        whole = all(type(number) is int and 0 <= number < 2**63 for number in numbers)  # a bool is no number here
        if whole and end - start == math.prod(shape) * dtype.itemsize:
            return Entry(dtype, tuple(shape), start, end)
    except (KeyError, TypeError, ValueError):
        pass
    raise UserError(f"{path} has a damaged header: the dtype, shape or offset of {name[:100]!r} is wrong")


def _compare(model: nn.Module, entries: dict[str, Entry], path: Path) -> None:
    """Raise UserError for the first tensor that is missing, of another shape, or unknown."""
    weights = dict(model.named_parameters())
    for name, weight in weights.items():
        if name not in entries:
            raise UserError(f"{path} does not fit its config.json: the tensor {name} is missing")
        if entries[name].shape != tuple(weight.shape):
            shapes = f"{list(entries[name].shape)}, the model's {list(weight.shape)}"
            raise UserError(f"{path} does not fit its config.json: the shape of {name} is {shapes}")
    if extra := entries.keys() - weights.keys():
        raise UserError(f"{path} does not fit its config.json: the model has no tensor {min(extra)[:100]}")


def read_into(tensor: Tensor, entry: Entry, file: BufferedReader, data: int, path: Path) -> None:
    """Fill `tensor`, of the entry's shape and contiguous where it is on the CPU, with the bytes after `data`, piece by
    piece. They are read rather than mapped: a mapped file that another process cuts kills the one that looks at it."""
    file.seek(data + entry.start)
    flat, buffer = tensor.view(-1), bytearray(min(PIECE_BYTES, entry.end - entry.start))
    done = 0
    while done < len(flat):
        size = min(len(buffer), (len(flat) - done) * entry.dtype.itemsize)
        if file.readinto(memoryview(buffer)[:size]) < size:
            raise UserError(f"{path} was truncated while it was read")
        piece = torch.frombuffer(buffer, dtype=entry.dtype, count=size // entry.dtype.itemsize)
        flat[done : done + len(piece)] = piece
        done += len(piece)
