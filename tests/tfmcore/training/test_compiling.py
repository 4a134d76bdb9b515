"""Whether steps are compiled is chosen once, for a reason that is said, and stays chosen."""

import shutil

import pytest
import torch

from tests.tfmcore.training.compilers import count_compiled_calls, needs_compiler, of_torch_itself
from tfmcore.config import ConfigError, SavedModel, UserError
from tfmcore.config.config import to_toml
from tfmcore.config.resuming import changed
from tfmcore.data import micro_batches
from tfmcore.data.progress import Cancelled
from tfmcore.messages import Saved, Started, Stepped, Warned
from tfmcore.models import build
from tfmcore.training import compiling
from tfmcore.training.batches import to_device
from tfmcore.training.compiling import Compilation, choose, flops_of_step
from tfmcore.training.ingredients import dataset_of
from tfmcore.training.learner import Learner
from tfmcore.training.parallel.strategy import Strategy
from tfmcore.training.state import load_counters, random_states
from tfmcore.training.trainer import train

LONG = 10_000_000
"""Steps of a run that is worth a trial, however small they are."""


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(compiling, "TIMED_SECONDS", 0.01)


@pytest.fixture
def compiler(monkeypatch):
    """A machine with a compiler that does nothing; `calls` are those of compiled layers."""
    monkeypatch.setattr(compiling, "missing_compiler", lambda device: "")
    return count_compiled_calls(monkeypatch)


