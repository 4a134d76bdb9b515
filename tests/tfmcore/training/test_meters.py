"""Metrics agree with what one counts by hand."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from tfmcore.config import TASKS
from tfmcore.data import IGNORED
from tfmcore.models import ModelOutput
from tfmcore.training.batches import DeviceBatch
from tfmcore.training.losses import cross_entropy
from tfmcore.training.meters import METRICS, Perplexity, macro_f1

LABELS = ["B-a", "B-b", "I-a", "O"]


def measured(
    task: str, batches: list[tuple[Tensor, Tensor]], labels: tuple[str, ...] = (), continued=None, **more: Tensor
) -> dict:
    """The metrics of logits and labels, and of further heads' (logits, labels) of every batch."""
    meter, number = METRICS[task](labels, continued=continued), 0
    for logits, right in batches:
        ids = list(range(number, number := number + len(right)))
        output = ModelOutput(hidden=logits, logits=logits, **{name: pair[0] for name, pair in more.items()})
        further = {name: pair[1] for name, pair in more.items()}
        placed = DeviceBatch({}, right, right.numel(), int((right != IGNORED).sum()), ids, further, local_ids=ids)
        nats = cross_entropy(logits, right).nats if task not in ("question_answering",) else torch.zeros(())
        meter.add(output, placed, nats)
    return meter.metrics()


def sure(predicted: list, size: int) -> Tensor:
    """Logits of which the likeliest are the predicted ones."""
    return one_hot(torch.tensor(predicted), size) * 20.0


def test_classification_by_hand():
    predicted, true = [0, 0, 1, 2, 2, 0], torch.tensor([0, 1, 1, 2, 2, 2])
    logits = sure(predicted, 4)
    found = measured("classification", [(logits[:2], true[:2]), (logits[2:], true[2:])])
    assert found["accuracy"] == pytest.approx(4 / 6)
    # F1: class 0 2·1/(3+1), class 1 2·1/(1+2), class 2 2·2/(2+3); class 3 does not occur
    assert found["macro_f1"] == pytest.approx((2 / 4 + 2 / 3 + 4 / 5) / 3)


def test_macro_f1_of_perfect_and_of_hopeless():
    assert macro_f1(torch.diag(torch.tensor([3, 1, 0]))) == 1.0
    assert macro_f1(torch.tensor([[0, 2], [3, 0]])) == 0.0


def test_entities_by_hand():
    """Right: one of the three that there are, of two that were found; what is IGNORED is no word at all."""
    true = [[IGNORED, 0, IGNORED, 2, 3, 1], [IGNORED, 3, 0, IGNORED, IGNORED, IGNORED]]
    predicted = [[0, 0, 0, 2, 3, 3], [0, 1, 3, 0, 0, 0]]
    logits, labels = sure(predicted, 4), torch.tensor(true)
    for batches in ([(logits, labels)], [(logits[:1], labels[:1]), (logits[1:], labels[1:])]):
        found = measured("token_tagging", batches, LABELS, np.zeros(2, bool))
        assert found["accuracy"] == pytest.approx(3 / 6)
        assert (found["entity_precision"], found["entity_recall"]) == (pytest.approx(1 / 2), pytest.approx(1 / 3))
        assert found["entity_f1"] == pytest.approx(2 / 5)


@pytest.mark.parametrize("labels", [["I-a", "I-b", "O", "O-x"], ["E-a", "S-a", "O", "U-b"]])
def test_entities_of_any_scheme_are_counted(labels):
    batches = [(sure([[0, 1, 2, 2]], 4), torch.tensor([[0, 1, 2, 0]]))]
    found = measured("token_tagging", batches, labels, np.zeros(1, bool))
    assert found["entity_precision"] == 1.0
    assert found["entity_recall"] == pytest.approx(2 / 3)


