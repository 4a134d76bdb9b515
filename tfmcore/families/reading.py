"""A Hugging Face folder, of which nothing is trusted: its config.json and the tensors of its safetensors files."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tfmcore.config import UserError
from tfmcore.config.saved import read_json
from tfmcore.models.weights import FILE, PIECE_BYTES, Entry, no_weights, read_header, read_into

INDEX = "model.safetensors.index.json"
MAX_INDEX_BYTES = 10_000_000
MAX_TENSORS = 50_000
MAX_SHARDS = 1000
OLDER_ENDINGS = {".weight": ".gamma", ".bias": ".beta"}
"""What the norms of the first BERT checkpoints call their tensors."""


def read_config(folder: Path) -> dict[str, Any]:
    """The config.json of a Hugging Face folder; raises UserError for anything that is not one."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder")
    path = folder / "config.json"
    if not path.exists():
        raise UserError(f"{folder} contains no model: config.json is missing")
    raw = read_json(path)
    if not isinstance(raw, dict):
        raise UserError(f"{path} is not a model's config: it is not a table")
    if "format" in raw and "model" in raw:
        raise UserError(f"{folder} is already a model of Transformer Playground: open it without importing")
    return raw


@dataclass(frozen=True)
class Place:
    """Where a tensor lies: its file, its entry there, and where the file's data begins."""

    path: Path
    entry: Entry
    data: int


class Tensors:
    """The tensors of a folder by name, read one at a time."""

    def __init__(self, places: dict[str, Place]) -> None:
        self.places = places

    @classmethod
    def open(cls, folder: Path) -> "Tensors":
        """The safetensors file of a folder, or its shards; raises UserError, and never opens a pickle."""
        places: dict[str, Place] = {}
        for path in _files(folder):
            try:
                with open(path, "rb") as file:
                    entries = read_header(file, path)
                    data = file.tell()
            except OSError as error:
                raise UserError(f"{path} cannot be read: {error.strerror}") from None
            if twice := entries.keys() & places.keys():
                raise UserError(
                    f"{path} has the tensor {min(twice)[:100]}, which {places[min(twice)].path.name} has too"
                )
            places |= {name: Place(path, entry, data) for name, entry in entries.items()}
            if len(places) > MAX_TENSORS:
                raise UserError(f"{folder} has more than {MAX_TENSORS:,} tensors, more than any model needs")
        return cls(places)

    def shape(self, name: str) -> tuple[int, ...]:
        return self.places[name].entry.shape

    def dtype(self, name: str) -> torch.dtype:
        return self.places[name].entry.dtype

    def read(self, name: str) -> Tensor:
        """One tensor, as it is stored."""
        tensor = torch.empty(self.shape(name), dtype=self.places[name].entry.dtype)
        self.read_into(name, tensor)
        return tensor

    def read_into(self, name: str, tensor: Tensor) -> None:
        """Fill `tensor`, which is contiguous and has the right shape, and may have another dtype."""
        place = self.places[name]
        try:
            with open(place.path, "rb") as file:
                read_into(tensor, place.entry, file, place.data, place.path)
        except OSError as error:
            raise UserError(f"{place.path} cannot be read: {error.strerror}") from None

    def equal(self, first: str, second: str) -> bool:
        """Whether two tensors are the same to the bit; they are compared piece by piece."""
        a, b = self.places[first], self.places[second]
        if (a.entry.dtype, a.entry.shape) != (b.entry.dtype, b.entry.shape):
            return False
        with open(a.path, "rb") as one, open(b.path, "rb") as other:
            one.seek(a.data + a.entry.start)
            other.seek(b.data + b.entry.start)
            left = a.entry.end - a.entry.start
            while left > 0:
                size = min(left, PIECE_BYTES)
                if one.read(size) != other.read(size):
                    return False
                left -= size
        return True

    def find(self, name: str, base: str = "", copies: tuple[str, ...] = ()) -> str | None:
        """Under which name the folder has the tensor `name`: without the prefix `base`, as an old checkpoint wrote it,
        or as one of its `copies`."""
        for wanted in (name, *copies):
            for spelling in (wanted, wanted.removeprefix(base)):
                for found in (spelling, *_older(spelling)):
                    if found in self.places:
                        return found
        return None


def _older(name: str) -> Iterator[str]:
    for ending, older in OLDER_ENDINGS.items():
        if name.endswith(ending) and re.search(r"norm", name, re.IGNORECASE):
            yield name.removesuffix(ending) + older


def _files(folder: Path) -> list[Path]:
    """The safetensors files of a folder: one, or the shards that its index names, which lie beside it."""
    if (single := folder / FILE).is_file():
        return [single]
    index = folder / INDEX
    if not index.is_file():
        raise no_weights(folder)
    raw = read_json(index, MAX_INDEX_BYTES)
    names = raw.get("weight_map") if isinstance(raw, dict) else None
    if not isinstance(names, dict) or not names or len(names) > MAX_TENSORS:
        raise UserError(f"{index} is not an index of at most {MAX_TENSORS:,} tensors (no usable `weight_map`)")
    shards = list(dict.fromkeys(names.values()) if all(isinstance(name, str) for name in names.values()) else [])
    if not 0 < len(shards) <= MAX_SHARDS:
        raise UserError(f"{index} does not name 1 to {MAX_SHARDS} files")
    for shard in shards:
        if not re.fullmatch(r"[\w-][\w.-]*\.safetensors", shard):
            raise UserError(f"{index} names {shard!r:.200}, which is no safetensors file of its own folder")
        if not (folder / shard).is_file():
            raise UserError(f"{folder} is incomplete: {shard} is missing")
    return [folder / shard for shard in shards]
