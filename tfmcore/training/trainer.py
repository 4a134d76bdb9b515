"""The training loop: prepare, then step by step learn, validate, show samples and save, as a stream of events."""

import contextlib
import math
import socket
import time
from collections.abc import Generator, Iterator
from itertools import islice
from pathlib import Path
from typing import Literal, Self

import torch

from tfmcore.config import TASKS, Config, UserError
from tfmcore.config.parallel import data_parallel_size
from tfmcore.data import Cancelled, Dataset, Progress, micro_batches
from tfmcore.inference.opened import OpenedModel
from tfmcore.memory_faults import is_out_of_memory
from tfmcore.messages import AnyEvent, Changed, Evaluated, Failed, Finished, Saved, Started, Warned
from tfmcore.models.weights import FILE as WEIGHTS
from tfmcore.nn.low_rank import merged
from tfmcore.runs import Checkpoint, Manifest, Run
from tfmcore.training.batches import DeviceBatch, ahead
from tfmcore.training.checkpoints import Checkpoints
from tfmcore.training.compiling import Compilation, check_compiler, choose, flops_of_step
from tfmcore.training.controls import Controls
from tfmcore.training.devices import choose_threads
from tfmcore.training.evaluation import evaluate, in_measure
from tfmcore.training.faults import Failure
from tfmcore.training.ingredients import class_weights_of, dataset_of, model_of, saved_model
from tfmcore.training.learner import Learner
from tfmcore.training.parallel.launch import launch
from tfmcore.training.parallel.strategy import Strategy
from tfmcore.training.process import live
from tfmcore.training.record import Record
from tfmcore.training.samples import draw_samples, pinned_prompts
from tfmcore.training.signals import interrupting
from tfmcore.training.state import load_state, save_state
from tfmcore.training.steps import Steps

PAUSE_SECONDS = 0.2
EVALUATION_TOKENS = 2048
"""Validation takes at least so many at once: nothing is kept of them, and small batches take half as long again."""


def train(config: Config, folder: str | Path) -> Iterator[AnyEvent]:
    """Train in a run folder, made where it is missing, or go on from its newest checkpoint; yields typed events.

    The folder is a run like any other: the window and `tfm status` show it. Raises UserError where training fails.
    """
    run = Run.open(Path(folder), config)
    events = launch(run) if config.training.parallel else live(Record(run, Controls(run.folder)))
    with contextlib.closing(events):
        for event in events:
            yield event
            if isinstance(event, Failed):
                raise UserError(event.sentence, event.details)