def test_an_entity_that_goes_on_in_the_next_window_is_one():
    """But not in that of another text, nor in one before which nothing was seen."""
    windows = [([3, 0], [3, 0]), ([2, 3], [2, 3]), ([2, 0], [2, 0]), ([2, 1], [3, 1])]
    for seen, counts in ((range(4), (3, 4, 4)), ((0, 3), (2, 3, 2)), ((1, 0), (1, 1, 1))):
        meter = METRICS["token_tagging"](LABELS, continued=np.array([False, True, False, True]))
        for number in seen:
            logits, right = sure([windows[number][0]], 4), torch.tensor([windows[number][1]])
            batch = DeviceBatch({}, right, right.numel(), right.numel(), [number], local_ids=[number])
            meter.add(ModelOutput(hidden=logits, logits=logits), batch, torch.zeros(()))
        found, (hits, num_predicted, num_true) = meter.metrics(), counts
        assert found["entity_precision"] == pytest.approx(hits / num_predicted), seen
        assert found["entity_recall"] == pytest.approx(hits / num_true), seen


@pytest.mark.parametrize("task", ["language_modeling", "translation"])
def test_an_example_is_exact_where_all_its_labels_are_predicted(task):
    """One that has no labels counts for nothing, and in running text there are no examples."""
    logits = sure([[0, 1], [0, 1], [0, 1]], 4)
    batches = [(logits, torch.tensor([[IGNORED, 1], [1, 1], [IGNORED, IGNORED]])), (logits[:1], torch.tensor([[0, 1]]))]
    assert measured(task, batches, continued=np.zeros(4, bool))["exact_match"] == pytest.approx(2 / 3)
    assert "exact_match" not in measured(task, batches)


def test_labels_that_are_no_entities_have_their_accuracy_only():
    found = measured("token_tagging", [(sure([[0, 1]], 2), torch.tensor([[0, 0]]))], ["NOUN", "VERB"])
    assert found == {"accuracy": 0.5}


def test_places_by_hand():
    """Exactly right; two of three tokens shared; nothing shared; and the end before the start, which is nothing."""
    true = torch.tensor([[2, 4], [3, 4], [0, 0], [5, 6]])
    starts, ends = [2, 2, 3, 6], [4, 4, 5, 5]
    logits = torch.stack([sure(starts, 8), sure(ends, 8)], -1)  # (B, T, 2)
    found = measured("question_answering", [(logits, true)])
    assert found["place_accuracy"] == 1 / 4
    assert found["place_f1"] == pytest.approx((1 + 2 * 2 / (3 + 2) + 0 + 0) / 4)


def test_a_further_head_is_counted_and_its_loss_is_not_the_perplexity_s():
    logits, right = torch.zeros(2, 3, 5), torch.tensor([[1, IGNORED, IGNORED], [IGNORED, 0, 0]])
    following = sure([0, 1], 2), torch.tensor([0, 0])
    found = measured("masked_language_modeling", [(logits, right)], next_sentence_logits=following)
    assert found["next_sentence_accuracy"] == 0.5
    assert found["perplexity"] == pytest.approx(5)
    assert found["accuracy"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("task", [task for task in TASKS if issubclass(METRICS[task], Perplexity)])
def test_perplexity_is_e_to_the_loss(task):
    torch.manual_seed(0)
    logits, right = torch.randn(4, 6, 9), torch.randint(0, 9, (4, 6))
    right[0, 1:] = right[3] = IGNORED
    found = measured(task, [(logits[:1], right[:1]), (logits[1:], right[1:])])
    assert found["perplexity"] == pytest.approx(math.exp(torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), right.flatten(), ignore_index=IGNORED
    ).item()))  # fmt: skip
    assert set(found) == {"perplexity", "accuracy"}


def test_bits_per_byte_by_hand():
    """Each of four tokens costs log2(4) = 2 bits; three are predicted, of 1, 3 and 0 bytes, in two batches."""
    meter = METRICS["language_modeling"](token_bytes=np.array([9, 1, 3, 0]))
    for right in (torch.tensor([[1, IGNORED], [2, IGNORED]]), torch.tensor([[3]])):
        logits, num_labels = torch.zeros(*right.shape, 4), int((right != IGNORED).sum())
        output, placed = ModelOutput(hidden=logits, logits=logits), DeviceBatch({}, right, 0, num_labels, [])
        meter.add(output, placed, cross_entropy(logits, right).nats)
    assert meter.metrics()["bits_per_byte"] == pytest.approx(3 * 2 / (1 + 3))


def test_a_perplexity_beyond_numbers_is_large():
    found = measured("language_modeling", [(sure([[0]], 2) * 100, torch.tensor([[1]]))])
    assert 1e300 < found["perplexity"] < math.inf
