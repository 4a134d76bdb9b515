"""Pipeline parallel: every rank has some of the layers, and the micro-batches of a batch pass from one to the next.

torch's schedule 1F1B keeps all stages busy with few micro-batches in flight (https://arxiv.org/abs/1806.03377).
"""

from collections.abc import Callable, Sequence

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.pipelining import PipelineStage, Schedule1F1B, ScheduleGPipe

from tfmcore.config.parallel import num_micro_batches
from tfmcore.models import ModelOutput
from tfmcore.training.batches import DeviceBatch
from tfmcore.training.losses import Objective
from tfmcore.training.parallel.stages import Stage, meta
from tfmcore.training.precision import Precision

Schedule = Schedule1F1B | ScheduleGPipe


class Pipeline:
    """This rank's stage of a pipeline, and what passes between it and its neighbours."""

    def __init__(self, objective: Objective, mesh: DeviceMesh) -> None:
        self.group, self.index, self.num_stages = mesh.get_group(), mesh.get_local_rank(), mesh.size()
        self.ranks = dist.get_process_group_ranks(self.group)
        self.device = objective.model.device
        self.stage = Stage(objective, self.index, self.num_stages)
        self._schedules: dict[tuple[object, ...], Schedule] = {}
        self._loss: Callable[[Tensor], Tensor] = lambda objective: objective

    def num_micro_batches(self, num_rows: int) -> int:
        """Into how many micro-batches of the same size a batch is cut."""
        return num_micro_batches(num_rows, self.num_stages)

    def backward(self, micro_batches: Sequence[DeviceBatch], num_labels: int, precision: Precision) -> Tensor:
        """The gradient of this stage's weights; the loss (nats), which the last stage alone knows."""
        self._loss = lambda objective: precision.scaled(objective / num_labels)
        self.stage.batches, self.stage.nats = list(micro_batches), []
        turns = torch.zeros(len(micro_batches), 1)  # each stage has the micro-batches; what a schedule splits are turns
        with precision.forward():
            self._schedule(micro_batches).step(
                *([turns] if self.stage.is_first else []), target=turns, losses=[], return_outputs=False
            )
        return torch.stack(self.stage.nats).sum() if self.stage.nats else torch.zeros((), device=self.device)

    def _schedule(self, micro_batches: Sequence[DeviceBatch]) -> Schedule:
        """The order of work for micro-batches of these shapes, whose buffers are made once."""
        inputs = micro_batches[0].inputs
        # by all inputs, whatever this stage sees of them: all stages must make a new schedule at the same time
        key = (len(micro_batches), *(tuple(inputs[name].shape) for name in sorted(inputs)))
        if (known := self._schedules.get(key)) is not None:
            return known
        received = [meta(shape) for shape in self.stage.shapes(inputs, received=True)]
        sent = [meta(shape) for shape in ([()] if self.stage.is_last else self.stage.shapes(inputs, received=False))]
        stage = PipelineStage(
            self.stage, self.index, self.num_stages, self.device,
            input_args=tuple(received or [torch.empty(1, 1, device="meta")]), output_args=tuple(sent), group=self.group,
        )  # fmt: skip
        kind = Schedule1F1B if len(micro_batches) >= self.num_stages else ScheduleGPipe
        self._schedules[key] = made = kind(stage, len(micro_batches), lambda x, _: self._loss(x), scale_grads=False)
        return made

    def answer(self, **inputs: Tensor) -> ModelOutput:
        """The model's answer to a whole batch, in every rank of the pipeline."""
        received = [torch.empty(shape, device=self.device) for shape in self.stage.shapes(inputs, received=True)]
        for x in received:
            dist.recv(x, self.ranks[self.index - 1], self.group)
        made = self.stage.answer(inputs, received)
        last = self.ranks[-1]
        if isinstance(made, ModelOutput):
            answers: dict[str, Tensor | None] = {
                "logits": made.logits,
                "next_sentence_logits": made.next_sentence_logits,
            }
        else:
            answers = {}
            for x in made:
                dist.send(x.contiguous(), self.ranks[self.index + 1], self.group)
        told = _broadcast(answers, last, self.group, self.device)
        return ModelOutput(
            hidden=torch.empty(0),  # which nobody asks for
            logits=told["logits"],
            next_sentence_logits=told.get("next_sentence_logits"),
        )


def _broadcast(
    answers: dict[str, Tensor | None], source: int, group: dist.ProcessGroup, device: torch.device
) -> dict[str, Tensor]:
    """The same tensors in every rank of the group."""
    known = [{name: (x.shape, x.dtype) for name, x in answers.items() if x is not None}]
    dist.broadcast_object_list(known, source, group)
    found = {}
    for name, (shape, dtype) in known[0].items():
        x = answers.get(name)
        found[name] = torch.empty(shape, dtype=dtype, device=device) if x is None else x.contiguous()
        dist.broadcast(found[name], source, group)
    return found
