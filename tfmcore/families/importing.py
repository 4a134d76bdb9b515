"""From a Hugging Face folder to a model folder of ours."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from tfmcore.config import SavedModel, UserError
from tfmcore.data.foreign_tokenizers import read_tokenizer
from tfmcore.data.progress import Progress, silent
from tfmcore.data.tokenizers import Tokenizer
from tfmcore.families.family import Family
from tfmcore.families.keys import read_saved
from tfmcore.families.matching import Found, find, has_own_output
from tfmcore.families.reading import Tensors, read_config
from tfmcore.families.registry import find_family
from tfmcore.families.staging import staged
from tfmcore.families.switches import computing
from tfmcore.models import Model, save_weights
from tfmcore.models.heads import make_head
from tfmcore.models.weights import FILE, allocate, skeleton
from tfmcore.nn.initialization import initialize

OTHER_PROBLEMS = {"regression": "regression", "multi_label_classification": "multi-label classification"}
"""What classifiers of theirs may have learned instead of which one label is right."""


@dataclass(frozen=True)
class Imported:
    """A foreign model as ours. `read` are the names of the tensors that it was made of, `ignored` those that say
    nothing here, `added` our own that the folder lacked and that begin afresh (a head); `notes` are sentences."""

    family: Family
    model: Model
    saved: SavedModel
    read: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def import_model(source: Path, target: Path, report: Progress = silent) -> Imported:
    """Make the model folder `target`, which is not there yet, from the Hugging Face folder `source`. Raises UserError,
    in one sentence and with nothing written, for anything that this program cannot follow exactly."""
    with staged(target) as folder:
        config = read_config(source)
        found = read_model(source, report)
        tokenizer = read_tokenizer(source, config)
        found.notes.extend(_misfits(tokenizer, found.saved))
        report("Writing the model", 0, 0)
        found.saved.write(folder)
        save_weights(found.model, folder / FILE)
        tokenizer.save(folder / "tokenizer.json")
    return found


def read_model(source: Path, report: Progress = silent) -> Imported:
    """The model of a Hugging Face folder, in evaluation mode on the CPU, in memory of its own size."""
    path = source / "config.json"
    theirs = read_config(source)
    family, head, bare = find_family(theirs, path)
    saved, _ = read_saved(family, head, theirs, path)
    saved = _ready_to_classify(family, saved)
    tensors = Tensors.open(source)
    notes = _other_problem(saved, theirs)
    if saved.model.tie_embeddings and has_own_output(family, head, saved, tensors):
        saved = saved.model_copy(update={"model": saved.model.model_copy(update={"tie_embeddings": False})})
        notes.append("The output layer has its own matrix and keeps it, whatever config.json says.")
    model = skeleton(saved)
    try:
        found = find(family, head, saved, model, tensors, bare)
    except UserError as error:
        raise UserError(f"{source}: {error}") from None
    allocate(model)
    if found.missing:
        task = head.task.replace("_", " ")
        notes.append(f"{source.name} has no head: the one for {task} is newly initialised.")
        _new_head(model, saved)
    _fill(model, found, tensors, report)
    if found.unexpected:
        notes.append(f"{len(found.unexpected)} tensors do not belong to {family.title} and were ignored.")
    read = sorted(name for match in found.matches for name in match.theirs)
    notes.extend(_converted({tensors.dtype(name) for name in read}))
    return Imported(family, model.eval(), saved, read, found.ignored + found.unexpected, found.missing, notes)


def _ready_to_classify(family: Family, saved: SavedModel) -> SavedModel:
    """The same, with the family's switches of a classifier where they change nothing yet: whoever trains the model to
    be one gets what the family has."""
    switches = {
        name: value for head in family.heads if head.task == "classification" for name, value in head.switches.items()
    }
    idle = {name: value for name, value in switches.items() if name not in computing(saved)}
    return saved.model_copy(update={"model": saved.model.model_copy(update=idle)})


def _new_head(model: Model, saved: SavedModel) -> None:
    """A head with fresh weights, the same ones each time."""
    tokens = next(module for name, module in model.named_modules() if name.endswith("embedding.tokens"))
    assert isinstance(tokens, torch.nn.Embedding)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model.head = make_head(saved.task, saved.model, tokens, len(saved.labels) or 2)
        initialize(model.head, saved.model.initialization, saved.model.d_model, saved.model.num_layers)


def _fill(model: Model, found: Found, tensors: Tensors, report: Progress) -> None:
    """Read tensor after tensor into its place; what is stored as it is here is read there directly."""
    weights = dict(model.named_parameters())
    with torch.no_grad():
        for number, match in enumerate(found.matches):
            report("Reading tensors", number, len(found.matches))
            weight = weights[match.ours].data
            if match.storage.same:
                tensors.read_into(match.theirs[0], weight)
                continue
            theirs = [tensors.read(name).to(weight.dtype) for name in match.theirs]
            weight.copy_(match.storage.read(theirs))


def _converted(dtypes: set[torch.dtype]) -> list[str]:
    """What becomes of weights of other precisions: here all are float32, which training needs."""
    theirs = {str(dtype).removeprefix("torch.") for dtype in dtypes} - {"float32"}
    if not theirs:
        return []
    memory = "rounded" if "float64" in theirs else "the same values in twice the memory"
    return [f"Weights in {' and '.join(sorted(theirs))} were converted to float32: {memory}."]


def _other_problem(saved: SavedModel, theirs: Mapping[str, Any]) -> list[str]:
    """That a classifier's probabilities are not what it was trained for; of a single label it learned a number."""
    kind = str(theirs.get("problem_type") or ("regression" if len(saved.labels) == 1 else ""))
    if saved.task != "classification" or kind not in OTHER_PROBLEMS:
        return []
    return [f"It was trained for {OTHER_PROBLEMS[kind]}: here its logits become a softmax over its labels."]


def _misfits(tokenizer: Tokenizer, saved: SavedModel) -> list[str]:
    """What is odd about tokenizer and model together."""
    if tokenizer.vocab_size > saved.vocab_size:
        more = tokenizer.vocab_size - saved.vocab_size
        return [f"The tokenizer has {more} more tokens than the model: a text with one of them is rejected."]
    return []
