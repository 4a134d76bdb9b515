"""Their config.json to our fields, and back, by the tables of a family."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tfmcore.config import ModelConfig, SavedModel, UserError
from tfmcore.config.tasks import LABEL_TASKS
from tfmcore.families.family import IGNORED, NEEDED, REQUIRED, Family, Head, Key, Required
from tfmcore.families.switches import effective

OFF: tuple[Any, ...] = (None, False, "", [], {}, 0)
NONSENSE = (TypeError, ValueError, KeyError, AttributeError, ArithmeticError)
"""What a value of another kind than a key is meant for runs into."""


def read_saved(family: Family, head: Head, theirs: Mapping[str, Any], path: Path) -> tuple[SavedModel, list[str]]:
    """What their config says as ours, and its keys that change nothing. Raises UserError naming the key that this
    program cannot follow, or whose number is out of all bounds; nothing is allocated before."""
    fields = read_fields(family, theirs, path) | dict(head.switches)
    vocab_size = fields.pop("vocab_size")
    labels = read_labels(theirs, path) if head.task in LABEL_TASKS else []
    try:
        model = ModelConfig.model_validate({"architecture": family.architecture, **family.switches, **fields})
        saved = SavedModel.model_validate(
            {
                "task": head.task,
                "vocab_size": vocab_size,
                "model": model,
                "labels": labels,
                "data": {"task": head.task},
                "family": family.name,
            }
        )
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][-1]) if first["loc"] else ""
        named = next((key.name for key in family.keys if key.ours == field), field)
        raise UserError(f"{path}: {named}: {first['msg']}", str(error)) from None
    if problem := next(model.checks(), None):
        raise UserError(f"{path}: model.{problem}")
    return saved, sorted(key for key in theirs if key in IGNORED | family.ignored)


def read_fields(family: Family, theirs: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Fields of ModelConfig, and `vocab_size`."""
    for requirement in (*family.required, *REQUIRED):
        _check(requirement, theirs, path)
    known = {name for key in family.keys for name in (key.name, *key.older)} | set(family.more) | IGNORED
    known |= family.ignored | {requirement.name for requirement in (*family.required, *REQUIRED)}
    if strange := [key for key, value in theirs.items() if key not in known and value not in OFF]:
        raise UserError(
            f"{path}: it is unknown what {strange[0][:100]} = {theirs[strange[0]]!r:.100} means for "
            f"{family.title}, and it could change results: delete it there if it does not matter"
        )
    fields: dict[str, Any] = {}
    for key in family.keys:
        value = _value(key, theirs, path)
        if key.ours in fields and fields[key.ours] != value:
            raise UserError(
                f"{path}: {key.name} is {value}, other keys say {fields[key.ours]}: here they must be equal"
            )
        fields[key.ours] = value
    try:
        return fields | family.read_more(theirs)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except NONSENSE:
        raise UserError(f"{path}: one of {', '.join(family.more)} makes no sense") from None


def _check(requirement: Required, theirs: Mapping[str, Any], path: Path) -> None:
    first, *_ = requirement.values
    value = theirs.get(requirement.name, first if requirement.default is NEEDED else requirement.default)
    if value not in requirement.values:
        wanted = " or ".join(map(repr, requirement.values))
        raise UserError(f"{path}: {requirement.name} is {value!r:.100}, and only {wanted} is supported")


def _value(key: Key, theirs: Mapping[str, Any], path: Path) -> Any:
    found = next((name for name in (key.name, *key.older) if name in theirs), None)
    if found is None and key.default is NEEDED:
        raise UserError(f"{path} lacks {key.name}, which this family needs")
    value = key.default if found is None else theirs[found]
    try:
        return key.read(value)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except NONSENSE:
        raise UserError(f"{path}: {found} is {value!r:.100}, which makes no sense there") from None


def read_labels(theirs: Mapping[str, Any], path: Path) -> list[str]:
    """The names of labels in the order of their numbers; made up where there are none."""
    names = theirs.get("id2label") or {}
    if not names:
        number = theirs.get("num_labels", 2)
        if type(number) is not int or not 1 <= number <= 100_000:
            raise UserError(f"{path}: num_labels is {number!r:.100}, not a number of labels")
        return [f"LABEL_{n}" for n in range(number)]
    found = [names.get(str(n)) for n in range(len(names))] if isinstance(names, dict) else []
    if not found or not all(isinstance(name, str | int) for name in found):
        raise UserError(f"{path}: id2label does not assign one name to each id 0, 1, 2 …")
    return [str(name) for name in found]


def write_config(family: Family, head: Head, saved: SavedModel) -> dict[str, Any]:
    """Our config in their words, without what only a tokenizer knows."""
    theirs: dict[str, Any] = {"architectures": [head.classes[0]], "model_type": family.model_type}
    theirs |= {need.name: need.values[0] for need in family.required if need.values[0] is not None}
    values = effective(saved) | {"vocab_size": saved.vocab_size}
    theirs |= {key.name: key.write(values[key.ours]) for key in family.keys}
    if saved.labels:
        theirs["id2label"] = {str(n): name for n, name in enumerate(saved.labels)}
        theirs["label2id"] = {name: n for n, name in enumerate(saved.labels)}
    if family.architecture == "encoder_decoder":
        theirs["is_encoder_decoder"] = True
    return theirs | family.write_more(saved.model) | {"torch_dtype": "float32"}
