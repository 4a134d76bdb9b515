"""Metrics agree with what one counts by hand."""

import math

import pytest
import torch
from torch import Tensor, nn

from tfmcore.config import TASKS, UserError
from tfmcore.data import IGNORED
from tfmcore.models import ModelOutput
from tfmcore.training.batches import Placed
from tfmcore.training.evaluation import evaluate, evaluate_texts
from tfmcore.training.meters import METRICS, macro_f1


class Oracle(nn.Module):
    """Answers with the logits that it is given."""

    device = torch.device("cpu")

    def forward(self, logits: Tensor) -> ModelOutput:
        assert not self.training
        return ModelOutput(hidden=logits, logits=logits)


def batch(logits: Tensor, labels: Tensor) -> Placed:
    return Placed({"logits": logits}, labels, labels.numel(), int((labels != IGNORED).sum()), [])


def test_every_task_has_metrics():
    assert METRICS.keys() == TASKS.keys()


def test_classification_by_hand():
    predicted, truth = [0, 0, 1, 2, 2, 0], [0, 1, 1, 2, 2, 2]
    logits = torch.nn.functional.one_hot(torch.tensor(predicted), 4) * 20.0
    labels = torch.tensor(truth)
    halves = [batch(logits[:2], labels[:2]), batch(logits[2:], labels[2:])]
    found = evaluate(Oracle(), halves, "classification")
    assert found.num_labels == 6
    assert found.metrics["accuracy"] == pytest.approx(4 / 6)
    # F1: class 0 2·1/(3+1), class 1 2·1/(1+2), class 2 2·2/(2+3); class 3 does not occur
    assert found.metrics["macro_f1"] == pytest.approx((2 / 4 + 2 / 3 + 4 / 5) / 3)


@pytest.mark.parametrize("task", ["language_modeling", "masked_language_modeling", "translation"])
def test_tokens_are_weighted_alike_whatever_batch_they_are_in(task):
    torch.manual_seed(0)
    logits, labels = torch.randn(4, 6, 9), torch.randint(0, 9, (4, 6))
    labels[0, 1:] = labels[3] = IGNORED
    whole = evaluate(Oracle(), [batch(logits, labels)], task)
    parts = evaluate(Oracle(), [batch(logits[:1], labels[:1]), batch(logits[1:], labels[1:])], task)
    kept = labels != IGNORED
    assert parts.loss == pytest.approx(whole.loss)
    assert whole.loss == pytest.approx(nn.functional.cross_entropy(logits[kept], labels[kept]).item())
    accuracy = (logits.argmax(-1) == labels)[kept].double().mean().item()
    assert parts.metrics == pytest.approx(whole.metrics)
    assert accuracy in [pytest.approx(value) for value in whole.metrics.values()]
    if "perplexity" in whole.metrics:
        assert whole.metrics["perplexity"] == pytest.approx(math.exp(whole.loss))


def test_nothing_to_predict_is_refused_and_training_mode_comes_back():
    model = Oracle().train()
    with pytest.raises(UserError, match="nothing to predict"):
        evaluate(model, [], "language_modeling")
    assert model.training


def test_macro_f1_of_perfect_and_of_hopeless():
    assert macro_f1(torch.diag(torch.tensor([3, 1, 0]))) == 1.0
    assert macro_f1(torch.tensor([[0, 2], [3, 0]])) == 0.0


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
