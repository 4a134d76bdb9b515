"""Samples of pinned prompts, for every task."""

import pytest
import torch

from tfmcore.config import TASKS
from tfmcore.data import Example
from tfmcore.messages import Sampled
from tfmcore.training.controls import Controls
from tfmcore.training.samples import ANSWERS, NUM_SAMPLES, PROMPTS, Prompt, draw_samples, pinned_prompts
from tfmcore.training.trainer import TransformerTrainer

PRESETS = ["nano-decoder", "nano-encoder", "tell-languages", "nano-seq2seq"]


@pytest.fixture
def trainer(request, make_run):
    run = make_run(request.param, "training.sample_every=1")
    return TransformerTrainer.prepare(run.config(), run, Controls(run.folder), lambda *_: None)


def test_every_task_has_prompts_and_answers():
    assert PROMPTS.keys() == ANSWERS.keys() == TASKS.keys()


@pytest.mark.parametrize("trainer", PRESETS, indirect=True)
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
        assert isinstance(sample, Sampled)
        assert sample.prompt
        assert sample.step == 5
        assert bool(sample.expected) == (task != "language_modeling")
        if task == "masked_language_modeling":
            assert "[MASK]" in sample.prompt
            assert "[MASK]" not in sample.expected + sample.text
        if task == "classification":
            assert {sample.text, sample.expected} <= set(trainer.dataset.labels)


def test_a_given_beginning_and_a_pair():
    example = Example(text="3+4=7", prompt="3+4=")
    assert PROMPTS["language_modeling"](example, None) == Prompt("3+4=", expected="7")
    example = Example(text="a", pair="b", label="same")
    assert PROMPTS["classification"](example, None) == Prompt("a", "b", "same")
