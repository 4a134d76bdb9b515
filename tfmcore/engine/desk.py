"""What the handlers share: the models and captures that were used last."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tfmcore.data.progress import Progress
from tfmcore.messages import InspectRequest, WritingPrecision
from tfmcore.runs import find_model
from tfmcore.workspace import find_workspace

if TYPE_CHECKING:
    from tfmcore.inference.opened import OpenedModel
    from tfmcore.inspection.capture import Capture

NUM_MODELS = 2
NUM_CAPTURES = 2

Stamp = tuple[tuple[str, int, int], ...]
V = TypeVar("V")


class Shelf(OrderedDict[Hashable, V]):
    """The few things used last."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def take(self, key: Hashable, make: Callable[[], V]) -> V:
        """The thing of that key, made if it is not at hand; the one used longest ago gives way before."""
        if key not in self:
            while len(self) >= self.size:
                self.popitem(last=False)
            self[key] = make()
        self.move_to_end(key)
        return self[key]


class Desk:
    """Holds at most two models and two captures. A model whose files have changed is opened anew."""

    def __init__(self) -> None:
        self._models: Shelf[OpenedModel] = Shelf(NUM_MODELS)
        self._captures: Shelf[Capture] = Shelf(NUM_CAPTURES)

    def model(self, name: str, precision: WritingPrecision = "fp32") -> "OpenedModel":
        """The model of a model folder or run, in another precision another one; raises UserError."""
        from tfmcore.inference.opened import open_model

        folder = find_model(name, find_workspace() / "runs").resolve()
        place = (folder, stamp(folder))
        for old in [old for old in self._models if isinstance(old, tuple) and old[0] == folder and old[:2] != place]:
            del self._models[old]
        return self._models.take((*place, precision), lambda: open_model(folder, precision))

    def capture(self, request: InspectRequest, report: Progress) -> "Capture":
        """All attention of a text, computed once; raises UserError."""
        from tfmcore.inspection.capture import capture

        opened = self.model(request.model)
        key = (opened.folder, stamp(opened.folder), request.text, request.second)
        return self._captures.take(key, lambda: capture(opened, request.text, request.second, report))


def stamp(folder: Path) -> Stamp:
    """Changes whenever a file of the model folder is replaced or written."""
    files = (folder / name for name in ("config.json", "model.safetensors", "tokenizer.json"))
    return tuple((f.name, f.stat().st_mtime_ns, f.stat().st_size) for f in files if f.exists())
