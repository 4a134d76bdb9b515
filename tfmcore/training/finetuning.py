"""Training that begins from a trained model: which weights come from it, and which of them learn."""

from collections.abc import Collection, Iterator
from pathlib import Path

import torch
from torch import nn

from tfmcore.config import ConfigError, SavedModel, TrainingConfig, UserError
from tfmcore.config.finetuning import differences
from tfmcore.config.parts import weights_of
from tfmcore.models import Model, load_model
from tfmcore.nn.low_rank import add_low_rank

HEAD = "head."


def begin_from(folder: Path, model: Model, saved: SavedModel) -> tuple[list[str], list[str]]:
    """Give `model` the weights of the model in `folder`, but a head of its own where it is of another kind or for other
    labels. The names of the weights that stay new, and sentences that say which parts they are.

    Raises UserError for a model that cannot be opened, and for one of another shape.
    """
    base, its = load_model(folder)
    if problems := list(differences(saved.model.model_dump(), its, saved.task)):
        raise ConfigError(problems)
    given = dict(base.named_parameters())
    if type(model.head) is not type(base.head) or saved.labels != its.labels:
        given = {name: weight for name, weight in given.items() if not name.startswith(HEAD)}
    missing, grown = [], []
    with torch.no_grad():
        for name, weight in model.named_parameters():
            values = given.get(name)
            if values is None:
                missing.append(name)
                continue
            if len(values) == its.vocab_size < len(weight) == saved.vocab_size:
                grown.append(name)
            elif values.shape != weight.shape:
                shapes = f"{list(values.shape)}, here {list(weight.shape)}"
                raise UserError(f"training.finetune_from: the shape of {name} in {folder} is {shapes}")
            weight[: len(values)] = values
    return [*missing, *grown], list(_said(folder, model, its, saved, missing, bool(grown)))


def _said(
    folder: Path, model: Model, its: SavedModel, saved: SavedModel, missing: Collection[str], grown: bool
) -> Iterator[str]:
    heads = {name for name, _ in model.named_parameters() if name.startswith(HEAD)}
    parts = sorted({name for name in missing if name not in heads} | {n.rpartition(".")[0] for n in heads & {*missing}})
    if heads and heads <= {*missing}:
        parts = ["the head", *(part for part in parts if not f"{part}.".startswith(HEAD))]
    if parts:
        learned = its.task.replace("_", " ")
        yield f"newly initialised (not in the base model): {', '.join(parts)}; {folder} was trained for {learned}"
    if grown:
        yield f"{saved.vocab_size - its.vocab_size} tokens are new to the model; their embeddings are newly initialised"


def choose_trained(model: Model, training: TrainingConfig, new: Collection[str] = ()) -> None:
    """Leave those weights of `model` to be trained that shall be: all but the parts in `freeze`; with LoRA the updates
    of its targets, and the weights named in `new`. Raises UserError where nothing is left."""
    frozen = tuple(prefix for part in training.freeze for prefix in weights_of(part, model.config))
    names = dict(model.named_parameters())
    if training.lora_rank:
        for name in low_rank_targets(model, training.lora_targets):
            if not f"{name}.".startswith(frozen):
                add_low_rank(model, name, training.lora_rank, training.lora_alpha, training.lora_dropout)
    for name, weight in names.items():
        weight.requires_grad = not name.startswith(frozen) and (not training.lora_rank or name in new)
    if not model.num_parameters(trainable=True):
        raise UserError("training.freeze: no weights are left to train; freeze fewer parts")


def low_rank_targets(model: Model, targets: Collection[str]) -> list[str]:
    """The names of the projections of every attention, or feed-forward layer, or both."""
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
        and any(part.endswith(target) for part in name.split(".")[:-1] for target in targets)
    ]
