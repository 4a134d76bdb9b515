"""The config that is being designed: one raw config with undo and redo, checked at every change."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from tfmcore.config import Config, Problem, SavedModel, find_preset, find_problems
from tfmcore.config.branching import Beginning
from tfmcore.config.config import Raw
from tfmcore.config.finetuning import differences


class Draft(QObject):
    """The four sections as the forms show them. An option that is absent has its default."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.raw: Raw = Config().raw()
        self.problems: list[Problem] = []
        self._bases: dict[str, SavedModel] = {}
        self._beginnings: dict[str, Beginning] = {}
        self._past: list[Raw] = []
        self._future: list[Raw] = []

    @property
    def config(self) -> Config | None:
        """The checked config; None while there are problems."""
        return None if self.problems else Config.parse(self.raw)

    @property
    def preset(self) -> str:
        return str(self.raw.get("model", {}).get("preset", ""))

    @property
    def base(self) -> SavedModel | None:
        """The model whose weights training begins with, where `begin_from` has said it."""
        return self._bases.get(str(self.raw.get("training", {}).get("finetune_from", "")))

    @property
    def beginning(self) -> Beginning | None:
        """The checkpoint that the run goes on from, where `go_on_from` has said it."""
        return self._beginnings.get(str(self.raw.get("training", {}).get("branch_from", "")))

    def value(self, path: str) -> Any:
        """The value of `section.name`; None where an optional option is empty."""
        section, name = path.split(".")
        field = Config.model_fields[section].annotation.model_fields[name]  # type: ignore[union-attr]
        return self.raw.get(section, {}).get(name, field.get_default(call_default_factory=True))

    def set(self, path: str, value: Any) -> None:
        """Set `section.name`; None empties an optional option."""
        self.set_many({path: value})

    def set_many(self, values: Mapping[str, Any]) -> None:
        """Set several options as one step of undo."""
        raw = deepcopy(self.raw)
        for path, value in values.items():
            section, name = path.split(".")
            if value is None:
                raw.get(section, {}).pop(name, None)
            else:
                raw.setdefault(section, {})[name] = value
        self._go_to(raw)

    def begin_from(self, saved: SavedModel, raw: Raw) -> None:
        """Take a config with the shape and tokenizer of the model that its `training.finetune_from` names."""
        self._bases[raw["training"]["finetune_from"]] = saved
        self._go_to(raw)

    def go_on_from(self, checkpoint: Path, beginning: Beginning) -> None:
        """Take the config of the run whose checkpoint it is, with as many steps more as it had if it is at its end."""
        self._beginnings[str(checkpoint)] = beginning
        raw = beginning.config.raw()
        raw["training"]["branch_from"] = str(checkpoint)
        if raw["training"]["steps"] <= beginning.step:
            raw["training"]["steps"] += beginning.step
        self._go_to(raw)

    def restore(self, raw: Raw) -> None:
        """Take what was designed before; there is nothing to undo yet."""
        self._show(raw)

    def know(self, bases: Mapping[str, SavedModel], beginnings: Mapping[str, Beginning]) -> None:
        """What models are, by their folders, and checkpoints, of which the config names one to begin with."""
        self._bases |= bases
        self._beginnings |= beginnings
        self._show(self.raw)

    def load(self, config: Config) -> None:
        self._go_to(config.raw())

    def load_preset(self, name: str, overrides: list[str] | None = None) -> None:
        self.load(find_preset(name).config(overrides or []))

    def undo(self) -> None:
        if self._past:
            self._future.append(self.raw)
            self._show(self._past.pop())

    def redo(self) -> None:
        if self._future:
            self._past.append(self.raw)
            self._show(self._future.pop())

    def _go_to(self, raw: Raw) -> None:
        if raw != self.raw:
            self._past.append(self.raw)
            self._future.clear()
            self._show(raw)

    def _show(self, raw: Raw) -> None:
        self.raw = raw
        self.problems = find_problems(raw)
        if base := self.base:
            wrong = {problem.field for problem in self.problems}
            self.problems += [problem for problem in _unlike(base, raw) if problem.field not in wrong]
        if beginning := self.beginning:
            wrong = {problem.field for problem in self.problems}
            self.problems += [problem for problem in beginning.problems(raw) if problem.field not in wrong]
        self.changed.emit()


def _unlike(base: SavedModel, raw: Raw) -> Iterator[Problem]:
    """Where a config says otherwise than the model that it begins from."""
    yield from differences(raw.get("model", {}), base, raw.get("data", {}).get("task", base.task))
    folder = Path(raw["training"]["finetune_from"])
    tokenizer = {"kind": "file", "path": str(folder / "tokenizer.json")}
    for name, value in tokenizer.items():
        if raw.get("tokenizer", {}).get(name) != value:
            yield Problem(f"tokenizer.{name}", "the model to fine-tune keeps its own tokenizer", value)
