"""torch's compiler, loaded once there is something to compile.

Every optimizer of torch asks the compiler to leave it alone, and DDP asks whether it would sum gradients for it; both
load it for that: over a second, and 60 MiB."""

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

NAME = "torch._dynamo"


def load_compiler_late() -> None:
    """Unless it is loaded already."""
    sys.modules.setdefault(NAME, _Late(NAME))


class _Late(ModuleType):
    """Stands for the compiler until it is asked for anything but to leave a function alone."""

    def disable(self, function: Callable[..., Any], *how: Any, **options: Any) -> Callable[..., Any]:
        """The function, which is left alone by a compiler that comes later, too."""
        called = function

        def left_alone(*inputs: Any, **named: Any) -> Any:
            nonlocal called
            if called is function and sys.modules[NAME] is not self:
                called = importlib.import_module(NAME).disable(function, *how, **options)  # waits till it is loaded
            return called(*inputs, **named)

        return left_alone

    @property
    def utils(self) -> ModuleType:
        return _LateUtils(f"{NAME}.utils")

    def graph_break(self, *_: object) -> None:
        """There is no graph."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__path__":  # what is asked of any module, but for where its parts lie
            raise AttributeError(name)
        if sys.modules.get(NAME) is self:
            del sys.modules[NAME]
        return getattr(importlib.import_module(NAME), name)


class _LateUtils(ModuleType):
    """The part of the compiler that DDP asks."""

    def get_optimize_ddp_mode(self) -> str:
        """Its default: DDP sums the gradients."""
        return "ddp_optimizer"

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)
