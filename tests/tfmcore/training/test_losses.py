"""One loss for every task."""

import pytest
import torch
from torch.nn import functional as F

from tfmcore.data import IGNORED
from tfmcore.training.losses import cross_entropy, loss_and_gradient


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
@pytest.mark.parametrize("further", [0, 5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_judge_says_the_gradient_too(smoothing, further, dtype):
    torch.manual_seed(0)
    logits = (torch.randn(4, 11) * 5).to(dtype).requires_grad_()
    labels = torch.tensor([3, IGNORED, 0, 10])
    expected = cross_entropy(logits, labels, smoothing)
    [of_logits] = torch.autograd.grad(expected.objective, logits)
    more = torch.cat((logits.detach(), torch.randn(4, further)), -1).to(dtype)
    sums, found = loss_and_gradient(more, labels, smoothing, 11)
    torch.testing.assert_close(sums, expected)
    torch.testing.assert_close(found[:, :11], of_logits)
    assert found.dtype == dtype
    assert not found[:, 11:].any()


def test_half_precision_is_summed_in_full():
    logits, labels = torch.randn(64, 50).bfloat16(), torch.randint(0, 50, (64,))
    assert cross_entropy(logits, labels)[0].dtype == torch.float32
