"""Where CUDA knows a GPU: it learns what a processor learns, waits for nothing, and needs the memory that was told."""

import gc
import itertools
import math

import pytest
import torch

from tests.tfmcore.gpu import needs_gpu
from tests.tfmcore.training.compilers import of_torch_itself
from tfmcore.config import ModelConfig, SavedModel, find_preset
from tfmcore.config.compilers import missing_compiler
from tfmcore.config.cuda import has_cuda
from tfmcore.config.estimate import estimate
from tfmcore.config.memory import training_memory
from tfmcore.data import IGNORED
from tfmcore.inference.beams import search_beams
from tfmcore.inference.decoding import Window, finish, write_batch
from tfmcore.inference.quantization import prepared
from tfmcore.inference.reading import read_source
from tfmcore.messages import Command, Noticed, Started, Stepped
from tfmcore.models import build
from tfmcore.runs import Run, RunState
from tfmcore.training.batches import to_device
from tfmcore.training.ingredients import dataset_of
from tfmcore.training.learner import Learner
from tfmcore.training.losses import loss_and_gradient, loss_and_gradient_on
from tfmcore.training.measure import random_batch, try_batch
from tfmcore.training.process import run_trainer
from tfmcore.training.trainer import train

pytestmark = needs_gpu
GPU = torch.device("cuda")
needs_triton = pytest.mark.skipif(bool(missing_compiler("cuda")), reason=missing_compiler("cuda") or "all is there")
KINDS = ["nano-decoder", "nano-encoder", "nano-seq2seq"]
DISENTANGLED = ["model.position=disentangled", "model.attention_bias=true", "model.norm=layer"]
PLAIN = ["model.dropout=0", "training.batch_size=4"]


def learner_of(config, vocab_size: int, device: torch.device = GPU) -> Learner:
    torch.manual_seed(0)
    model = build(SavedModel(task=config.data.task, vocab_size=vocab_size, model=config.model))
    return Learner(model.train().to(device), config.data.task, config.training)


def losses_on(device: torch.device, config, dataset, steps: int = 20) -> list[float]:
    learner, found = learner_of(config, dataset.tokenizer.vocab_size, device), []
    for batch in itertools.islice(dataset.train.batches(4, 0), steps):
        loss, _ = learner.gradient([to_device(batch, device)])
        learner.update(1e-3)
        found.append(loss)
    return found


@pytest.mark.parametrize("preset", KINDS)
@pytest.mark.parametrize(
    ("precision", "near"), [("fp32", 1e-4), ("tf32", 5e-3), ("bf16", 2e-2), ("fp16", 1e-2)], ids=lambda word: str(word)
)
def test_it_learns_what_a_processor_learns(make_run, preset, precision, near):
    run = make_run(preset, *PLAIN)
    config = run.config()
    dataset, _ = dataset_of(config, run, None, lambda *_: None)
    plain = losses_on(torch.device("cpu"), config, dataset)
    found = losses_on(GPU, config.replaced(training__precision=precision), dataset)
    assert found == pytest.approx(plain, rel=near)


def test_fp32_products_are_whole_and_tf32_ones_are_rounded(tiny):
    a = torch.randn(256, 256, device=GPU)
    exact, errors = a.double() @ a.double(), {}
    for precision in ("fp32", "tf32", "fp32"):
        with learner_of(tiny("nano-decoder", f"training.precision={precision}"), 30).precision.forward():
            errors[precision] = ((a @ a) - exact).abs().max().item()
    assert errors["fp32"] < 1e-3 < errors["tf32"]


@pytest.mark.parametrize("preset", KINDS)
def test_fp16_trains_with_its_scale_and_leaves_out_what_overflows(make_run, preset):
    run = make_run(preset, *PLAIN, "training.device=cuda", "training.precision=fp16", "training.steps=30")
    events = list(train(run.config(), run.folder))
    steps = [event for event in events if isinstance(event, Stepped)]
    overflows = [event for event in events if isinstance(event, Noticed) and event.what == "overflow"]
    assert len(steps) >= 20
    assert len(steps) == 30 or overflows
    assert sum(event.loss for event in steps[-5:]) < sum(event.loss for event in steps[:5])
    assert run.state() is RunState.FINISHED


