"""Metrics agree with what one counts by hand."""

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tfmcore.config import Config, ModelConfig, SavedModel, UserError
from tfmcore.config.tasks import TEXT_TASKS
from tfmcore.data import IGNORED, Batch, Example
from tfmcore.inference.answer import best_answer
from tfmcore.inference.generate import write_many
from tfmcore.inference.opened import OpenedModel, open_model
from tfmcore.models import ModelOutput, build
from tfmcore.training import evaluation
from tfmcore.training.batches import DeviceBatch, to_device
from tfmcore.training.evaluation import COMPARISONS, evaluate, evaluate_texts, in_measure
from tfmcore.training.learner import Learner
from tfmcore.training.peak_memory import peak_memory


class Oracle(nn.Module):
    """Answers with the logits that it is given."""

    device = torch.device("cpu")

    def forward(self, logits: Tensor) -> ModelOutput:
        assert not self.training
        return ModelOutput(hidden=logits, logits=logits)


def opened(model: nn.Module, task: str) -> OpenedModel:
    tokenizer = SimpleNamespace(token_bytes=None)
    return OpenedModel(model, tokenizer, SavedModel(task=task, vocab_size=9, model=ModelConfig()), Path())


def batch(logits: Tensor, labels: Tensor) -> DeviceBatch:
    return DeviceBatch({"logits": logits}, labels, labels.numel(), int((labels != IGNORED).sum()), [])


@pytest.mark.parametrize("task", [*TEXT_TASKS, "translation"])
def test_tokens_are_weighted_alike_whatever_batch_they_are_in(task):
    torch.manual_seed(0)
    logits, labels = torch.randn(4, 6, 9), torch.randint(0, 9, (4, 6))
    labels[0, 1:] = labels[3] = IGNORED
    oracle = opened(Oracle(), task)
    whole = evaluate(oracle, [batch(logits, labels)])
    parts = evaluate(oracle, [batch(logits[:1], labels[:1]), batch(logits[1:], labels[1:])])
    kept = labels != IGNORED
    assert parts.loss == pytest.approx(whole.loss)
    assert whole.loss == pytest.approx(nn.functional.cross_entropy(logits[kept], labels[kept]).item())
    accuracy = (logits.argmax(-1) == labels)[kept].double().mean().item()
    assert parts.metrics == pytest.approx(whole.metrics)
    assert accuracy in [pytest.approx(value) for value in whole.metrics.values()]
    if "perplexity" in whole.metrics:
        assert whole.metrics["perplexity"] == pytest.approx(math.exp(whole.loss))


def test_a_batch_is_judged_in_pieces_that_need_no_more_memory_than_a_step():
    rows, length, vocab_size = 8, 64, 50_257
    ids = np.zeros((rows, length), np.int64)
    whole = Batch({"input_ids": ids}, np.arange(rows * length).reshape(rows, length))
    for dp_size, expected in ((1, 2), (2, 1), (100, 1)):
        pieces = in_measure(whole, vocab_size, torch.device("cpu"), dp_size)
        assert len(pieces) == expected
        assert np.array_equal(np.concatenate([piece.labels for piece in pieces]), whole.labels)
    assert in_measure(whole, 65, torch.device("cpu")) == [whole]
    longest = Batch({"input_ids": ids.reshape(2, -1)}, whole.labels.reshape(2, -1))
    assert len(in_measure(longest, 10**9, torch.device("cpu"))) == 2


def test_a_validation_needs_no_more_memory_than_its_step():
    """With many tokens to choose among, whose logits are most of it."""
    vocab_size, device = 50_257, torch.device("cpu")
    config = Config.parse({"model": {"d_model": 32, "num_heads": 2, "num_layers": 1, "context_length": 128}})
    model = build(SavedModel(task="language_modeling", vocab_size=vocab_size, model=config.model))
    ids = torch.randint(vocab_size, (16, 128)).numpy()
    batch = Batch({"input_ids": ids}, ids)
    learner = Learner(model, "language_modeling", config.training)
    with peak_memory(device) as of_step:
        learner.gradient([to_device(batch, device)])
        learner.update(1e-3)
    with peak_memory(device) as of_validation:
        pieces = (to_device(piece, device) for piece in in_measure(batch, vocab_size, device))
        found = evaluate(opened(model, learner.task), pieces)
    assert of_validation.num_bytes < of_step.num_bytes
    whole = evaluate(opened(model, learner.task), [to_device(batch, device)])
    assert found.loss == pytest.approx(whole.loss, rel=1e-6)


