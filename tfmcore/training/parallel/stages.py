"""One stage of a pipeline: some layers of a model, between the activations that it receives and those that it sends.

The model stays the one it was; what other stages have is replaced by stand-ins, so its own code runs unchanged.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tfmcore.config.placement import stage_of
from tfmcore.models import EncoderDecoderTransformer, ModelOutput
from tfmcore.nn.positions import Positions
from tfmcore.nn.stacks import EncoderStack, Stack
from tfmcore.training.batches import DeviceBatch
from tfmcore.training.losses import Objective, Sums


class Received(nn.Module):
    """In the place of an embedding: the activations that the stage before has sent."""

    x: Tensor

    def forward(self, *_: Any) -> Tensor:
        return self.x


class SkippedLayer(nn.Module):
    """The identity, in the place of a layer that another stage has."""

    def __init__(self, num_outputs: int) -> None:
        super().__init__()
        self.num_outputs = num_outputs

    def forward(self, x: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        return (x, *[None] * (self.num_outputs - 1))


class Stage(nn.Module):
    """The layers of stage `index` of `count`, with the embedding if it is the first that needs one, and with the head
    and the loss if it is the last. Calling it takes the next of its `batches`, and what was received."""

    def __init__(self, objective: Objective, index: int, count: int) -> None:
        super().__init__()
        self.objective, self.model = objective, objective.model
        self.batches: list[DeviceBatch] = []
        self.nats: list[Tensor] = []
        stacks = [(n, s) for n, s in self.model.named_children() if isinstance(s, Stack)]
        plan = stage_of(self.model.config, index, count)
        both = isinstance(self.model, EncoderDecoderTransformer)
        self.is_first, self.is_last, self.begins_writing = plan.is_first, plan.is_last, plan.begins_writing
        self.writes = plan.writes
        self.num_outputs = 2 if both and self.writes else 1
        self.num_inputs = 0 if self.is_first else 2 if both and self.writes and not self.begins_writing else 1
        for name, stack in stacks:
            _keep(stack, plan.layers[name])
        self._stand_in()

    def _stand_in(self) -> None:
        """Put stand-ins where another stage embeds tokens or makes logits."""
        model: Any = self.model
        if isinstance(model, EncoderDecoderTransformer):
            if not self.is_first:
                model.encoder_embedding = Received()  # type: ignore[assignment]
            if not self.begins_writing:
                model.decoder_embedding = Received()  # type: ignore[assignment]
        elif not self.is_first:
            model.embedding = Received()
        if not self.is_last:
            model.head, model.next_sentence_head = nn.Identity(), None

    def forward(self, *received: Tensor) -> Tensor | tuple[Tensor, ...]:
        """What the next stage receives: the stream (B, T, D), with an encoder's memory (B, S, D) once a decoder reads
        it; of the last stage the batch's loss, summed."""
        batch = self.batches.pop(0)
        self._receive(received)
        if not self.is_last:
            return self._sent(batch.inputs)
        sums: Sums = self.objective(batch)
        self.nats.append(sums.nats.detach())
        return sums.objective

    def answer(self, inputs: dict[str, Tensor], received: Sequence[Tensor]) -> tuple[Tensor, ...] | ModelOutput:
        """The same for a whole batch that is only asked about; of the last stage the model's answer."""
        self._receive(received)
        if not self.is_last:
            sent = self._sent(inputs)
            return sent if isinstance(sent, tuple) else (sent,)
        output: ModelOutput = self.model(**inputs)
        return output

    def _receive(self, received: Sequence[Tensor]) -> None:
        if self.is_first:
            return
        model: Any = self.model
        if not isinstance(model, EncoderDecoderTransformer):
            model.embedding.x = received[0]
            return
        model.encoder_embedding.x = received[-1]  # the memory once it is there, the encoder's stream before
        if self.num_inputs == 2:
            model.decoder_embedding.x = received[0]

    def _sent(self, inputs: dict[str, Tensor]) -> Tensor | tuple[Tensor, ...]:
        model = self.model
        if not isinstance(model, EncoderDecoderTransformer):
            return model.features(**inputs).hidden.float()
        read: dict[str, Any] = {name: inputs.get(name) for name in ("attention_mask", "document_ids")}
        memory = model.encode(inputs["input_ids"], token_type_ids=inputs.get("token_type_ids"), **read)[0].float()
        if not self.writes:
            return memory
        written: dict[str, Any] = {name: array for name, array in inputs.items() if name.startswith("decoder_")}
        hidden = model.decode(memory=memory, **read, **written).hidden.float()
        return hidden, memory.view_as(memory)  # what came in is not what goes out, even where nothing was done to it

    def shapes(self, inputs: dict[str, Tensor], received: bool) -> list[tuple[int, ...]]:
        """The shapes of what is received, or of what is sent."""
        count, width = self.num_inputs if received else self.num_outputs, self.model.config.d_model
        source = (*inputs["input_ids"].shape, width)
        if not isinstance(self.model, EncoderDecoderTransformer):
            return [source] * count
        return [(*inputs["decoder_input_ids"].shape, width), source][2 - count :]


def _keep(stack: Stack, kept: Sequence[int]) -> None:
    """Leave only those layers of a stack, and what belongs to them."""
    last = len(stack.layers) - 1
    for i in range(len(stack.layers)):
        if i not in kept:
            stack.layers[i] = SkippedLayer(2 if isinstance(stack, EncoderStack) else 3)
    if last not in kept:
        stack.norm = nn.Identity()
    if not kept:
        stack.positions, stack.local_positions = Positions(), None
    if isinstance(stack, EncoderStack) and 0 not in kept:
        stack.convolution = None


def meta(shape: Sequence[int]) -> Tensor:
    """What torch's pipeline is told of a tensor that will be received or sent."""
    return torch.empty(tuple(shape), device="meta", requires_grad=True)
