"""Samples of pinned prompts, for every task."""

import re
from itertools import zip_longest
from types import SimpleNamespace

import pytest
import torch

from tfmcore.config import SOURCES, TASKS, DataConfig
from tfmcore.data import Example
from tfmcore.data.tasks.language_modeling import LanguageModeling
from tfmcore.messages import Sampled
from tfmcore.training.controls import Controls
from tfmcore.training.samples import NUM_SAMPLES, PROMPTS, Prompt, draw_samples, pinned_prompts
from tfmcore.training.trainer import TransformerTrainer


@pytest.fixture(params=TASKS)
def trainer(request, make_run):
    task = request.param
    source = next(name for name, facts in SOURCES.items() if task in facts.tasks)
    architecture = f"model.architecture={TASKS[task].architectures[0]}"
    run = make_run(
        "nano-decoder", f"data.task={task}", f"data.source={source}", architecture, "training.sample_every=1"
    )
    return TransformerTrainer.prepare(run.config(), run, Controls(run.folder), lambda *_: None)


def test_held_out_examples_are_asked_the_same_way_each_time(trainer):
    task, model = trainer.config.data.task, trainer.model
    prompts = pinned_prompts(trainer.training, task, trainer.dataset)
    assert prompts == trainer.prompts
    assert 1 <= len(prompts) <= NUM_SAMPLES
    before = torch.get_rng_state()
    model.train()
    first, again = (list(draw_samples(trainer.opened, prompts, 5)) for _ in range(2))
    assert [(sample.prompt, sample.text) for sample in first] == [(sample.prompt, sample.text) for sample in again]
    assert torch.equal(torch.get_rng_state(), before)
    assert model.training
    for sample in first:
        assert isinstance(sample, Sampled), sample
        assert sample.prompt
        assert sample.step == 5
        assert bool(sample.expected) == (task != "language_modeling")
        if task == "masked_language_modeling":
            assert "[MASK]" in sample.prompt
            assert "[MASK]" not in sample.expected + sample.text
        if task == "classification":
            assert {sample.text, sample.expected} <= set(trainer.dataset.labels)


def test_what_is_expected_of_a_sample_is_what_the_task_says_of_it(trainer):
    """A prompt of a spoiled text and what is to be written for it make the text; marks are those of the labels."""
    task, split = trainer.config.data.task, trainer.dataset.validation
    for example, prompt in zip(split.examples(NUM_SAMPLES), trainer.prompts, strict=True):
        if task == "span_corruption":
            assert prompt.expected.startswith("<extra_id_0>")
            assert "<extra_id_0>" in prompt.text
            kept = re.split(r"<extra_id_\d+>", prompt.text)
            taken = re.split(r"<extra_id_\d+>", prompt.expected)[1:]
            whole = "".join(a + b for a, b in zip_longest(kept, taken, fillvalue=""))
            assert example["text"].startswith(whole)
        if task == "denoising":
            assert "[MASK]" in prompt.text
            assert example["text"].startswith(prompt.expected)
        if task == "token_tagging":
            words = example["labels"].split()
            assert prompt.expected.count("(") == sum(label.startswith("B-") for label in words)
        if task == "question_answering":
            assert (prompt.text, prompt.pair) == (example["question"], example["context"])
            assert prompt.expected == (example["answer"].split("\n")[0] or "no answer")


def test_a_given_beginning_and_a_pair():
    for separator in ("", " → "):
        split = SimpleNamespace(task=LanguageModeling(DataConfig(separator=separator)))
        example = Example(text=f"3+4={separator}7", prompt="3+4=")
        assert PROMPTS["language_modeling"](example, split) == Prompt("3+4=", expected="7")
    example = Example(text="a", pair="b", label="same")
    assert PROMPTS["classification"](example, None) == Prompt("a", "b", "same")