@pytest.mark.parametrize("position", ["rotary", "learned", "sinusoidal", "alibi", "relative_buckets", "disentangled"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("preset", KINDS)
def test_a_step_does_not_wait_for_the_device(tiny, preset, precision, position):
    """From its batch to its update nothing is asked of the GPU; loss and norm come when they are there."""
    of_position = DISENTANGLED if position == "disentangled" else [f"model.position={position}"]
    config = tiny(preset, *PLAIN, *of_position, f"training.precision={precision}")
    learner, batch = learner_of(config, 40), random_batch(config, 40, torch.device("cpu"))
    inputs = {name: tensor.pin_memory() for name, tensor in batch.inputs.items()}
    labels = batch.labels.pin_memory()
    for watched in ("default", "error"):  # what is set up once may wait
        torch.cuda.set_sync_debug_mode(watched)
        try:
            placed = type(batch)(
                {name: tensor.to(GPU, non_blocking=True) for name, tensor in inputs.items()},
                labels.to(GPU, non_blocking=True), batch.num_tokens, batch.num_labels, [],
            )  # fmt: skip
            coming = learner.begin([placed])
            learner.update(1e-3)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        assert all(math.isfinite(number) and number for number in coming.read())


@pytest.mark.fault(19)
def test_a_step_that_is_no_number_is_left_out_by_the_gpu_itself(tiny):
    config = tiny("nano-decoder", *PLAIN)
    learner, batch = learner_of(config, 40), random_batch(config, 40, GPU)
    assert learner.is_guarded
    first = [weight.clone() for weight in learner.weights]
    learner.gradient([batch])
    learner.update(1e-3)
    assert not any(torch.equal(a, b) for a, b in zip(first, learner.weights, strict=True))
    before = [weight.clone() for weight in learner.weights]
    hook = learner.weights[0].register_hook(lambda gradient: gradient * math.inf)
    assert not math.isfinite(learner.gradient([batch])[1])
    learner.update(1e-3)
    assert all(torch.equal(a, b) for a, b in zip(before, learner.weights, strict=True))
    hook.remove()
    assert all(map(math.isfinite, learner.gradient([batch])))


SIZED = ["model.d_model=512", "model.num_heads=8", "model.num_layers=6", "model.context_length=512"]
SIZES = {
    "decoder": ("nano-decoder", [*SIZED, "training.batch_size=16"], 8000),
    "decoder in bf16": ("nano-decoder", [*SIZED, "training.batch_size=16", "training.precision=bf16"], 8000),
    "checkpointed": (
        "nano-decoder", [*SIZED, "training.batch_size=64", "training.gradient_checkpointing=true"], 8000
    ),
    "encoder with dropout": ("bert-mini", [*SIZED, "training.batch_size=16", "training.precision=bf16"], 8000),
    "large vocabulary": ("nano-seq2seq", [*SIZED, "model.context_length=128", "training.batch_size=32"], 50_257),
    "GPT-2": (
        "nano-decoder",
        [
            "model.d_model=768", "model.num_heads=12", "model.num_layers=12", "model.context_length=1024",
            "model.position=learned", "model.norm=layer", "model.activation=gelu", "model.attention_bias=true",
            "training.batch_size=16", "training.precision=bf16",
        ],
        50_257,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("preset", "overrides", "vocab_size"), SIZES.values(), ids=SIZES)
def test_the_estimate_of_memory_is_within_a_fifth(preset, overrides, vocab_size):
    config = find_preset(preset).config([*overrides, "training.device=cuda"])
    expected = training_memory(estimate(config.model, vocab_size, config.data.task), config.training)
    trial = try_batch(config, vocab_size, steps=1)
    assert sum(expected.values()) == pytest.approx(trial.num_bytes, rel=0.2), expected


def test_a_gpu_is_known_without_torch():
    assert has_cuda()


@pytest.mark.parametrize("preset", KINDS)
def test_a_run_takes_it_and_resumes_as_if_it_had_not_stopped(tiny, tmp_path, preset):
    found = []
    for name, stops in (("whole", False), ("in parts", True)):
        config = tiny(preset, "training.device=auto", "model.dropout=0.1", "training.compile=never")
        run = Run.create(tmp_path / name, config, name)
        events = []
        for _ in range(2 if stops else 1):
            for event in train(run.config(), run.folder):
                events.append(event)
                if stops and isinstance(event, Stepped) and event.step == 2:
                    run.command(Command(kind="stop"))
        assert next(event for event in events if isinstance(event, Started)).device == "cuda"
        found.append([(event.step, event.loss) for event in events if isinstance(event, Stepped)])
    assert [step for step, _ in found[0]] == list(range(1, 7))
    assert [loss for _, loss in found[1]] == pytest.approx([loss for _, loss in found[0]], rel=1e-4)


@pytest.mark.fault(20)
def test_too_little_of_its_memory_says_how_much_and_what_would_fit(make_run):
    """A process that may have 3 % of it; what is said would fit then fits."""
    large = ["model.d_model=512", "model.num_layers=8", "model.context_length=512", "training.batch_size=256"]
    run = make_run("nano-decoder", *large, "training.device=cuda", "training.steps=2", "training.compile=never")
    torch.cuda.set_per_process_memory_fraction(0.03)
    try:
        ended = run_trainer(run, lambda _: None)
        assert "memory ran out after step 0" in ended.sentence
        assert "could not allocate another" in ended.sentence
        assert ended.remedy[0].startswith("training.batch_size=")
        gc.collect()
        torch.cuda.empty_cache()
        run.change(ended.remedy)
        assert run_trainer(run, lambda _: None).state is RunState.FINISHED
        assert [event.step for event in run.events() if isinstance(event, Stepped)] == [1, 2]
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


@needs_triton
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize(("num_classes", "num_columns"), [(65, 65), (5000, 5000), (50_257, 50_304)])
def test_the_kernel_judges_as_what_it_stands_for(dtype, label_smoothing, num_classes, num_columns):
    """Also of labels that are ignored, and whatever stands in columns that mean nothing."""
    torch.manual_seed(0)
    logits = (torch.randn(50, num_columns, device=GPU) * 4).to(dtype)
    logits[:, num_classes:] = 30.0
    labels = torch.randint(num_classes, (50,), device=GPU)
    labels[[3, 20]], labels[5] = IGNORED, num_classes - 1
    sums, gradient = loss_and_gradient(logits.clone(), labels, label_smoothing, num_classes)
    found, in_place = loss_and_gradient_on("cuda")(logits, labels, label_smoothing, num_classes)
    assert loss_and_gradient_on("cuda") is not loss_and_gradient
    assert in_place is logits
    torch.testing.assert_close(torch.stack(found), torch.stack(sums), rtol=1e-5, atol=0)
    near = 1e-6 if dtype == torch.float32 else 4e-3
    torch.testing.assert_close(in_place, gradient, rtol=near, atol=near)
    assert not in_place[3].any()
    assert not in_place[:, num_classes:].any()


@of_torch_itself
@pytest.mark.parametrize("preset", KINDS)
def test_a_compiled_run_learns_the_same(make_run, preset):
    losses = []
    for way in ("never", "always"):
        run = make_run(preset, *PLAIN, "training.device=cuda", f"training.compile={way}", "training.precision=bf16")
        run = Run.create(run.folder.parent / way, run.config(), way)
        events = list(train(run.config(), run.folder))
        losses.append([event.loss for event in events if isinstance(event, Stepped)])
    assert losses[1] == pytest.approx(losses[0], rel=1e-2)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("position", ["rotary", "learned", "alibi", "relative_buckets"])
@pytest.mark.parametrize("kind", ["decoder", "encoder_decoder"])
def test_it_writes_what_a_processor_writes(kind, position, precision):
    """Beyond the context too, step by step as it has recorded them, and several texts at once."""
    config = ModelConfig(
        architecture=kind, d_model=32, num_heads=4, num_layers=2, context_length=24, dropout=0.0, position=position
    )
    torch.manual_seed(0)
    task = "translation" if kind == "encoder_decoder" else "language_modeling"
    model = build(SavedModel(task=task, vocab_size=50, model=config)).eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, 0.0, 0.4)
    prompt, new = [3, 4, 5], 20 if kind == "encoder_decoder" else 40
    logits = {}
    with torch.inference_mode():
        for device in (torch.device("cpu"), GPU):
            ready = prepared(model.to(device), precision if device == GPU else "fp32")
            source = torch.tensor([[7, 8, 9]], device=device)
            window = Window(ready, 24, read_source(ready, source) if kind == "encoder_decoder" else None)
            found = [window.read(prompt)]
            recorded = []
            for number in range(new):
                found.append(window.read([1 + number % 40]))
                recorded.append(bool(window.reader.recorded))
            logits[device.type] = torch.stack(found)
            assert any(recorded)
    near = 1e-3 if precision == "fp32" else 0.1
    difference = (logits["cpu"] - logits["cuda"]).abs().mean() / logits["cpu"].abs().mean()
    assert difference < near
    if kind == "decoder":
        beams = [
            [beam.ids for beam in finish(search_beams(model.to(device), prompt, num_beams=3, max_new_tokens=16))]
            for device in (torch.device("cpu"), GPU)
        ]
        assert beams[0] == beams[1]
        texts = [
            write_batch(model.to(device), [[3, 4, 5], [7, 8]], max_new_tokens=12)
            for device in (torch.device("cpu"), GPU)
        ]
        assert texts[0] == texts[1]
