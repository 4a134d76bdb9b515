"""Events: what the trainer reports, one per line in a run's events.jsonl."""

import time
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from tfmcore.messages.message import Message


class Event(Message):
    """`step` is the number of optimizer steps done; `time` is the wall clock in seconds, for display only."""

    step: int = 0
    time: float = Field(default_factory=time.time)


class Started(Event):
    """Training starts or resumes after `step`; what earlier lines say of later steps is void. `compilation` says
    whether its steps are compiled, and why; `loss_scale` is what fp16 multiplies the loss by from here on. In
    `steps_per_epoch` steps as many sequences are read as there are to train on (0: not known)."""

    kind: Literal["started"] = "started"
    steps: int
    parameters: int
    vocab_size: int
    num_train: int
    num_validation: int
    steps_per_epoch: float = 0.0
    device: str
    threads: int
    compilation: str = ""
    loss_scale: float | None = None

    def epochs(self, steps: int) -> float | None:
        """How many passes over the training data so many steps are."""
        return steps / self.steps_per_epoch if self.steps_per_epoch else None


class Stepped(Event):
    """One optimizer step: mean loss (nats per token), the gradient's norm before clipping, `seconds` of the step."""

    kind: Literal["stepped"] = "stepped"
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens: int
    seconds: float


class Evaluated(Event):
    """A validation: mean loss over the held-out data (nats per label) and the task's metrics."""

    kind: Literal["evaluated"] = "evaluated"
    loss: float
    metrics: dict[str, float] = Field(default_factory=dict)


class Sampled(Event):
    """What the model made of a pinned prompt; `expected` is empty where there is no right answer."""

    kind: Literal["sampled"] = "sampled"
    prompt: str
    text: str
    expected: str = ""


class Saved(Event):
    kind: Literal["saved"] = "saved"
    folder: str
    best: bool


class Changed(Event):
    """A setting is another from here on: the learning_rate, set from outside (None: it follows its schedule again), or
    the loss_scale, which is halved for each step that is skipped because of non-finite gradients in fp16."""

    kind: Literal["changed"] = "changed"
    setting: str
    value: float | None

    @property
    def words(self) -> str:
        """ "set to 0.0003", or "back on its schedule"."""
        return "back on its schedule" if self.value is None else f"set to {self.value:g}"


class Warned(Event):
    kind: Literal["warned"] = "warned"
    sentence: str


What = Literal["loss_spike", "overflow", "dead_layer", "exploding_layer"]


class Noticed(Event):
    """A sign that the training is going wrong, though it goes on. `example_ids` are those of the batch (of a large one,
    the first); `texts` are some of its sequences, as the model reads them; `layer` is empty where it is about all."""

    kind: Literal["noticed"] = "noticed"
    what: What
    sentence: str
    layer: str = ""
    example_ids: list[int] = Field(default_factory=list)
    texts: list[str] = Field(default_factory=list)


class LayerState(Message):
    """One layer in one step: the norm of its gradient before clipping, how far its weights moved ÷ how large they are,
    and the root mean square of its results."""

    gradient_norm: float
    update_ratio: float
    activation_scale: float


class Examined(Event):
    """A look at the layers, by their names; it comes every few steps."""

    kind: Literal["examined"] = "examined"
    layers: dict[str, LayerState]


class Failed(Event):
    """`remedy` are options, `section.name=value`, with which the run can be resumed."""

    kind: Literal["failed"] = "failed"
    sentence: str
    details: str = ""
    remedy: list[str] = Field(default_factory=list)


class Finished(Event):
    """The run has ended well: `reason` is finished, stopped or early_stopping."""

    kind: Literal["finished"] = "finished"
    reason: Literal["finished", "stopped", "early_stopping"] = "finished"
    loss: float | None = None


AnyEvent = Annotated[
    Started | Stepped | Evaluated | Sampled | Saved | Changed | Warned | Noticed | Examined | Failed | Finished,
    Field(discriminator="kind"),
]

EVENTS: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)
