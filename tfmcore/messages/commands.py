"""Commands: what a window or a terminal asks of a run, one a line in its control.jsonl."""

from typing import Literal

from pydantic import Field

from tfmcore.messages.message import Message


class Command(Message):
    """`value` is only for set_learning_rate: it stands in for the schedule from the next step on; None ends that."""

    kind: Literal["pause", "resume", "stop", "save_now", "set_learning_rate"]
    value: float | None = Field(None, gt=0.0, le=100.0)
