"""One loss for every task."""

import pytest
import torch
from torch.nn import functional as F

from tfmcore.data import IGNORED
from tfmcore.training.losses import cross_entropy


@pytest.mark.parametrize("shape", [(5,), (3, 7)])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_agrees_with_torch_and_ignores_padding(shape, smoothing):
    torch.manual_seed(0)
    logits, labels = torch.randn(*shape, 11, requires_grad=True), torch.randint(0, 11, shape)
    labels[..., -2:] = IGNORED
    objective, nats = cross_entropy(logits, labels, smoothing)
    flat = logits.flatten(0, -2), labels.flatten()
    expected = F.cross_entropy(*flat, ignore_index=IGNORED, reduction="sum", label_smoothing=smoothing)
    torch.testing.assert_close(objective, expected)
    torch.testing.assert_close(nats, F.cross_entropy(*flat, ignore_index=IGNORED, reduction="sum"))
    [ours] = torch.autograd.grad(objective, logits)
    [theirs] = torch.autograd.grad(expected, logits)
    torch.testing.assert_close(ours, theirs)
    assert ours[..., -2:, :].abs().sum() == 0


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_nothing_to_predict_is_zero_and_finite(smoothing):
    logits = torch.randn(2, 3, 5, requires_grad=True)
    objective, nats = cross_entropy(logits, torch.full((2, 3), IGNORED), smoothing)
    objective.backward()
    assert (objective.item(), nats.item(), logits.grad.abs().sum().item()) == (0, 0, 0)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_further_logits_of_minus_infinity_are_no_classes(smoothing):
    torch.manual_seed(0)
    logits, labels = torch.randn(4, 11, requires_grad=True), torch.tensor([3, IGNORED, 0, 10])
    more = torch.cat((logits, torch.full((4, 5), float("-inf"))), -1)
    one, other = cross_entropy(logits, labels, smoothing), cross_entropy(more, labels, smoothing, num_classes=11)
    torch.testing.assert_close(one, other)
    torch.testing.assert_close(*(torch.autograd.grad(sums.objective, logits)[0] for sums in (one, other)))


def test_half_precision_is_summed_in_full():
    logits, labels = torch.randn(64, 50).bfloat16(), torch.randint(0, 50, (64,))
    assert cross_entropy(logits, labels)[0].dtype == torch.float32