def test_nothing_to_predict_is_refused_and_training_mode_comes_back():
    model = Oracle().train()
    with pytest.raises(UserError, match="no labels to predict"):
        evaluate(opened(model, "language_modeling"), [])
    assert model.training


def test_texts():
    pairs = [("a", "the cat sat on the mat"), ("b", "it is five past ten now"), ("c", "nothing at all like this")]
    perfect = evaluate_texts(pairs, lambda sources: [dict(pairs)[source] for source in sources])
    assert (perfect["exact_match"], perfect["bleu"], perfect["chrf"]) == (1.0, pytest.approx(100), pytest.approx(100))
    assert perfect["bleu_signature"].startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert perfect["chrf_signature"].startswith("nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:")
    partly = evaluate_texts(pairs, lambda sources: ["the cat sat on the mat", " it is five past ten now ", "zzz"])
    assert partly["exact_match"] == pytest.approx(2 / 3)
    assert 0 < partly["bleu"] < 100
    assert 0 < partly["chrf"] < 100


def test_answers_are_scored_over_all_and_over_those_that_have_one(model_folder):
    opened = open_model(model_folder("reader"))
    question, context = "fox?", "The quick brown fox"
    found = best_answer(opened, question, context)
    right = Example(question=question, context=context, answer=found or "x", answer_start="0")
    wrong = Example(right, answer="zebra")
    none = Example(right, answer="", answer_start="")
    facts = COMPARISONS["question_answering"](opened, [right, wrong, wrong, none])
    expected = {"answerable_exact_match": bool(found) / 3, "unanswerable_exact_match": float(not found)}
    assert {name: facts[name] for name in expected} == pytest.approx(expected)
    assert facts["exact_match"] == pytest.approx(1 / 4)
    assert facts["f1"] >= facts["exact_match"]
    assert COMPARISONS["question_answering"](opened, [right]).keys() == {
        "exact_match", "f1", "answerable_exact_match", "answerable_f1"
    }  # fmt: skip


def test_completions_are_written_after_whole_prompts_whatever_their_lengths(model_folder, monkeypatch):
    """As long as what belongs there has room after it."""
    opened = open_model(model_folder("decoder"))  # whose context is of 64 tokens
    prompts, asked = ["The", "dog " * 12, "lazy " * 9, "x" * 62, "fox"], {}

    def write(model, tokenizer, group, manner):
        found = write_many(model, tokenizer, group, manner)
        asked.update(
            (each, (manner.max_new_tokens, written.notice)) for each, written in zip(group, found, strict=True)
        )
        return [replace(each, text=prompt[0]) for each, prompt in zip(found, group, strict=True)]

    monkeypatch.setattr(evaluation, "write_many", write)
    texts = ["T" + "a" * 50, "d", "l" + "o" * 17, "x", "f"]
    examples = [Example(prompt=a, text=a + b) for a, b in zip(prompts, texts, strict=True)]
    facts = COMPARISONS["language_modeling"](opened, examples)
    assert facts["exact_match"] == pytest.approx(3 / 5)
    for prompt, text in zip(prompts, texts, strict=True):
        limit, notice = asked[prompt]
        assert len(text) < limit + (prompt[0] == "x")
        assert notice == ""


def test_translations_are_compared_as_texts(model_folder):
    opened = open_model(model_folder("translator"))
    facts = COMPARISONS["translation"](opened, [Example(source="The", target="fox"), Example(source="dog", target="a")])
    assert facts.keys() == {"exact_match", "bleu", "bleu_signature", "chrf", "chrf_signature"}
