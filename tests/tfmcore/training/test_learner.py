"""A step is the same however its batch is cut, and however its layers are kept."""

import pytest
import torch

from tfmcore.config import SavedModel, memory
from tfmcore.models import build
from tfmcore.nn import heads
from tfmcore.training import losses
from tfmcore.training.batches import DeviceBatch, to_device
from tfmcore.training.ingredients import dataset_of
from tfmcore.training.learner import Learner

PRESETS = ["nano-decoder", "nano-encoder", "nano-seq2seq", "tell-languages", "tag-sentences", "answer-questions"]


@pytest.fixture(params=PRESETS)
def case(request, tiny, make_run):
    """A learner's maker, and twelve examples of its data."""
    run = make_run(request.param, "training.batch_size=12")
    config = run.config()
    dataset, _ = dataset_of(config, run, None, lambda *_: None)
    batch = next(dataset.train.batches(12, 0))

    def make(**training: object) -> Learner:
        torch.manual_seed(0)
        saved = SavedModel(
            task=config.data.task, vocab_size=dataset.tokenizer.vocab_size, model=config.model, labels=dataset.labels
        )
        return Learner(build(saved).train(), config.data.task, config.training.model_copy(update=training))

    return make, batch


def gradients(learner: Learner, batches: list[DeviceBatch]) -> list[torch.Tensor]:
    learner.gradient(batches)
    return [weight.grad.clone() for weight in learner.weights if weight.grad is not None]


def parts(batch, size):
    """The batch in pieces of `size` sequences."""
    for start in range(0, len(batch.labels), size):
        rows = slice(start, start + size)
        yield to_device(
            type(batch)(
                {name: array[rows] for name, array in batch.inputs.items()},
                batch.labels[rows],
                batch.example_ids[rows],
                {name: array[rows] for name, array in batch.further.items()},
            ),
            torch.device("cpu"),
        )


def test_accumulation_equals_the_large_batch(case):
    make, batch = case
    whole, pieces = gradients(make(), list(parts(batch, 12))), gradients(make(), list(parts(batch, 3)))
    for one, other in zip(whole, pieces, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("most", [2**24, 1500], ids=["one piece", "pieces"])
@pytest.mark.parametrize("missing", [0, 5], ids=["as it is", "further rows"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_logits_piece_by_piece_give_the_same_gradients(case, monkeypatch, label_smoothing, missing, most):
    make, batch = case
    at_once = gradients(make(label_smoothing=label_smoothing), list(parts(batch, 12)))
    monkeypatch.setattr(losses, "FEW_LOGITS", 0)
    monkeypatch.setattr(heads, "missing_rows", lambda x, weight: missing)
    monkeypatch.setitem(memory.MOST_LOGITS, "cpu", most)
    piecewise = gradients(make(label_smoothing=label_smoothing), list(parts(batch, 12)))
    for one, other in zip(at_once, piecewise, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


def test_only_what_is_predicted_is_looked_at(case):
    """As if all logits were made: the plain way, from the model's own output."""
    make, batch = case
    learner, [placed] = make(), parts(batch, 12)
    loss, _ = learner.gradient([placed])
    output = learner.objective.model(**placed.inputs)
    plain = losses.LOSSES[learner.task](vars(output), placed, 0.0).nats.item() / placed.num_labels
    assert loss == pytest.approx(plain, rel=1e-5)
