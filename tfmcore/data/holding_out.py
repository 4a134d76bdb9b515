"""Which examples are held out: chosen by a hash of their text, so that equal texts are on the same side."""

import hashlib
from array import array
from collections.abc import Collection

import numpy as np

from tfmcore.config.problems import UserError
from tfmcore.data.sources import Example


class Hashes:
    """Collects the hash and the weight (1, or characters) of every example in one pass over the data; `roles` are the
    texts that count."""

    def __init__(self, seed: int, roles: tuple[str, ...]) -> None:
        self.key, self.roles = str(seed).encode(), roles
        self.hashes, self.weights = array("Q"), array("q")

    def of(self, example: Example) -> int:
        """64 bits, equal for examples whose stripped texts are."""
        text = "\0".join(example[role].strip() for role in self.roles if role in example)
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8, key=self.key).digest(), "little")

    def add(self, example: Example, weight: int = 1) -> None:
        self.hashes.append(self.of(example))
        self.weights.append(weight)

    def held_out(self, fraction: float) -> Collection[int]:
        """Hashes of about that share of the weight, one at least; raises UserError where nothing would be left."""
        hashes, places = np.unique(np.array(self.hashes, np.uint64), return_inverse=True)
        if len(hashes) < 2:
            raise UserError("nothing can be held out for validation: the data has fewer than two distinct examples")
        weights = np.bincount(places, np.array(self.weights)).astype(np.int64)
        room = fraction * weights.sum()
        chosen = set[int]()
        for hashed, weight in zip(hashes, weights, strict=True):
            if weight <= room:
                chosen.add(int(hashed))
                room -= weight
            if room < 1:
                break
        return chosen or {int(hashes[weights.argmin()])}
