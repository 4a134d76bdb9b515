"""A run's optimizer steps as events: what was learned in each, what was left out, and what was noticed."""

import math
import time
import traceback
from collections.abc import Iterator
from typing import NamedTuple

from tfmcore.config.schedules import learning_rate
from tfmcore.data import Tokenizer
from tfmcore.memory_faults import is_out_of_memory
from tfmcore.messages import AnyEvent, Changed, Examined, Stepped, Warned
from tfmcore.training.batches import DeviceBatch
from tfmcore.training.divergence import diverged
from tfmcore.training.examination import Examination
from tfmcore.training.health import Health
from tfmcore.training.learner import Learner, PendingNumbers
from tfmcore.training.state import Counters, random_states, set_random_states


class PendingStep(NamedTuple):
    """A step whose gradient a device computes, and when it began."""

    step: int
    batches: list[DeviceBatch]
    rate: float
    numbers: PendingNumbers
    at: float


class Steps:
    """Has a learner take steps, and counts them. `whole` is False where one was cut off in its midst; where memory did
    not suffice for its gradient, all is as it was before it.

    A GPU never waits for a processor that reads the loss: where the learner is guarded, a step is told of when the next
    has begun, or when `flush` asks for it."""

    def __init__(self, learner: Learner, counters: Counters, tokenizer: Tokenizer) -> None:
        self.learner, self.counters, self.health = learner, counters, Health(tokenizer, counters.watch)
        self.model, self.training, self.parallel = learner.objective.model, learner.training, learner.parallel
        self.whole = True
        self._pending: PendingStep | None = None
        self._told_at = 0.0

    @property
    def step(self) -> int:
        return self.counters.step

    def learn(self, batches: list[DeviceBatch]) -> Iterator[AnyEvent]:
        """One optimizer step, on the mean over all labels of its batches, so that accumulation equals a large batch."""
        self.whole = False
        yield from self._learn(batches)
        self.whole = True

    def _learn(self, batches: list[DeviceBatch]) -> Iterator[AnyEvent]:
        at = time.perf_counter()
        self.counters.step += 1
        if not any(batch.num_labels for batch in batches):
            yield from self.flush()
            yield from self._skip()
            return
        rate = self.counters.learning_rate or learning_rate(self.training, self.model.config.d_model, self.step)
        examination = self._examination()
        begun = PendingStep(self.step, batches, rate, self._begin(batches), at)
        yield from self.flush()
        if self.learner.is_guarded and not examination:
            self.learner.update(rate)
            self._pending = begun
            return
        loss, norm = self._read(begun)
        scale = self.learner.precision.scale
        if examination:
            examination.take_gradients()
        self.learner.update(rate)
        layers = examination.finish() if examination else {}
        if scale != self.learner.precision.scale:
            yield from self._rescaled(batches)
            if self.learner.precision.overflowed:
                return
        yield from self._tell(begun, loss, norm)
        if layers:
            yield Examined(step=self.step, layers=layers)
            yield from self.health.of_layers(self.step, layers, batches)

    def flush(self) -> Iterator[AnyEvent]:
        """What is still to be said of the last step."""
        if self._pending:
            begun, self._pending = self._pending, None
            yield from self._tell(begun, *self._read(begun, updated=True))

    def _tell(self, begun: PendingStep, loss: float, norm: float) -> Iterator[AnyEvent]:
        """A step was taken."""
        now = time.perf_counter()
        seconds, self._told_at = now - max(begun.at, self._told_at), now
        yield Stepped(
            step=begun.step,
            loss=loss,
            learning_rate=begun.rate,
            gradient_norm=norm,
            tokens=sum(batch.num_tokens for batch in begun.batches),
            seconds=seconds,
        )
        yield from self.health.of_loss(begun.step, loss, begun.batches)

    def _read(self, begun: PendingStep, updated: bool = False) -> tuple[float, float]:
        """Loss and norm of a step, as soon as they are known; raises Failure where they are no numbers."""
        loss, norm = begun.numbers.read()
        if not (math.isfinite(loss) and (math.isfinite(norm) or self.learner.precision.forgives)):
            if updated:  # its gradient is gone, and the next one's may be there
                self.learner.drop()
                self.learner.gradient(begun.batches)
            self.counters.step = begun.step
            ids = [id for batch in begun.batches for id in batch.example_ids]
            texts = self.health.texts(begun.batches)
            raise diverged(begun.step, loss, norm, ids, texts, self.learner, begun.rate)
        return loss, norm

    def _begin(self, batches: list[DeviceBatch]) -> PendingNumbers:
        """The learner's; where it needs more memory than there is, all is again as it was before the step."""
        before = random_states()
        try:
            return self.learner.begin(batches)
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                traceback.clear_frames(error.__traceback__)  # with all that it had computed
                self.learner.drop()
                set_random_states(before)
                self.counters.step -= 1
                self.whole = True
            raise

    def _examination(self) -> Examination | None:
        """A look at the layers in this step, if it is due."""
        every = self.training.health_every
        return Examination(self.model, self.parallel) if every and self.step % every == 0 else None

    def _skip(self) -> Iterator[AnyEvent]:
        """A step whose batches have no labels to predict; a warning comes now and then."""
        self.counters.skipped_steps += 1
        count = self.counters.skipped_steps
        if count & (count - 1) == 0:  # 1, 2, 4, 8, …
            sentence = f"the batch has no labels to predict, so the step was skipped ({count} so far)"
            yield Warned(step=self.step, sentence=sentence)

    def _rescaled(self, batches: list[DeviceBatch]) -> Iterator[AnyEvent]:
        """The loss has another scale now: the gradients were too large, or have fitted for long."""
        precision = self.learner.precision
        yield Changed(step=self.step, setting="loss_scale", value=precision.scale or 1.0)
        if precision.overflowed:
            self.counters.overflows += 1
            if self.counters.overflows & (self.counters.overflows - 1) == 0:  # 1, 2, 4, 8, …
                sentence = "the gradients overflowed in fp16, so the step was skipped and the loss scale lowered"
                sentence = f"{sentence} ({self.counters.overflows} so far): a few do no harm; of many, try bf16"
                yield self.health.noticed("overflow", self.step, sentence, batches)
