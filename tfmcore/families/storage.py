"""How a checkpoint of others lays out what one tensor of ours holds: pairs of functions, each the other's inverse."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor


@dataclass(frozen=True)
class Storage:
    """`write` makes the tensors that a checkpoint stores from one of ours, `read` makes ours from them. Both work on
    the meta device too, which is how shapes are known before a byte is read. `same` marks the one that does nothing."""

    write: Callable[[Tensor], list[Tensor]]
    read: Callable[[list[Tensor]], Tensor]
    same: bool = False


def one(write: Callable[[Tensor], Tensor], read: Callable[[Tensor], Tensor]) -> Storage:
    """One of theirs for one of ours."""
    return Storage(lambda ours: [write(ours)], lambda theirs: read(theirs[0]))


SAME = Storage(lambda ours: [ours], lambda theirs: theirs[0], same=True)
TRANSPOSED = one(torch.t, torch.t)
"""GPT's Conv1D keeps (in, out); a vector stays as it is."""
ONE_PLUS = one(lambda ours: ours - 1, lambda theirs: theirs + 1)
"""Gemma's norms multiply with 1 + w."""
TWICE = Storage(lambda ours: [ours, ours], lambda theirs: theirs[0])
"""Theirs keeps it under two names, of which the second says nothing."""


def joined(*parts: tuple[int, Storage]) -> Storage:
    """Ours has the rows of several of theirs below each other, such as queries, keys and values: (rows, storage) each.
    One that stores more than one tensor cannot be a part."""
    sizes = [rows for rows, _ in parts]

    def write(ours: Tensor) -> list[Tensor]:
        pieces = torch.split(ours, sizes)
        return [storage.write(piece)[0] for piece, (_, storage) in zip(pieces, parts, strict=True)]

    def read(theirs: list[Tensor]) -> Tensor:
        return torch.cat([storage.read([piece]) for piece, (_, storage) in zip(theirs, parts, strict=True)])

    return Storage(write, read)


def split(*sizes: int) -> Storage:
    """Queries, keys and values (or gate and up) as tensors of their own."""
    return joined(*((size, SAME) for size in sizes))


def chain(first: Storage, second: Storage) -> Storage:
    """`first` and, on what it stores as one tensor, `second`."""
    return Storage(
        lambda ours: second.write(first.write(ours)[0]),
        lambda theirs: first.read([second.read(theirs)]),
    )


def within(*parts: tuple[int, Storage]) -> Storage:
    """Blocks of rows of one tensor, each stored in its own way, in one tensor again."""
    apart, ends = joined(*parts), list(accumulate(rows for rows, _ in parts))
    return one(
        lambda ours: torch.cat(apart.write(ours)),
        lambda theirs: apart.read(list(theirs.tensor_split(ends[:-1]))),
    )


def per_head(num_heads: int, num_parts: int = 3) -> Storage:
    """Ours: all queries, then all keys, then all values. Theirs: each head's q, k and v beside each other."""

    def swap(tensor: Tensor, outer: int, inner: int) -> Tensor:
        return tensor.reshape(outer, inner, -1, *tensor.shape[1:]).transpose(0, 1).reshape(tensor.shape)

    return one(lambda ours: swap(ours, num_parts, num_heads), lambda theirs: swap(theirs, num_heads, num_parts))


def rotary_halves(num_heads: int, head_dim: int, turned: int | None = None) -> Storage:
    """Ours turns neighbouring features together, theirs feature i and i + half: the rows of queries or keys change
    places within each head. Only the first `turned` features of a head are turned at all."""
    turned = head_dim if turned is None else turned
    order = torch.arange(head_dim, device="cpu")
    order[:turned] = order[:turned].view(-1, 2).t().reshape(-1)  # theirs[i] = ours[order[i]]
    rows = (torch.arange(num_heads, device="cpu")[:, None] * head_dim + order).view(-1)
    back = torch.empty_like(rows)
    back[rows] = torch.arange(len(rows), device="cpu")
    return one(lambda ours: ours[rows.to(ours.device)], lambda theirs: theirs[back.to(theirs.device)])


def rows_before(num_rows: int) -> Storage:
    """Theirs begins with rows that no token ever uses, such as the two of BART's positions; they are written as 0."""
    return one(
        lambda ours: torch.cat([ours.new_zeros(num_rows, *ours.shape[1:]), ours]),
        lambda theirs: theirs[num_rows:],
    )


def shaped(add: Sequence[int]) -> Storage:
    """Theirs has more dimensions of length 1, at the places `add`."""

    def write(ours: Tensor) -> Tensor:
        for place in add:
            ours = ours.unsqueeze(place)
        return ours

    return one(write, lambda theirs: theirs.flatten())
