"""What the model makes of pinned prompts while it trains."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tfmcore.config import TrainingConfig, UserError
from tfmcore.data import Dataset, Tokenizer
from tfmcore.inference.classify import classify
from tfmcore.inference.fill import fill
from tfmcore.inference.generate import generate
from tfmcore.inference.opened import OpenedModel
from tfmcore.inference.translate import translate_many
from tfmcore.messages import Sampled, Warned

NUM_SAMPLES = 3
NUM_SHOWN = 32
NEW_TOKENS = 120


@dataclass(frozen=True)
class Prompt:
    """What the model is asked; `expected` is empty where there is no right answer, or none is known."""

    text: str
    pair: str = ""
    expected: str = ""


def pinned_prompts(training: TrainingConfig, task: str, dataset: Dataset) -> list[Prompt]:
    """The prompts that the config gives, or else the first held-out examples."""
    if training.sample_prompts:
        return [Prompt(text) for text in training.sample_prompts]
    return [PROMPTS[task](example, dataset.tokenizer) for example in dataset.validation.examples(NUM_SAMPLES)]


def draw_samples(opened: OpenedModel, prompts: Sequence[Prompt], step: int) -> Iterator[Sampled | Warned]:
    """The model's answer to each prompt; the random state of the training stays as it is."""
    was_training = opened.model.training
    opened.model.eval()
    try:
        for prompt in prompts:
            shown = " · ".join(text for text in (prompt.text, prompt.pair) if text)
            try:
                text = ANSWERS[opened.saved.task](opened, prompt)
            except UserError as error:
                yield Warned(step=step, sentence=f"no sample of {shown!r}: {error}")
            else:
                yield Sampled(step=step, prompt=shown, text=text, expected=prompt.expected)
    finally:
        opened.model.train(was_training)


def _written_on(opened: OpenedModel, prompt: Prompt) -> str:
    """At a temperature that shows what the model thinks likely, the same way each time."""
    return generate(opened.model, opened.tokenizer, prompt.text, NEW_TOKENS, temperature=0.8, seed=0)


ANSWERS: dict[str, Callable[[OpenedModel, Prompt], str]] = {
    "language_modeling": _written_on,
    "masked_language_modeling": lambda opened, prompt: fill(opened, prompt.text).text,
    "classification": lambda opened, prompt: classify(opened, prompt.text, prompt.pair).labels[0],
    "translation": lambda opened, prompt: translate_many(opened, [prompt.text])[0],
}


def _beginning(example: Mapping[str, str], tokenizer: Tokenizer) -> Prompt:
    text, given = example["text"], example.get("prompt", "")
    return Prompt(given, expected=text.removeprefix(given)) if given else Prompt(text[: max(1, len(text) // 3)])


def _with_gaps(example: Mapping[str, str], tokenizer: Tokenizer) -> Prompt:
    """The beginning of a text, with a gap here and there."""
    ids = tokenizer.encode(example["text"])[:NUM_SHOWN]
    gaps = [tokenizer.mask_id if place % 8 == 3 else id for place, id in enumerate(ids)]
    return Prompt(tokenizer.decode(gaps, skip_special=False), expected=tokenizer.decode(ids))


PROMPTS: dict[str, Callable[[Mapping[str, str], Tokenizer], Prompt]] = {
    "language_modeling": _beginning,
    "masked_language_modeling": _with_gaps,
    "classification": lambda example, _: Prompt(example["text"], example.get("pair", ""), example["label"]),
    "translation": lambda example, _: Prompt(example["source"], expected=example["target"]),
}
