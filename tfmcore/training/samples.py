"""What the model makes of pinned prompts while it trains."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfmcore.config import TrainingConfig, UserError
from tfmcore.data import Dataset, Example, Split
from tfmcore.data.entities import entities
from tfmcore.data.tasks import Item
from tfmcore.data.tasks.language_modeling import LanguageModeling
from tfmcore.data.tasks.question_answering import accepted
from tfmcore.inference.answer import best_answer
from tfmcore.inference.classify import classify
from tfmcore.inference.fill import fill
from tfmcore.inference.generate import generate
from tfmcore.inference.opened import OpenedModel
from tfmcore.inference.tag import tag
from tfmcore.inference.translate import translate_many
from tfmcore.messages import Sampled, Warned

NUM_SAMPLES = 3
NUM_SHOWN = 32
NEW_TOKENS = 120
NOTHING = "-"
NO_ANSWER = "no answer"


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
    return [PROMPTS[task](example, dataset.validation) for example in dataset.validation.examples(NUM_SAMPLES)]


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
    asked = prompt.text + opened.separator
    return generate(opened.model, opened.tokenizer, asked, NEW_TOKENS, temperature=0.8, seed=0)


def _rewritten(opened: OpenedModel, prompt: Prompt) -> str:
    return translate_many(opened, [prompt.text])[0]


def _tagged(opened: OpenedModel, prompt: Prompt) -> str:
    return _listed((prompt.text[span.start : span.end], span.label) for span in tag(opened, prompt.text).spans)


def _listed(marked: Iterable[tuple[str, str]]) -> str:
    """ "Norway (place) · March 2 (date)", or "-" where nothing is marked."""
    return " · ".join(f"{words} ({name})" for words, name in marked) or NOTHING


ANSWERS: dict[str, Callable[[OpenedModel, Prompt], str]] = {
    "language_modeling": _written_on,
    "masked_language_modeling": lambda opened, prompt: fill(opened, prompt.text).text,
    "span_corruption": _rewritten,
    "denoising": _rewritten,
    "classification": lambda opened, prompt: classify(opened, prompt.text, prompt.pair).labels[0],
    "token_tagging": _tagged,
    "question_answering": lambda opened, prompt: best_answer(opened, prompt.text, prompt.pair) or NO_ANSWER,
    "translation": _rewritten,
}


def _beginning(example: Example, split: Split) -> Prompt:
    task, text = split.task, example["text"]
    if "prompt" in example and isinstance(task, LanguageModeling):
        return Prompt(example["prompt"], expected=task.parts(example)[1])
    return Prompt(text[: max(1, len(text) // 3)])


def _with_gaps(example: Mapping[str, str], split: Split) -> Prompt:
    """The beginning of a text, with a gap here and there."""
    tokenizer = split.tokenizer
    ids = tokenizer.encode(example["text"])[:NUM_SHOWN]
    gaps = [tokenizer.mask_id if place % 8 == 3 else id for place, id in enumerate(ids)]
    return Prompt(tokenizer.decode(gaps, skip_special=False), expected=tokenizer.decode(ids))


def _corrupted(example: Mapping[str, str], split: Split) -> Prompt:
    """The beginning of a text as the task spoils it, and what is to be written for it."""
    task, tokenizer, context = split.task, split.tokenizer, split.context_length
    text = np.array(tokenizer.encode(example["text"])[: min(NUM_SHOWN, task.window(context))], np.uint32)
    batch = task.collate([Item({"text": text})], tokenizer, context, np.random.default_rng(0))
    read, written = batch.inputs["input_ids"][0].tolist()[:-1], batch.labels[0].tolist()
    return Prompt(tokenizer.decode(read, skip_special=False), expected=task.written(written, tokenizer))


def _words(example: Mapping[str, str], split: Split) -> Prompt:
    words = example["text"].split(" ")
    marked = ((" ".join(words[start:end]), name) for start, end, name in entities(example["labels"].split(" ")))
    return Prompt(example["text"], expected=_listed(marked))


def _question(example: Mapping[str, str], split: Split) -> Prompt:
    return Prompt(example["question"], example["context"], (accepted(example) or [NO_ANSWER])[0])


PROMPTS: dict[str, Callable[[Example, Split], Prompt]] = {
    "language_modeling": _beginning,
    "masked_language_modeling": _with_gaps,
    "span_corruption": _corrupted,
    "denoising": _corrupted,
    "classification": lambda example, _: Prompt(example["text"], example.get("pair", ""), example["label"]),
    "token_tagging": _words,
    "question_answering": _question,
    "translation": lambda example, _: Prompt(example["source"], expected=example["target"]),
}