class TransformerTrainer:
    """Trains one model on one dataset. `events` is the whole of it; the rest are its parts."""

    def __init__(
        self,
        config: Config,
        dataset: Dataset,
        checkpoints: Checkpoints,
        controls: Controls,
        checkpoint: Checkpoint | None = None,
        parallel: Strategy | None = None,
    ) -> None:
        """At the run's start, or to the bit where `checkpoint` stands. Raises UserError for what cannot be opened."""
        whole = parallel or Strategy()
        self.config, self.training, self.dataset = config, config.training, dataset
        self.checkpoints, self.controls = checkpoints, controls
        self.device = whole.device_for(self.training)
        self.threads = choose_threads(self.training.threads, whole.local_world_size)
        torch.manual_seed(self.training.seed)
        self.saved = saved_model(config, dataset, checkpoint, checkpoints.run.id)
        self.model, self.counters, news = model_of(self.saved, self.training, self.device, checkpoint)
        self.num_parameters = self.model.num_parameters()  # of all of it, whatever this process keeps
        class_weights = class_weights_of(self.training, dataset)
        self.learner = Learner(self.model, self.saved.task, self.training, parallel, class_weights)
        self.parallel = self.learner.parallel
        self.warnings = [*dataset.warnings, *news, *filter(None, [self.learner.precision.caution])]
        self.opened = OpenedModel(self.model, dataset.tokenizer, self.saved, checkpoints.folder)
        self.prompts = pinned_prompts(self.training, config.data.task, dataset) if self.training.sample_every else []
        self.steps = Steps(self.learner, self.counters, dataset.tokenizer)
        self.compilation: Compilation | None = None
        self._saved: tuple[int, Evaluated | None] = (-1, None)
        if checkpoint:
            self._go_on(checkpoint)
        self.counters.shares, self.counters.batch_size = self.parallel.num_shares, self.training.batch_size
        self.parallel.seed(self.training.seed + self.step)
        controls.broadcast = self.parallel.broadcast

    @classmethod
    def prepare(
        cls, config: Config, run: Run, controls: Controls, progress: Progress, parallel: Strategy | None = None
    ) -> Self:
        """A trainer that stands where the run's newest whole checkpoint does, or at its start; raises UserError."""
        whole = parallel or Strategy()
        check_compiler(config.training, whole.device_for(config.training).type)  # before anything that takes long
        progress("looking for checkpoints", 0, 0)
        checkpoints = Checkpoints(run, config.training.keep_every)
        checkpoint, faults = checkpoints.newest_whole() if whole.is_main else (None, [])
        if (name := whole.of_main(checkpoint.folder.name if checkpoint else "")) and not whole.is_main:
            checkpoint = checkpoints.seen(name)
        with whole.main_first(lambda: progress("waiting for the first process", 0, 0)):
            dataset, changes = dataset_of(config, run, checkpoint, progress, whole.is_main)
        if whole.of_main(dataset.fingerprint) != dataset.fingerprint:
            raise UserError(
                f"the data on {socket.gethostname()} differ from those of the first process: "
                "all machines need the same files, and for built-in data the same Python"
            )
        progress("building the model", 0, 0)
        trainer = cls(config, dataset, checkpoints, controls, checkpoint, parallel)
        if changes:
            trainer.counters.measure_anew()
        trainer.warnings += [*changes, *(f"{fault}; training resumes from an older checkpoint" for fault in faults)]
        trainer.compile(progress)
        return trainer

    def events(self) -> Generator[AnyEvent, None, None]:
        """Train to the end, or until asked to stop. Where memory runs out, what was learned is saved first,
        unless others would have to save their part, too."""
        self.model.train()
        yield self._started()
        yield from (Warned(step=self.step, sentence=sentence) for sentence in self.warnings)
        try:
            yield from self._train()
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error) and self.steps.whole and not self.parallel.is_distributed:
                with contextlib.suppress(Failure, RuntimeError, MemoryError):
                    yield from self._save()
            raise
        yield from self._save()
        yield Finished(step=self.step, reason=self._reason, loss=self.evaluated.loss if self.evaluated else None)

    def compile(self, progress: Progress) -> None:
        """Choose whether steps are compiled, and have them so; raises UserError."""
        flops, steps_left = flops_of_step(self.config, self.saved), self.training.steps - self.step
        known, here = self.counters.compiled, self.device.type
        before = known.get(here) if known or self.step == 0 else "no"
        with contextlib.nullcontext() if self.parallel.is_distributed else interrupting(self.controls.heard):
            self.compilation = choose(self.learner, self._work, steps_left, flops, before, progress)
        self.counters.compiled = known | {here: self.compilation.way}
        if before and before != self.compilation.way:
            sentence = "the resumed run will not be bit-identical to an uninterrupted one"
            self.warnings.append(f"{sentence}: {self.compilation.sentence}, unlike before")

    def _train(self) -> Iterator[AnyEvent]:
        """Step by step, with what is due after each."""
        if self.training.eval_at_start and self.counters.best_score in (None, math.inf):  # not measured on these data
            yield from self._validate()
            yield from self._sample()
            yield from self._save()
        elif self.counters.owed:
            yield from self._validate()
            yield from self._save()
            if self._stale:
                return
        for batches in ahead(self._work()):
            yield from self._obey()
            if self.controls.stop:
                break
            yield from self.steps.learn(batches)
            if self._due(self.training.eval_every):
                yield from self._validate()
            if self._due(self.training.sample_every):
                yield from self._sample()
            if self._due(self.training.save_every) or self._due(self.training.keep_every) or self._improved:
                yield from self._save()
            if self._stale:
                break
        yield from self.steps.flush()

    @property
    def step(self) -> int:
        """Optimizer steps done."""
        return self.counters.step

    @property
    def evaluated(self) -> Evaluated | None:
        """The last validation."""
        return self.counters.evaluated

    def _go_on(self, checkpoint: Checkpoint) -> None:
        """Optimizer and random states as they were; what may differ from then on is added to `warnings`."""
        load_state(checkpoint.folder, self.learner, self.counters)
        self._saved = self.step, self.evaluated
        threads = checkpoint.manifest.threads if self.device.type == "cpu" else self.threads
        counts = {
            "threads": (threads, self.threads),
            "sequences per batch": (self.counters.batch_size or self.training.batch_size, self.training.batch_size),
            "batch shares": (self.counters.shares, self.parallel.num_shares),
        }
        if differ := [f"{old} {what} before, {new} now" for what, (old, new) in counts.items() if old != new]:
            sentence = "the resumed run, dropout included, will not be bit-identical to an uninterrupted one"
            self.warnings.append(f"{sentence}: {', '.join(differ)}")

    def _started(self) -> Started:
        return Started(
            step=self.step,
            steps=self.training.steps,
            parameters=self.num_parameters,
            vocab_size=self.saved.vocab_size,
            num_train=len(self.dataset.train),
            num_validation=len(self.dataset.validation),
            steps_per_epoch=self.dataset.train.steps_per_epoch(self.training.sequences_per_step),
            device=self.device.type,
            threads=self.threads,
            compilation=self.compilation.sentence if self.compilation else "",
            loss_scale=self.learner.precision.scale,
        )

    def _work(self) -> Iterator[list[DeviceBatch]]:
        """The batches of each step that is still to be taken, by seed and step alone: the same sequences, however many
        are computed at once."""
        training = self.training
        steps = self.dataset.train.batches(training.sequences_per_step, training.seed, self.step)
        placed = (
            [self.parallel.local_batch(piece, self.device) for piece in micro_batches(batch, training.accumulation)]
            for batch in steps
        )
        return islice(placed, training.steps - self.step)

    def _obey(self) -> Iterator[AnyEvent]:
        """Do what was asked since the last step; while paused, wait here."""
        self.controls.poll()
        while True:
            if self.controls.rate_set and self.controls.learning_rate != self.counters.learning_rate:
                self.counters.learning_rate = self.controls.learning_rate
                yield Changed(step=self.step, setting="learning_rate", value=self.counters.learning_rate)
            if self.controls.save:
                self.controls.save = False
                yield from self._save()
            if not self.controls.paused or self.controls.stopping():
                return
            yield from self.steps.flush()
            time.sleep(PAUSE_SECONDS)

    def _validate(self) -> Iterator[AnyEvent]:
        """Evaluate on the held-out data; where a stop is asked for meanwhile, when the run goes on."""
        yield from self.steps.flush()
        self.counters.owed = False
        try:
            with self.learner.averaged():
                continued = self.dataset.validation.continued
                found = evaluate(self.opened, self._held_out(), self.training.precision, self.parallel, continued)
        except Cancelled:
            self.counters.owed = True
            return
        if not math.isfinite(found.loss):
            yield Warned(step=self.step, sentence=f"the validation loss is {found.loss}, so this validation is ignored")
            return
        self.counters.evaluated = Evaluated(step=self.step, loss=found.loss, metrics=found.metrics)
        score, best = self._score, self.counters.best_score
        self.counters.stale = 0 if best is None or score < best else self.counters.stale + 1
        if best is None or score <= best:  # the newest of several, as the run has it
            self.counters.best_score, self.counters.best_step = score, self.step
        yield self.counters.evaluated

    def _sample(self) -> Iterator[AnyEvent]:
        """Show what the model makes of its prompts."""
        yield from self.steps.flush()
        with self.learner.averaged(), self.parallel.state.full_model(self.opened) as opened:
            if opened is not None:
                yield from draw_samples(opened, self.prompts, self.step)

    def _held_out(self) -> Iterator[DeviceBatch]:
        size = max(self.training.batch_size, EVALUATION_TOKENS // self.config.model.context_length)
        for batch in islice(self.dataset.validation.once(size), self.training.eval_batches):
            for piece in in_measure(batch, self.saved.vocab_size, self.device, data_parallel_size(self.training)):
                self.controls.go_on()
                yield self.parallel.local_batch(piece, self.device)

    def _save(self) -> Iterator[AnyEvent]:
        """Write a checkpoint, unless there is one of all that has been learned and found so far."""
        if (self.step, self.evaluated) == self._saved or not (self.step or self.evaluated):
            return
        yield from self.steps.flush()
        here = self.evaluated if self.evaluated and self.evaluated.step == self.step else None
        manifest = Manifest(
            step=self.step,
            validation_loss=here.loss if here else None,
            metrics=here.metrics if here else {},
            score=self._score if here else None,
            threads=self.threads,
            data_fingerprint=self.dataset.fingerprint,
            files={},
        )
        written = self.parallel.write(self.checkpoints, manifest, self._fill)
        before, self._saved = self._saved, (self.step, self.evaluated)
        if written.replaced and self.step != before[0]:  # else it is this run's own, with what has been found since
            yield Warned(step=self.step, sentence=written.replaced)
        yield Saved(step=self.step, folder=str(written.folder), best=self._improved)

    def _fill(self, folder: Path) -> None:
        """The files of a checkpoint: a model folder, and the state of the training."""
        known = self.evaluated
        metrics = {"loss": known.loss, **known.metrics} if known else {}
        if self.parallel.is_main:
            self.saved.model_copy(update={"step": self.step, "metrics": metrics}).write(folder)
            self.dataset.tokenizer.save(folder / "tokenizer.json")
        with self.learner.averaged(), merged(self.model):
            self.parallel.state.save_weights(self.model, folder / WEIGHTS)
        save_state(folder, self.learner, self.counters)

    def _due(self, every: int) -> bool:
        return every > 0 and (self.step % every == 0 or self.step == self.training.steps)

    @property
    def _score(self) -> float:
        """How good the last validation was, the lower the better."""
        assert self.evaluated
        metric = TASKS[self.saved.task].metric if self.training.best_by == "metric" else "loss"
        return -self.evaluated.metrics[metric] if metric in self.evaluated.metrics else self.evaluated.loss

    @property
    def _improved(self) -> bool:
        return self.counters.best_step == self.step

    @property
    def _stale(self) -> bool:
        return self.training.early_stopping is not None and self.counters.stale >= self.training.early_stopping

    @property
    def _reason(self) -> Literal["finished", "stopped", "early_stopping"]:
        if self.step == self.training.steps and not self.counters.owed:
            return "finished"
        return "stopped" if self.controls.stop else "early_stopping"
