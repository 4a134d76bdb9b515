"""From a model folder of ours to a folder that `transformers` loads."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tokenizers
from torch import Tensor

from tfmcore.config import SavedModel, UserError
from tfmcore.data.framing import BERT, T5, Frames, template
from tfmcore.data.progress import Progress, silent
from tfmcore.data.tokenizers import ROLE_NAMES, ROLES, Tokenizer
from tfmcore.families.family import SAME_HEAD, Family, Head
from tfmcore.families.keys import read_saved, write_config
from tfmcore.families.matching import Match, matches
from tfmcore.families.registry import FAMILIES
from tfmcore.families.staging import staged
from tfmcore.families.switches import computing, effective
from tfmcore.models import Model, load_model
from tfmcore.models.weights import FILE, write_tensors

WRITING = ("language_modeling", *SAME_HEAD)
"""Tasks whose models generate."""


@dataclass(frozen=True)
class Exported:
    """The folder that was written, as which of their classes, and its files."""

    family: Family
    architecture: str
    files: list[str]
    notes: list[str]


def export_model(source: Path, target: Path, report: Progress = silent) -> Exported:
    """Write the folder `target`, which is not there yet, for `transformers`. Raises UserError, naming the switches,
    for a model that none of its families can be."""
    report("Reading the model", 0, 0)
    model, saved = load_model(source)
    tokenizer = Tokenizer.load(source / "tokenizer.json")
    family, head = find_place(saved)
    with staged(target) as folder:
        ids = token_ids(tokenizer, saved)
        write_model(model, saved, family, head, folder, ids, report)
        write_tokenizer(tokenizer, saved, ids, folder)
        files = sorted(path.name for path in folder.iterdir())
    return Exported(family, head.classes[0], files, [f"transformers opens it as {head.classes[0]}."])


def find_place(saved: SavedModel) -> tuple[Family, Head]:
    """The family and head of `transformers` that compute exactly what this model does; the one that it was imported
    from comes first. Raises UserError naming the switches that the nearest family lacks."""
    nearest: tuple[list[str], Family] | None = None
    for family in sorted(FAMILIES.values(), key=lambda family: family.name != saved.family):
        for head in family.heads:
            if saved.task not in head.tasks or family.architecture != saved.model.architecture:
                continue
            if not (differing := differences(family, head, saved)):
                return family, head
            if nearest is None or len(differing) < len(nearest[0]):
                nearest = differing, family
    if nearest is None:
        kind = f"{saved.model.architecture.replace('_', '-')} for {saved.task.replace('_', ' ')}"
        raise UserError(f"no model family supported by both transformers and this program is an {kind}")
    switches, values = nearest[0], effective(saved)
    named = ", ".join(f"{name} = {values[name]!r}" for name in switches)
    raise UserError(f"transformers has no such model: {nearest[1].title}, the nearest, cannot have {named}")


def differences(family: Family, head: Head, saved: SavedModel) -> list[str]:
    """The switches that would not survive: those that differ once the config that would be written is read back."""
    ours, theirs = effective(saved), json.loads(json.dumps(write_config(family, head, saved)))
    try:
        back, _ = read_saved(family, head, theirs, Path("config.json"))
    except UserError:  # a value for which their config has no word
        fixed = {**family.switches, **head.switches}
        had = [key for key in family.keys if ours.get(key.ours) is not None]
        words = {key.ours for key in had if key.write(ours[key.ours]) is None}
        return sorted(words | {name for name, value in computing(saved).items() if fixed.get(name, value) != value})
    read = effective(back)
    matter = (computing(saved).keys() | computing(back).keys()) - family.by_tensors
    return sorted(name for name in matter if ours[name] != read[name])


def write_model(
    model: Model, saved: SavedModel, family: Family, head: Head, folder: Path, ids: Mapping[str, Any], report: Progress
) -> None:
    """config.json, to which `ids` add the numbers of special tokens, and model.safetensors."""
    _write_json(folder / "config.json", write_config(family, head, saved) | dict(ids))
    found = matches(family, head, saved, model)
    weights = {name: weight.detach() for name, weight in model.named_parameters()}
    shapes = {
        name: theirs
        for match in found
        for name, theirs in zip(match.theirs, match.storage.write(weights[match.ours].to("meta")), strict=True)
    }
    write_tensors(folder / FILE, shapes, _stored(found, weights, report))


def _stored(found: list[Match], weights: dict[str, Tensor], report: Progress) -> Iterator[Tensor]:
    for number, match in enumerate(found):
        report("Writing tensors", number, len(found))
        yield from match.storage.write(weights[match.ours])


def token_ids(tokenizer: Tokenizer, saved: SavedModel) -> dict[str, int]:
    """The numbers of special tokens by their words for them. Our [BOS] is what the decoder beside an encoder starts
    with, for which they have a word of its own."""
    names = tokenizer.roles or tokenizer.names
    numbers = {
        "pad_token_id": ("[PAD]", tokenizer.pad_id),
        "eos_token_id": ("[EOS]", tokenizer.eos_id),
        "bos_token_id": ("[BOS]", tokenizer.bos_id),
        "decoder_start_token_id": ("[BOS]", tokenizer.bos_id),
    }
    drop = "bos_token_id" if saved.model.architecture == "encoder_decoder" else "decoder_start_token_id"
    return {key: id for key, (token, id) in numbers.items() if token in names and key != drop}


def write_tokenizer(tokenizer: Tokenizer, saved: SavedModel, ids: Mapping[str, int], folder: Path) -> None:
    """tokenizer.json, what tells `transformers` the roles of its tokens, and what generation begins and ends with."""
    library = tokenizers.Tokenizer.from_str(tokenizer.library.to_str())
    if library.post_processor is None and (frames := _frames(saved)):
        library.post_processor = template(library, tokenizer.names, frames)
    library.save(str(folder / "tokenizer.json"))
    names = {ROLE_NAMES[token]: name for token, name in (tokenizer.roles or tokenizer.names).items()}
    if saved.model.architecture == "encoder_decoder":
        names.pop(ROLE_NAMES["[BOS]"], None)
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": saved.model.context_length}
    _write_json(folder / "tokenizer_config.json", settings | names)
    _write_json(folder / ROLES, names)
    if saved.task in WRITING:
        _write_json(folder / "generation_config.json", dict(ids))


def _frames(saved: SavedModel) -> Frames | None:
    """What we put around texts, which their tokenizer shall do too."""
    if saved.model.architecture == "encoder_decoder":
        return T5
    return None if saved.task == "language_modeling" else BERT


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
