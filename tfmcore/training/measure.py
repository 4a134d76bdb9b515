"""What a step of a model really costs on this machine: time and memory, on random tokens or the data's own batches."""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

import torch
from torch import Tensor

from tfmcore.config import Config, SavedModel
from tfmcore.config.estimate import Estimate, estimate
from tfmcore.config.finetuning import has_new_head
from tfmcore.config.memory import training_memory
from tfmcore.config.tasks import TOKEN_TASKS
from tfmcore.data import prepare
from tfmcore.data.progress import Progress
from tfmcore.models import build
from tfmcore.training.batches import DeviceBatch, to_device
from tfmcore.training.compiling import NUM_TRIED, check_compiler, ways
from tfmcore.training.devices import choose_device, threads_chosen
from tfmcore.training.finetuning import choose_trained
from tfmcore.training.heap import freed_memory_kept
from tfmcore.training.learner import Learner
from tfmcore.training.peak_memory import peak_memory
from tfmcore.training.stopwatch import Stopwatch

PARTS = ("data", "forward", "backward", "optimizer")


@dataclass(frozen=True)
class BatchTrial:
    """Median `seconds` of a step (forward, backward, optimizer), its `tokens`, the `labels` that are predicted, and the
    most memory that it needs in `num_bytes`, weights, gradients and optimizer included. `parts` are the median seconds
    of each part: the batch's `data`, the `forward` pass with the loss, the `backward` pass with the gradient's norm,
    and the `optimizer`."""

    seconds: float
    num_bytes: int
    parameters: int
    tokens: int
    labels: int
    parts: dict[str, float]


def try_batch(config: Config, vocab_size: int = 0, steps: int = 3, progress: Progress | None = None) -> BatchTrial:
    """Build the model and take some optimizer steps: of full-length sequences of `vocab_size` random tokens, which is
    the most that a step can cost; or, where that is 0, of the data's own batches, which is what steps do cost.

    Raises UserError for a device that is not there and for data that cannot be used, and whatever torch raises where
    the memory does not suffice. The memory is that of whole batches, not compiled, and what the estimate says that
    shares and compiled steps need beyond them. One process takes the steps, also where several are to share them.
    """
    config = config.replaced(training__parallel=[])
    device = choose_device(config.training.device)
    check_compiler(config.training, device.type)
    with threads_chosen(config.training.threads), torch.random.fork_rng():
        shape = {"model__num_layers": 1, "model__context_length": 8}
        small = config.replaced(**shape, training__batch_size=1, training__freeze=[])
        tiny = SavedModel(task=config.data.task, vocab_size=16, model=small.model)
        _take_steps(
            small, tiny, iter([random_batch(small, 16, device)]), device
        )  # loads and sets aside what any model needs
        saved = SavedModel(task=config.data.task, vocab_size=vocab_size or 1, model=config.model)
        dataset = None if vocab_size else prepare(config, progress)
        if dataset:
            saved = saved.model_copy(update={"vocab_size": dataset.tokenizer.vocab_size, "labels": dataset.labels})

        def batches(number: int) -> Iterator[DeviceBatch]:
            if dataset is None:
                return (random_batch(config, vocab_size, device) for _ in range(number))
            own = dataset.train.batches(config.training.batch_size, config.training.seed)
            return (to_device(batch, device) for batch in islice(own, number))

        plain = config.replaced(training__shares=1, training__compile="never")
        with peak_memory(device) as memory:
            _take_steps(plain, saved, batches(2), device)
        compiled = config.training.compile == "always"
        num_first = 2 if compiled else 1  # a second length of batches is compiled anew
        with freed_memory_kept():
            taken, tokens, labels, parameters = _take_steps(config, saved, batches(steps + num_first), device, compiled)
    parts = {part: statistics.median(step[part] for step in taken[num_first:]) for part in PARTS}
    seconds = statistics.median(sum(step.values()) - step["data"] for step in taken[num_first:])
    num_bytes = memory.num_bytes + _beyond(plain, config, estimate(saved.model, saved.vocab_size, saved.task))
    num_tokens, num_labels = round(statistics.median(tokens)), round(statistics.median(labels))
    return BatchTrial(seconds, num_bytes, parameters, num_tokens, num_labels, parts)


def _beyond(plain: Config, config: Config, cost: Estimate) -> int:
    """Bytes that steps of `config` need beyond those of `plain`, which are told: the gradients of shares side by side,
    and what a compiler makes at once."""
    less, more = (training_memory(cost, each.training) for each in (plain, config))
    return sum(more.values()) - sum(less.values())


def _take_steps(
    config: Config, saved: SavedModel, batches: Iterator[DeviceBatch], device: torch.device, compiled: bool = False
) -> tuple[list[dict[str, float]], list[int], list[int], int]:
    """Seconds of each part of a step on each batch, its tokens, its labels, and the model's parameters."""
    training, watch = config.training, Stopwatch(device)
    model = build(saved)
    heads = [name for name, _ in model.named_parameters() if "head" in name.split(".")[0]]
    choose_trained(model, training, heads if has_new_head(training, saved.task) else ())
    model.to(device).set_gradient_checkpointing(training.gradient_checkpointing)
    learner = Learner(model, saved.task, training)
    if compiled:
        first = list(islice(batches, NUM_TRIED))
        learner.compiled.begin(next(ways(learner, [[batch] for batch in first])))
        batches = chain(first, batches)
    learner.objective.register_forward_pre_hook(lambda *_: watch.turn("forward"))
    learner.objective.register_forward_hook(lambda *_: watch.turn("backward"))
    taken, tokens, labels = [], [], []
    watch.turn("data")
    for batch in batches:
        watch.turn("forward")
        learner.gradient([batch] * training.accumulation)
        watch.turn("optimizer")
        learner.update(training.learning_rate)
        taken.append(watch.take())
        tokens.append(batch.num_tokens * training.accumulation)
        labels.append(batch.num_labels * training.accumulation)
        watch.turn("data")
    return taken, tokens, labels, model.num_parameters()


def random_batch(config: Config, vocab_size: int, device: torch.device) -> DeviceBatch:
    """A batch of the config's size and context, such as its task makes."""
    shape = (config.training.batch_size, config.model.context_length)
    ids = torch.randint(vocab_size, shape, device=device)
    inputs = {"input_ids": ids}
    if config.model.architecture == "encoder_decoder":
        inputs["decoder_input_ids"] = ids
    labels = ids if config.data.task in TOKEN_TASKS else RANDOM_LABELS[config.data.task](ids)
    further = {"next_sentence_logits": ids[:, 0].remainder(2)} if config.data.next_sentence_prediction else {}
    return DeviceBatch(inputs, labels, ids.numel() * len(inputs), labels.numel(), [], further)


RANDOM_LABELS: dict[str, Callable[[Tensor], Tensor]] = {
    "classification": lambda ids: ids[:, 0].remainder(2),
    "token_tagging": lambda ids: ids.remainder(2),
    "question_answering": lambda ids: ids[:, [0, -1]].remainder(ids.shape[1]),
}
"""Labels (B,), (B, T) or (B, 2) for ids (B, T), of the tasks that predict no tokens."""
