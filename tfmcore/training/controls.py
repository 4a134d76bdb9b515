"""What a run is asked to do: by signals, and by the lines of its control.jsonl."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from tfmcore.data import Cancelled
from tfmcore.messages import Command


class Controls:
    """The wishes of windows, terminals and signals. `poll` costs one `stat` where there is nothing new. A stop can be
    `asked` for at any moment, and is what all that share a training have agreed on from the next poll on."""

    def __init__(self, folder: Path) -> None:
        self.asked = self.stop = self.paused = self.save = False
        self.learning_rate: float | None = None
        self.rate_set = False
        """Whether `learning_rate` has been set, if only to None: back to the schedule."""
        self.on_change: Callable[[], None] = lambda: None
        self.broadcast: Callable[[tuple[float, ...]], tuple[float, ...]] = lambda wishes: wishes
        """Of several ranks: what the main process has been asked for."""
        self._path = folder / "control.jsonl"
        self._read, self._reading = 0, threading.RLock()

    def poll(self) -> None:
        """Take in the commands that have been added; a line that is no command is passed over."""
        with self._reading:
            wishes = (self.heard(), self.paused, self.save, self.rate_set, self.learning_rate or 0.0)
            stop, paused, save, rate_set, rate = self.broadcast(wishes)
            self.stop, self.paused, self.save, self.rate_set = bool(stop), bool(paused), bool(save), bool(rate_set)
            self.learning_rate = rate or None

    def heard(self) -> bool:
        """Whether this process has been asked for a stop; a thread may ask while others work."""
        with self._reading:
            self._take_new()
        return self.asked

    def _take_new(self) -> None:
        try:
            if os.stat(self._path).st_size == self._read:
                return
            with open(self._path, "rb") as file:
                file.seek(self._read)
                lines = file.read()
        except FileNotFoundError:
            return
        whole = lines.rfind(b"\n") + 1  # the rest of a line comes with the next poll
        self._read += whole
        for line in lines[:whole].splitlines():
            try:
                self._take(Command.model_validate_json(line))
            except ValidationError:
                continue
        self.on_change()

    def stopping(self) -> bool:
        """Whether to end, as of now."""
        self.poll()
        return self.stop

    def go_on(self) -> None:
        """Raise Cancelled if a stop has been asked for; for long work between two steps."""
        if self.stopping():
            raise Cancelled

    def _take(self, command: Command) -> None:
        match command.kind:
            case "pause":
                self.paused = True
            case "resume":
                self.paused = False
            case "stop":
                self.asked = True
            case "save_now":
                self.save = True
            case "set_learning_rate":
                self.learning_rate, self.rate_set = command.value, True
