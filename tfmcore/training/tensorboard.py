"""A copy of a run's curves for TensorBoard, beside the run; `tensorboard --logdir RUNS` shows it."""

import math
from typing import Any

from tfmcore.config import TrainingConfig, UserError
from tfmcore.messages import AnyEvent, Evaluated, Examined, Noticed, Sampled, Started, Stepped, Warned
from tfmcore.runs import Run

FOLDER = "tensorboard"
INSTALL = "training.tensorboard: it is not installed; pip install 'transformer-playground[tensorboard]'"


class Mirror:
    """Takes the events of one life of a run. Raises UserError where TensorBoard is not installed."""

    def __init__(self, run: Run) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise UserError(INSTALL) from None
        self._make, self._folder = SummaryWriter, run.folder / FOLDER
        self._writer: Any = None

    def take(self, event: AnyEvent) -> None:
        """Write down what can be drawn; what a restart has made void is taken away."""
        if isinstance(event, Started):
            self.close()
            self._writer = self._make(str(self._folder), purge_step=event.step + 1)
        match event:
            case Stepped():
                self._scalar("loss/training", event.loss, event)
                self._scalar("learning_rate", event.learning_rate, event)
                self._scalar("gradient_norm", event.gradient_norm, event)
                self._scalar("tokens_per_second", event.tokens / max(event.seconds, 1e-9), event)
            case Evaluated():
                self._scalar("loss/validation", event.loss, event)
                for name, value in event.metrics.items():
                    self._scalar(f"validation/{name}", value, event)
            case Examined():
                for layer, state in event.layers.items():
                    for name, value in state.model_dump().items():
                        self._scalar(f"{name}/{layer}", value, event)
            case Sampled():
                self._text("samples", f"{event.prompt}\n\n{event.text}", event)
            case Noticed() | Warned():
                self._text("noticed", event.sentence, event)

    def close(self) -> None:
        if self._writer:
            self._writer.close()
            self._writer = None

    def _scalar(self, name: str, value: float, event: AnyEvent) -> None:
        if self._writer and math.isfinite(value):
            self._writer.add_scalar(name, value, event.step, event.time)

    def _text(self, name: str, text: str, event: AnyEvent) -> None:
        if self._writer:
            self._writer.add_text(name, text, event.step, event.time)


def mirror_of(run: Run, training: TrainingConfig) -> Mirror | None:
    """The mirror that the config asks for, if it does; raises UserError where it cannot be had."""
    return Mirror(run) if training.tensorboard else None
