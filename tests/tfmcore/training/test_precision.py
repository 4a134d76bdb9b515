"""Half as long numbers: the same learning, and a step that does not fit them is left out."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from tfmcore.config import Config, SavedModel
from tfmcore.messages import Changed, Command, Evaluated, Noticed, Started, Stepped, Warned
from tfmcore.models import build
from tfmcore.runs import Run
from tfmcore.training.learner import Learner
from tfmcore.training.measure import random_batch
from tfmcore.training.precision import PRECISIONS, Float16
from tfmcore.training.trainer import train

V = 40


def learner_of(config: Config) -> Learner:
    torch.manual_seed(0)
    saved = SavedModel(task=config.data.task, vocab_size=V, model=config.model)
    return Learner(build(saved).train(), config.data.task, config.training)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("preset", ["nano-decoder", "nano-encoder", "nano-seq2seq"])
def test_each_learns_the_same(tiny, preset, precision):
    losses = []
    for chosen in ("fp32", precision):
        learner = learner_of(config := tiny(preset, f"training.precision={chosen}"))
        torch.manual_seed(1)
        batch = random_batch(config, V, torch.device("cpu"))
        for _ in range(5):
            loss, _ = learner.gradient([batch])
            learner.update(1e-2)
        losses.append(loss)
        with learner.precision.forward():
            product = torch.ones(2, 2) @ torch.ones(2, 2)
        assert product.dtype == (learner.precision.dtype or torch.float32)
        assert all(weight.dtype == torch.float32 for weight in learner.weights)
    assert losses[1] == pytest.approx(losses[0], abs=0.02)


def test_a_gradient_too_large_for_fp16_is_left_out_and_the_scale_falls():
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer, precision = torch.optim.AdamW([weight], lr=0.1), Float16(torch.device("cpu"))
    for factor, left_out in ((1e38, True), (1.0, False)):
        before, scale = weight.detach().clone(), precision.scale
        precision.backward((weight * factor).sum())
        precision.unscale(optimizer)
        assert bool(weight.grad.isinf().any()) is left_out
        precision.step(optimizer)
        optimizer.zero_grad()
        assert precision.overflowed is left_out
        assert torch.equal(weight, before) is left_out
        assert precision.scale == (scale / 2 if left_out else scale)


def test_a_run_says_so_and_goes_on_with_its_scale(tiny, tmp_path, monkeypatch):
    """The initial scale is so large that the first gradients cannot be kept."""
    made = torch.amp.GradScaler
    monkeypatch.setattr(torch.amp, "GradScaler", lambda device: made(device, init_scale=2.0**127))
    config = tiny("nano-decoder", "training.precision=fp16", "training.steps=12", "training.save_every=4")
    run, events = tmp_path / "run", []
    for event in train(config, run):
        events.append(event)
        if event.step == 6 and isinstance(event, Stepped | Changed):
            Run(run).command(Command(kind="stop"))
    scales = [event.value for event in events if isinstance(event, Changed)]
    assert [event.loss_scale for event in events if isinstance(event, Started)] == [2.0**127]
    assert scales == [2.0 ** (127 - n) for n in range(1, len(scales) + 1)]
    assert any("overflowed in fp16" in event.sentence for event in events if isinstance(event, Noticed))
    last = events[-1].step
    again = list(train(config, run))
    assert [event.loss_scale for event in again if isinstance(event, Started)] == scales[-1:]
    later = [event.value for event in again if isinstance(event, Changed)]
    assert later[:1] == [scales[-1] / 2][: len(later)]
    assert again[-1].step == 12 > last


@pytest.mark.parametrize(("precision", "has"), [("bf16", "HAS_BF16"), ("fp16", "HAS_FP16")])
def test_a_run_says_what_the_processor_has_not(tiny, tmp_path, monkeypatch, precision, has):
    config = tiny("nano-decoder", f"training.precision={precision}", "training.steps=2")
    for there_is in (True, False):
        monkeypatch.setattr(f"tfmcore.nn.kernels.linear.{has}", there_is)
        said = [event.sentence for event in train(config, tmp_path / str(there_is)) if isinstance(event, Warned)]
        assert any(f"no {precision} matrix products" in sentence for sentence in said) is not there_is


def test_bf16_on_a_processor_without_it_is_fp32_to_the_bit(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("tfmcore.nn.kernels.linear.HAS_BF16", False)
    losses = [
        [event.loss for event in train(tiny("nano-decoder", f"training.precision={precision}"), tmp_path / precision)
         if isinstance(event, Stepped)]
        for precision in ("fp32", "bf16")
    ]  # fmt: skip
    assert losses[0] == losses[1] != []


def test_bf16_reaches_the_same_validation_loss(tiny, tmp_path):
    """`tests.bench.precision_loss` shows the same for longer, on tiny Shakespeare."""
    size = ("model.d_model=32", "model.num_layers=2", "training.batch_size=16", "training.learning_rate=1e-3")
    length = ("training.steps=250", "training.eval_every=250", "training.eval_batches=20", "training.warmup_steps=20")
    losses = {}
    for precision in ("fp32", "bf16"):
        config = tiny("nano-decoder", *size, *length, f"training.precision={precision}")
        events = list(train(config, tmp_path / precision))
        losses[precision] = next(event.loss for event in events if isinstance(event, Evaluated))
    first = next(event.loss for event in events if isinstance(event, Stepped))
    assert losses["fp32"] < first - 1.0, "it has learned"
    assert losses["bf16"] == pytest.approx(losses["fp32"], abs=0.01)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_what_a_thread_computes_is_its_own(precision, monkeypatch):
    """Else its gradient, to the bit, depends on what others do meanwhile."""
    monkeypatch.setattr("tfmcore.nn.kernels.linear.HAS_BF16", True)  # on any processor
    numbers, weight = PRECISIONS[precision](torch.device("cpu")), torch.nn.Parameter(torch.ones(2, 2))

    def result():
        with numbers.forward():
            return torch.nn.functional.linear(torch.ones(1, 2), weight)

    def nodes(node):
        return {node} | {n for after, _ in node.next_functions if after for n in nodes(after)}

    with numbers.forward(), ThreadPoolExecutor(1) as thread:
        ours, others = result(), thread.submit(result).result()
    common = nodes(ours.grad_fn) & nodes(others.grad_fn)
    assert {type(node).__name__ for node in common} == {"AccumulateGrad"}
