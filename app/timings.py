"""How long each template takes on this machine: measured once with a few real steps, then remembered in the cache."""

import hashlib
import json
from collections.abc import Callable
from math import nan
from pathlib import Path
from threading import Lock

from PySide6.QtCore import QObject

from app.background import in_background
from app.engine_client import EngineClient
from tfmcore.config import Config, Preset, to_toml
from tfmcore.messages import AnyReply, Arrays, BatchTried, TryBatch

STEPS = 5
BESIDES_STEPS = 1.15
"""Validation, samples and checkpoints take about this much more than the steps alone."""


class Timings(QObject):
    """Asks the engine about one preset after the other; `measured(name, seconds)` is called for each as it is known.

    The seconds are not-a-number where the engine refuses. While `idle` is false nothing is measured, for what keeps
    the machine busy would be timed too.
    """

    def __init__(
        self,
        engine: EngineClient,
        cache: Path,
        measured: Callable[[str, float], None],
        idle: Callable[[], bool],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._idle, self._asking, self._lock = idle, False, Lock()
        self._engine, self._measured, self._path = engine, measured, cache / "timings.json"
        self._known = self._read()
        self._waiting: list[Preset] = []

    def ask(self, presets: list[Preset]) -> None:
        """Tell at once what is remembered; measure the rest, one at a time."""
        for preset in presets:
            if (seconds := self._known.get(_key(preset.config()))) is not None:
                self._measured(preset.name, seconds)
            else:
                self._waiting.append(preset)
        self.go_on()

    def go_on(self) -> None:
        """Measure the next one, if nothing speaks against it."""
        if self._waiting and not self._asking and self._idle():
            self._asking = True
            self._measure(self._waiting.pop(0))

    def _measure(self, preset: Preset) -> None:
        config = preset.config()

        def on_reply(reply: AnyReply, _arrays: Arrays) -> None:
            if isinstance(reply, BatchTried):
                seconds = reply.seconds * config.training.steps * config.training.accumulation * BESIDES_STEPS
                self._known[_key(config)] = seconds
                self._measured(preset.name, seconds)
                in_background(self, self._write, lambda _: None, lambda _: None)  # what is not kept is measured again
            elif reply.final:
                self._measured(preset.name, nan)
            if reply.final:
                self._asking = False
                self.go_on()

        self._engine.ask(TryBatch, on_reply, panel=f"timing-{preset.name}", config=config.raw(), steps=STEPS)

    def _read(self) -> dict[str, float]:
        try:
            known = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        pairs = known.items() if isinstance(known, dict) else ()
        return {key: seconds for key, seconds in pairs if isinstance(seconds, float)}

    def _write(self) -> None:
        with self._lock:
            temporary = self._path.with_suffix(".tmp")
            temporary.write_text(json.dumps(self._known.copy()), encoding="utf-8")
            temporary.replace(self._path)


def _key(config: Config) -> str:
    return hashlib.sha256(to_toml(config).encode()).hexdigest()[:16]
