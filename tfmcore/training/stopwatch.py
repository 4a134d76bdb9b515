"""Where the time of a step goes, part by part."""

import time
from collections import defaultdict

import torch


class Stopwatch:
    """Gives the time since the last turn to the part that was under way; waits for a GPU first, so that its work counts
    where it was asked for."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._part, self._since = device, "", 0.0
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def turn(self, part: str) -> None:
        """From now on it is `part`; an empty one is not counted."""
        if self._device.type != "cpu":
            torch.accelerator.synchronize(self._device)
        now = time.perf_counter()
        if self._part:
            self.seconds[self._part] += now - self._since
        self._part, self._since = part, now

    def take(self) -> dict[str, float]:
        """End the part under way; the result are the seconds of each since the last time."""
        self.turn("")
        taken, self.seconds = dict(self.seconds), defaultdict(float)
        return taken
