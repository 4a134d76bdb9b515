"""Threads that take shares of a batch come to what one thread comes to, and to the same each time."""

import threading

import pytest
import torch

from tests.tfmcore.training.compilers import needs_compiler, of_torch_itself
from tfmcore.config import Config, SavedModel, UserError, shares
from tfmcore.config.shares import num_shares, num_threads
from tfmcore.data import IGNORED, Batch
from tfmcore.messages import Saved, Warned
from tfmcore.models import build
from tfmcore.runs import RunState
from tfmcore.training.batches import shares_of, to_device
from tfmcore.training.ingredients import dataset_of
from tfmcore.training.learner import Learner
from tfmcore.training.losses import LOSSES
from tfmcore.training.parallel.strategy import Strategy
from tfmcore.training.parallel.threads import Threads
from tfmcore.training.trainer import train

PRESETS = [
    "nano-decoder", "nano-encoder", "nano-seq2seq", "tell-languages", "tag-sentences", "answer-questions",
    "bert-mini", "deberta-mini", "llama-mini",
]  # fmt: skip
NUM_STEPS = 20
CPU = torch.device("cpu")
BATCH = 5
"""Rows that do not come out even."""


@pytest.fixture(autouse=True)
def threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def steps(make_run):
    """Takes steps with so many shares; their losses and norms, and the weights in the end."""

    def take(preset, count, *words, size=BATCH, accumulation=2, way=None):
        run = make_run(preset, f"training.shares={max(1, count)}", *words)
        config = run.config()
        dataset, _ = dataset_of(config, run, None, lambda *_: None)
        torch.set_num_threads(max(1, count))
        torch.manual_seed(0)
        tokens, labels = dataset.tokenizer.vocab_size, dataset.labels
        model = build(SavedModel(task=config.data.task, vocab_size=tokens, model=config.model, labels=labels))
        learner = Learner(model.train(), config.data.task, config.training)
        assert type(learner.parallel) is (Threads if count > 1 else Strategy)
        if way:
            learner.compiled.begin(way)
        batches = (to_device(batch, CPU) for batch in dataset.train.batches(size, 0))
        found = []
        for _ in range(NUM_STEPS):
            loss, norm = learner.gradient([next(batches) for _ in range(accumulation)])
            learner.update(1e-3)
            found.append((loss, norm))
        assert torch.get_num_threads() == max(1, count)
        return torch.tensor(found), [weight.detach().clone() for weight in learner.weights]

    return take