@pytest.fixture
def no_compiler(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")


@pytest.fixture
def case(make_run):
    """Makes a learner and what makes the batches of its steps."""

    def make(*words, parallel=None):
        run = make_run("nano-decoder", "model.dropout=0.2", *words)
        config = run.config()
        dataset, _ = dataset_of(config, run, None, lambda *_: None)
        torch.manual_seed(0)
        saved = SavedModel(task=config.data.task, vocab_size=dataset.tokenizer.vocab_size, model=config.model)
        learner = Learner(build(saved), config.data.task, config.training, parallel)
        device = learner.device
        return learner, lambda: (
            [to_device(piece, device) for piece in micro_batches(batch, 2)] for batch in dataset.train.batches(8, 0)
        )

    return make


def gains(monkeypatch, factor):
    """Compiled steps are that many times as fast."""
    monkeypatch.setattr(compiling, "_gain", lambda learner, groups, plain, progress: factor)


def is_compiled(learner, work, calls):
    calls.clear()
    learner.gradient(next(iter(work())))
    learner.drop()
    return bool(calls)


def test_never_is_never(case, compiler):
    learner, work = case("training.compile=never")
    assert choose(learner, work, LONG, 1e15) == ("no", "not compiled, as training.compile asks")
    assert not is_compiled(learner, work, compiler)


def test_a_short_run_is_known_without_a_trial(case, compiler):
    learner, _ = case()

    def work():
        raise AssertionError

    way, sentence = choose(learner, work, 1000, 1e9)
    assert way == "no"
    assert sentence == "not compiled: that takes about 40 s, too long for a run of less than 2 min 30 s"


def test_a_run_that_turns_out_short_is_not_compiled(case, compiler):
    learner, work = case()
    way, sentence = choose(learner, work, 3, 1e15)
    assert way == "no"
    assert sentence.startswith("not compiled: that takes about 40 s, too long for a run of about ")
    assert not compiler


@pytest.mark.parametrize(("factor", "way", "words"), [
    (1.25, "stacks", "steps take 80% of the time"),
    (1.01, "no", "and made no step faster"),
    (0.8, "no", "and made no step faster"),
])  # fmt: skip
def test_a_long_run_takes_what_is_faster(case, compiler, monkeypatch, factor, way, words):
    gains(monkeypatch, factor)
    learner, work = case()
    found = choose(learner, work, LONG, 1e15)
    assert found.way == way
    assert words in found.sentence
    assert is_compiled(learner, work, compiler) == (way == "stacks")


def test_always_is_always_and_says_what_it_costs(case, compiler, monkeypatch):
    gains(monkeypatch, 0.8)
    learner, work = case("training.compile=always")
    found = choose(learner, work, 3, 1.0)
    assert found.way == "stacks"
    assert "steps take 125% of the time" in found.sentence
    assert is_compiled(learner, work, compiler)


def test_the_trial_leaves_no_trace(case, compiler):
    learner, work = case("training.compile=always")
    learner.objective.eval()
    before = {name: tensor.clone() for name, tensor in learner.objective.state_dict().items()}
    random = random_states()["cpu"]
    assert choose(learner, work, 3, 1.0).way == "stacks"
    assert compiler
    assert torch.equal(random_states()["cpu"], random)
    assert all(torch.equal(tensor, before[name]) for name, tensor in learner.objective.state_dict().items())
    assert all(weight.grad is None for weight in learner.weights)
    assert not learner.objective.training
    assert not learner.optimizer.state


def test_what_was_compiled_in_the_trial_is_what_steps_take(case, monkeypatch):
    """Computed by as many threads, for which a compiler writes its code."""
    compiled, threads, before = [], [], torch.get_num_threads()

    def compile(call, **_):
        def noting(*inputs, **more):
            threads.append(torch.get_num_threads())
            return call(*inputs, **more)

        compiled.append(call)
        return noting

    monkeypatch.setattr(compiling, "missing_compiler", lambda device: "")
    monkeypatch.setattr(torch, "compile", compile)
    torch.set_num_threads(2)
    try:
        learner, work = case("training.compile=always", "training.shares=2")
        assert choose(learner, work, 3, 1.0).way == "stacks"
        in_trial = set(threads)
        threads.clear()
        learner.gradient(next(iter(work())))
    finally:
        torch.set_num_threads(before)
    assert in_trial == set(threads) == {1}
    assert len(compiled) == 1


@pytest.mark.parametrize("last", [0, 1, 3])
def test_the_trial_can_be_cancelled_in_its_midst(case, compiler, last):
    learner, work = case("training.compile=always")

    def progress(phase, done, total):
        assert (phase, total) == ("compiling the layers", 6)
        if done == last:
            raise Cancelled

    with pytest.raises(Cancelled):
        choose(learner, work, 3, 1.0, progress=progress)
    assert bool(compiler) == (last > 0)
    assert all(weight.grad is None for weight in learner.weights)


@pytest.mark.parametrize("wrong", ["fails", "computes something else"])
def test_what_cannot_be_compiled(case, compiler, monkeypatch, wrong):
    def compile(call, **_):
        def failing(*inputs, **more):
            if wrong == "fails":
                raise RuntimeError("no room for the compiler\nand more")
            x, *rest = call(*inputs, **more)
            return 1.1 * x, *rest

        return failing

    monkeypatch.setattr(torch, "compile", compile)
    reason = "RuntimeError: no room for the compiler" if wrong == "fails" else "ArithmeticError: the "
    learner, work = case()
    way, sentence = choose(learner, work, LONG, 1e15)
    assert way == "no"
    assert sentence.startswith(f"not compiled: that was tried and failed ({reason}")
    learner.gradient(next(iter(work())))
    learner, work = case("training.compile=always")
    with pytest.raises(UserError, match=r"training\.compile: the layers cannot be compiled .*so choose auto or never"):
        choose(learner, work, LONG, 1e15)


def test_what_cannot_be_compiled_any_more(case, compiler, monkeypatch):
    """A run goes on without, and one that must be compiled ends with a sentence, shared or not."""

    def compile(call, **_):
        def failing(*inputs, **more):
            raise RuntimeError("no room for the compiler\nand more")

        return failing

    class Shared(Strategy):
        pass

    monkeypatch.setattr(torch, "compile", compile)
    learner, work = case()
    expected = "not compiled: that failed (RuntimeError: no room for the compiler)"
    assert choose(learner, work, LONG, 1e15, "stacks") == ("no", expected)
    learner.gradient(next(iter(work())))
    for before, parallel in (("stacks", Strategy()), (None, Shared())):
        learner, work = case("training.compile=always", parallel=parallel)
        with pytest.raises(
            UserError, match=r"the layers cannot be compiled \(RuntimeError: no room for the compiler\)"
        ):
            choose(learner, work, LONG, 1e15, before)


def test_without_a_compiler(case, no_compiler):
    learner, work = case()
    expected = "not compiled: no C++ compiler was found (no-such-compiler)"
    assert choose(learner, work, LONG, 1e15) == ("no", expected)
    assert choose(learner, work, LONG, 1e15, "stacks") == ("no", expected)
    learner, work = case("training.compile=always")
    with pytest.raises(UserError, match=r"training\.compile: no C\+\+ compiler was found"):
        choose(learner, work, LONG, 1e15)


def test_shared_steps_are_compiled_if_they_must_be(case, compiler):
    class Shared(Strategy):
        uncompiled = "they are shared"

    learner, work = case(parallel=Shared())
    assert choose(learner, work, LONG, 1e15) == ("no", "not compiled: they are shared")
    learner, work = case("training.compile=always", parallel=Shared())
    assert choose(learner, work, LONG, 1e15) == ("stacks", "compiled, as training.compile asks")


@pytest.mark.parametrize("word", ["training.parallel=['fsdp']", "training.parallel=['tensor']", "training.device=mps"])
def test_what_is_never_compiled_is_a_problem(tiny, word):
    with pytest.raises(ConfigError, match=r"training\.compile"):
        tiny("nano-decoder", "model.num_layers=2", "training.compile=always", word)
    tiny("nano-decoder", "model.num_layers=2", word)


def test_the_operations_of_a_step(tiny):
    config = tiny("nano-decoder", "training.batch_size=8", "training.accumulation=2")
    saved = SavedModel(task=config.data.task, vocab_size=50, model=config.model)
    half = config.replaced(training__batch_size=4)
    assert flops_of_step(config, saved) == 2 * flops_of_step(half, saved) > 0


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def test_a_run_without_a_compiler_says_so_before_it_starts(tiny, tmp_path, no_compiler):
    with pytest.raises(UserError, match=r"training\.compile: no C\+\+ compiler was found"):
        list(train(tiny("nano-decoder", "training.compile=always"), tmp_path / "run"))


def test_a_small_run_is_not_compiled(tiny, tmp_path, compiler):
    events = list(train(tiny("nano-decoder"), tmp_path / "run"))
    assert "not compiled: that takes about 40 s" in of(Started, events)[0].compilation
    assert "not compiled" in (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")
    assert load_counters(tmp_path / "run" / "checkpoints" / "step-00000006").compiled == {"cpu": "no"}


def cut_to(folder, step):
    """As if the run had been killed after that checkpoint."""
    for path in (folder / "checkpoints").iterdir():
        if int(path.name.split("-")[1]) > step:
            shutil.rmtree(path)


@pytest.mark.parametrize("way", ["stacks", "no"])
def test_a_run_that_goes_on_makes_the_same_choice(tiny, tmp_path, compiler, monkeypatch, way):
    gains(monkeypatch, 1.5 if way == "stacks" else 0.9)
    monkeypatch.setattr(compiling, "SECONDS", {"cpu": 0.0})
    config = tiny("nano-decoder", "model.dropout=0.2")
    whole = list(train(config, tmp_path / "run"))
    cut_to(tmp_path / "run", 3)
    monkeypatch.setattr(compiling, "_tried", lambda *_: pytest.fail("it has been tried before"))
    rest = list(train(config, tmp_path / "run"))
    assert [event.step for event in of(Started, rest)] == [3]
    assert of(Started, rest)[0].compilation.endswith("compiled, as when the run began" if way == "stacks" else
                                                     "not compiled, as when the run began")  # fmt: skip
    assert [e.loss for e in of(Stepped, rest)] == [e.loss for e in of(Stepped, whole)][3:]
    assert not of(Warned, rest)
    assert (
        load_counters(of(Saved, rest)[-1].folder and tmp_path / "run/checkpoints/step-00000006").compiled["cpu"] == way
    )


def test_another_choice_is_allowed_and_warned_of(tiny, tmp_path, compiler, monkeypatch):
    monkeypatch.setattr(compiling, "_tried", lambda *_: Compilation("stacks", "compiled"))
    config = tiny("nano-decoder", "training.compile=always")
    list(train(config, tmp_path / "run"))
    cut_to(tmp_path / "run", 3)
    rest = list(train(config, tmp_path / "run"))
    assert not of(Warned, rest)
    cut_to(tmp_path / "run", 3)
    new = changed(config, ["training.compile=never"])
    (tmp_path / "run" / "run.toml").write_text(to_toml(new), encoding="utf-8")
    rest = list(train(new, tmp_path / "run"))
    assert ["bit-identical" in event.sentence and "never" not in event.sentence for event in of(Warned, rest)] == [True]


@needs_compiler
@of_torch_itself
def test_a_compiled_run_goes_on_to_the_bit(tiny, tmp_path):
    """And its curve is that of a run that is not compiled."""
    words = ["model.dropout=0.2", "training.health_every=2", "training.sample_every=3"]
    config = tiny("nano-decoder", *words, "training.compile=always")
    whole = list(train(config, tmp_path / "run"))
    assert of(Started, whole)[0].compilation.startswith("compiled in ")
    cut_to(tmp_path / "run", 3)
    rest = list(train(config, tmp_path / "run"))
    losses = [event.loss for event in of(Stepped, whole)]
    assert [event.loss for event in of(Stepped, rest)] == losses[3:]
    plain = of(Stepped, train(tiny("nano-decoder", *words), tmp_path / "plain"))
    assert losses == pytest.approx([event.loss for event in plain], abs=1e-5)
