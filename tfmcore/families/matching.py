"""Which tensors of theirs hold which of ours, with every shape compared before a byte is read."""

import re
from dataclasses import dataclass

from torch import Tensor

from tfmcore.config import SavedModel, UserError
from tfmcore.families.family import Family, Head, Rule
from tfmcore.families.reading import Tensors
from tfmcore.families.storage import Storage
from tfmcore.models import Model

EMBEDDINGS = ("embedding.tokens.weight", "encoder_embedding.tokens.weight")
OUTPUTS = ("head.projection.weight", "head.decoder.projection.weight")
"""What the output layer of a language model, and of a masked one, would be called if it were not tied."""


@dataclass(frozen=True)
class Match:
    """Our tensor, the names of theirs that hold it, and how."""

    ours: str
    theirs: tuple[str, ...]
    storage: Storage


def find_rule(rules: list[Rule], tensor: str) -> Match | None:
    """The first rule that says something of our tensor."""
    for rule in rules:
        if (names := rule.names(tensor)) is not None:
            return Match(tensor, names, rule.storage)
    return None


def matches(family: Family, head: Head, saved: SavedModel, model: Model) -> list[Match]:
    """Theirs for every tensor of ours; raises UserError for a tensor that the family has no place for."""
    rules = family.all_rules(saved.model, head)
    found = []
    for name, _ in model.named_parameters():
        if (match := find_rule(rules, name)) is None:
            raise UserError(f"{family.title} has no place for this model's {name}")
        found.append(match)
    return found


@dataclass(frozen=True)
class Found:
    """The matches whose tensors are there, under the names that the folder has; those of ours that it lacks, all of
    the head; and the names of theirs that nothing reads: expected ones, and others."""

    matches: list[Match]
    missing: list[str]
    ignored: list[str]
    unexpected: list[str]


def find(family: Family, head: Head, saved: SavedModel, model: Model, tensors: Tensors, bare: bool) -> Found:
    """Where the folder has every tensor of `model`, which may be on the meta device. Raises UserError naming the first
    that is missing (but for the whole head of a `bare` model) or has another shape."""
    ours, copies = dict(model.named_parameters()), _copies(family, head, saved)
    present, missing, read = list[Match](), list[str](), set[str]()
    for match in matches(family, head, saved, model):
        names = [tensors.find(name, family.base, copies.get(name, ())) for name in match.theirs]
        if bare and match.ours.startswith("head.") and all(name is None for name in names):
            missing.append(match.ours)
            continue
        if None in names:
            lacking = match.theirs[names.index(None)]
            raise UserError(f"the tensor {lacking} is missing, which holds this model's {match.ours}")
        known = tuple(name for name in names if name is not None)
        _compare(ours[match.ours], known, match, tensors)
        _same_copies(match.theirs, known, copies, family.base, tensors)
        present.append(Match(match.ours, known, match.storage))
        read.update(known)
    rest = sorted(tensors.places.keys() - read)
    expected = _expected(family, copies)
    ignored = [name for name in rest if expected.fullmatch(name)]
    return Found(present, missing, ignored, sorted(set(rest) - set(ignored)))


def has_own_output(family: Family, head: Head, saved: SavedModel, tensors: Tensors) -> bool:
    """Whether the output layer of a model that should be tied has a matrix that differs from the embedding's."""
    for embedding, names in _copies(family, head, saved).items():
        found = tensors.find(embedding, family.base)
        outputs = [tensors.find(name) for name in names if name in _outputs(family, head, saved)]
        if found and any(name and not tensors.equal(found, name) for name in outputs):
            return True
    return False


def _copies(family: Family, head: Head, saved: SavedModel) -> dict[str, tuple[str, ...]]:
    """What may repeat which tensor: the family's copies, and where embeddings are tied the output layer's matrix."""
    copies = dict(family.copies)
    if saved.model.tie_embeddings:
        rules = family.all_rules(saved.model, head)
        embedding = next((m for name in EMBEDDINGS if (m := find_rule(rules, name))), None)
        assert embedding is not None  # a family without an embedding is none
        [name] = embedding.theirs
        for original, names in family.tied_copies.items():
            copies[original] = (*copies.get(original, ()), *names)
        copies[name] = (*copies.get(name, ()), *_outputs(family, head, saved))
    return copies


def _outputs(family: Family, head: Head, saved: SavedModel) -> tuple[str, ...]:
    """What the output layer's matrix is called where it is not tied."""
    rules = family.all_rules(saved.model, head)
    return tuple(name for output in OUTPUTS if (match := find_rule(rules, output)) for name in match.theirs)


def _compare(weight: Tensor, names: tuple[str, ...], match: Match, tensors: Tensors) -> None:
    """Raise UserError unless theirs have the shapes that our tensor is stored in."""
    for name, wanted in zip(names, match.storage.write(weight.detach().to("meta")), strict=True):
        if tensors.shape(name) != tuple(wanted.shape):
            shapes = f"{list(tensors.shape(name))}, this config's {list(wanted.shape)}"
            raise UserError(f"the shape of {name} (this model's {match.ours}) is {shapes}")


def _same_copies(
    wanted: tuple[str, ...], found: tuple[str, ...], copies: dict[str, tuple[str, ...]], base: str, tensors: Tensors
) -> None:
    """Raise UserError where a tensor that must repeat another one does not."""
    for name, original in zip(wanted, found, strict=True):
        for copy in copies.get(name, ()):
            other = tensors.find(copy, base)
            if other and other != original and not tensors.equal(other, original):
                raise UserError(f"the tensors {other} and {original} differ, and here they must be equal")


def _expected(family: Family, copies: dict[str, tuple[str, ...]]) -> "re.Pattern[str]":
    """Tensors that nothing reads and the family's checkpoints may have: buffers, copies, and parts of other heads."""
    names = [name for several in copies.values() for name in several]
    heads = [name for head in family.heads for rule in head.rules for name in rule.theirs]
    patterns = [re.escape(name).replace(r"\{\}", r"\d+") + r"(\.weight|\.bias)?" for name in (*names, *heads)]
    patterns += [re.escape(name.removeprefix(family.base)) for name in names]
    return re.compile("|".join([*patterns, family.buffers or "(?!)"]))