@pytest.mark.parametrize("preset", PRESETS)
def test_the_losses_are_those_of_whole_batches(steps, preset):
    whole, _ = steps(preset, 1, "model.dropout=0.0")
    shared, _ = steps(preset, 2, "model.dropout=0.0")
    torch.testing.assert_close(shared, whole, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_shares_of_any_size_come_to_the_same(steps, rows):
    whole, _ = steps("nano-encoder", 1, "model.dropout=0.0", size=rows)
    shared, _ = steps("nano-encoder", 3, "model.dropout=0.0", size=rows)
    torch.testing.assert_close(shared, whole, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("preset", ["nano-decoder", "bert-mini", "t5-mini"])
def test_they_come_to_the_same_bit_for_bit_each_time(steps, preset, precision):
    """With dropout, too, though whoever is first draws first from what threads share."""
    words = ("model.dropout=0.2", f"training.precision={precision}")
    (losses, weights), *others = (steps(preset, 3, *words) for _ in range(3))
    for again, others_weights in others:
        assert torch.equal(again, losses)
        assert all(map(torch.equal, others_weights, weights))


@needs_compiler
@of_torch_itself
@pytest.mark.timeout(300)  # a busy machine compiles for long
@pytest.mark.parametrize(("way", "preset", "precision", "near", "more"), [
    ("stacks", "nano-decoder", "fp32", 1e-5, []), ("stacks", "nano-decoder", "bf16", 0.02, []),
    ("layers", "reverse", "fp32", 1e-5, ["data.min_length=9", "data.max_length=9"]),
])  # fmt: skip
def test_compiled_they_come_to_the_same(steps, way, preset, precision, near, more):
    """What is dropped is the same, too."""
    words = "model.dropout=0.2", "model.num_layers=1", f"training.precision={precision}", *more
    plain, _ = steps(preset, 2, *words, size=4)
    first, again = (steps(preset, 2, *words, size=4, way=way)[0] for _ in range(2))
    torch.testing.assert_close(first, plain, atol=near, rtol=near)
    assert torch.equal(first, again)


def test_shares_of_new_shapes_wait_for_the_compiler(make_run, monkeypatch):
    """One after another, for it is at work for the whole process; from then on side by side."""
    inside, both, most = set(), threading.Barrier(2, timeout=30), []

    def compile(call, **_):
        def watched(*inputs, **more):
            inside.add(threading.get_ident())
            most.append(len(inside))
            if is_known:
                both.wait()
            result = call(*inputs, **more)
            inside.discard(threading.get_ident())
            return result

        return watched

    monkeypatch.setattr(torch, "compile", compile)
    config = make_run("nano-decoder", "training.shares=2").config()
    model = build(SavedModel(task=config.data.task, vocab_size=300, model=config.model)).train()
    torch.set_num_threads(2)
    learner = Learner(model, config.data.task, config.training)
    learner.compiled.begin("stacks")
    for length in (8, 5):
        ids = torch.randint(1, 300, (4, length)).numpy()
        for is_known in (False, True):
            most.clear()
            learner.gradient([to_device(Batch({"input_ids": ids}, ids), CPU)])
            assert max(most) == (2 if is_known else 1)


def test_each_share_has_its_own_dropout(make_run):
    run = make_run("nano-decoder", "model.dropout=0.5", "training.shares=2")
    config = run.config()
    model = build(SavedModel(task=config.data.task, vocab_size=300, model=config.model)).train()
    torch.set_num_threads(2)
    learner = Learner(model, config.data.task, config.training)
    seen: dict[int, torch.Tensor] = {}
    model.embedding.dropout.register_forward_hook(
        lambda module, inputs, output: seen.setdefault(threading.get_ident(), output == 0)
    )
    dataset, _ = dataset_of(config, run, None, lambda *_: None)
    learner.gradient([to_device(next(dataset.train.batches(4, 0)), CPU)])
    one, other = seen.values()
    assert 0.4 < one.float().mean() < 0.6
    assert not torch.equal(one, other)


def test_the_shares_of_a_batch_are_all_of_it(make_run):
    run = make_run("nano-encoder")
    dataset, _ = dataset_of(run.config(), run, None, lambda *_: None)
    whole = to_device(next(dataset.train.batches(7, 0)), CPU)
    parts = shares_of(whole, 3)
    assert [len(part.labels) for part in parts] == [2, 2, 3]
    assert torch.equal(torch.cat([part.labels for part in parts]), whole.labels)
    for name, tensor in whole.inputs.items():
        assert torch.equal(torch.cat([part.inputs[name] for part in parts]), tensor)
    looked_at = [part.labels.flatten()[part.predicted] for part in parts]
    assert torch.equal(torch.cat(looked_at), whole.labels.flatten()[whole.predicted])
    assert {(part.num_labels, part.num_tokens, part.num_examples) for part in parts} == {
        (whole.num_labels, whole.num_tokens, 7)
    }
    assert len(shares_of(whole, 99)) == 7


def test_a_share_in_which_nothing_is_predicted_adds_nothing(make_run):
    run = make_run("nano-encoder", "model.dropout=0.0")
    config = run.config()
    dataset, _ = dataset_of(config, run, None, lambda *_: None)
    batch = next(dataset.train.batches(4, 0))
    batch.labels[2:] = IGNORED
    found = []
    for count in (1, 2):
        torch.set_num_threads(count)
        torch.manual_seed(0)
        model = build(SavedModel(task=config.data.task, vocab_size=dataset.tokenizer.vocab_size, model=config.model))
        found.append(Learner(model.train(), config.data.task, config.training).gradient([to_device(batch, CPU)]))
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_another_number_of_shares_is_said_at_resume(make_run):
    run = make_run("reverse", "training.threads=2")
    events = train(run.config(), run.folder)
    while next(events).kind != "saved":
        pass
    events.close()
    text = (run.folder / "run.toml").read_text()
    (run.folder / "run.toml").write_text(text.replace("shares = 2", "shares = 1"))
    said = [event.sentence for event in train(run.config(), run.folder) if isinstance(event, Warned)]
    assert any("2 batch shares before, 1 now" in sentence for sentence in said)


@pytest.mark.fault(20)
def test_a_share_that_runs_out_of_memory_ends_the_run_after_its_last_step(make_run, monkeypatch):
    run = make_run("reverse", "training.threads=2", "training.save_every=100", "training.steps=9")
    learn, main, events = LOSSES["translation"], threading.current_thread(), []

    def full(*given):
        if events[-1:] and events[-1].step >= 4 and threading.current_thread() is not main:
            raise MemoryError
        return learn(*given)

    def play():
        for event in train(run.config(), run.folder):
            events.append(event)

    monkeypatch.setitem(LOSSES, "translation", full)
    with pytest.raises(UserError, match="memory"):
        play()
    assert run.state() is RunState.FAILED
    assert [event.step for event in events if isinstance(event, Saved)][-1] == 4
    monkeypatch.undo()
    play()
    assert (events[-1].step, events[-1].reason) == (9, "finished")


SMALL = (100_000, 1_000_000, "cpu", 2)


@pytest.mark.parametrize(
    ("words", "facts", "expected"),
    [
        ({}, SMALL, 2),
        ({"shares": 1}, SMALL, 1),
        ({"shares": 8}, SMALL, 2),
        ({"shares": 8}, (100_000, 1_000_000, "cpu", 16), 8),
        ({"batch_size": 1}, SMALL, 1),
        ({"compile": "always"}, SMALL, 2),
        ({"gradient_checkpointing": True}, SMALL, 1),
        ({"parallel": ["data"]}, SMALL, 1),
        ({}, (100_000, 1_000_000, "cuda", 2), 1),
        ({}, (100_000, 1_000_000, "cpu", 1), 1),
        ({}, (shares.MOST_WEIGHTS + 1, 1_000_000, "cpu", 2), 1),
        ({}, (100_000, shares.MOST_LOGITS + 1, "cpu", 2), 1),
    ],
)
def test_when_a_batch_is_shared(words, facts, expected):
    assert num_shares(Config.parse({"training": words}).training, *facts) == expected


def test_neighbours_share_the_cores():
    assert num_threads(3, 2) == 3
    assert num_threads(None, 10_000) == 1
