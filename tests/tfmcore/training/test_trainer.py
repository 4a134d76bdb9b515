"""The training loop: what it yields, what it keeps, and that it comes to the same however it is interrupted."""

import dataclasses
import itertools
import math
import threading
from functools import partial

import pytest
import torch

from tfmcore.config import SOURCES, TASKS, SavedModel, UserError, presets
from tfmcore.config.schedules import learning_rate
from tfmcore.config.tasks import TEXT_TASKS
from tfmcore.data import IGNORED, Tokenizer
from tfmcore.data.progress import silent
from tfmcore.messages import Changed, Command, Evaluated, Finished, Sampled, Saved, Started, Stepped, Warned
from tfmcore.models import load_model
from tfmcore.runs import Run, RunState
from tfmcore.training import checkpoints
from tfmcore.training import learner as learner_module
from tfmcore.training import trainer as trainer_module
from tfmcore.training.controls import Controls
from tfmcore.training.evaluation import Evaluation
from tfmcore.training.faults import Failure
from tfmcore.training.learner import Learner, PendingNumbers
from tfmcore.training.losses import LOSSES, Sums
from tfmcore.training.parallel.strategy import Strategy
from tfmcore.training.trainer import TransformerTrainer, train

SERVED = [(source, task) for source, facts in SOURCES.items() for task in facts.tasks if source != "file"]


def trainer_of(run: Run) -> TransformerTrainer:
    return TransformerTrainer.prepare(run.config(), run, Controls(run.folder), lambda *_: None)


def play(run: Run, **commands) -> list:
    """All events of a run; `commands` (step_3=…) are given right after that step."""
    events = []
    for event in train(run.config(), run.folder):
        events.append(event)
        if isinstance(event, Stepped):
            for command in commands.pop(f"step_{event.step}", []):
                run.command(command)
    return events


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def losses(events):
    return [(event.step, event.loss, event.gradient_norm) for event in of(Stepped, events)]


@pytest.mark.parametrize("name", [name for name, preset in presets().items() if not preset.reading])
def test_every_preset_trains(make_run, name):
    run = make_run(name, "training.sample_every=6")
    events = play(run)
    config, (started, *_, finished) = run.config(), events
    assert isinstance(started, Started)
    assert isinstance(finished, Finished)
    assert (started.step, finished.step, finished.reason) == (0, 6, "finished")
    assert started.parameters > 0
    assert [event.step for event in of(Stepped, events)] == list(range(1, 7))
    for event in of(Stepped, events):
        assert math.isfinite(event.loss)
        assert event.gradient_norm > 0
        assert event.tokens > 0
        assert event.learning_rate == learning_rate(config.training, config.model.d_model, event.step)
    assert [event.step for event in of(Evaluated, events)] == [3, 6]
    assert of(Evaluated, events)[0].metrics.keys() == METRICS_OF[config.data.task] | exact(config.data.source)
    assert len(of(Sampled, events)) >= 1
    assert run.state() is RunState.FINISHED
    assert list(run.events()) == events
    model, saved = load_model(run.best().folder)
    assert (saved.task, saved.step) == (config.data.task, run.best().step)
    assert saved.metrics["loss"] == run.best().manifest.validation_loss
    assert Tokenizer.load(run.best().folder / "tokenizer.json").vocab_size == saved.vocab_size == model.vocab_size


def exact(source: str) -> set[str]:
    """What a language model is judged by where each example has a prompt, too."""
    return {"exact_match"} if source in ("induction", "modular_addition") else set()


METRICS_OF = {
    **{task: {"perplexity", "accuracy"} for task in TEXT_TASKS},
    "language_modeling": {"bits_per_byte", "perplexity", "accuracy"},
    "classification": {"accuracy", "macro_f1"},
    "token_tagging": {"accuracy", "entity_precision", "entity_recall", "entity_f1"},
    "question_answering": {"place_accuracy", "place_f1"},
    "translation": {"token_accuracy", "exact_match"},
}


@pytest.mark.parametrize(("source", "task"), SERVED)
def test_every_source_trains_for_each_of_its_tasks(make_run, source, task):
    for architecture in TASKS[task].architectures:
        data = f"data.source={source}", f"data.task={task}"
        run = make_run("nano-decoder", *data, f"model.architecture={architecture}", "training.steps=3")
        events = play(run)
        assert of(Finished, events)[0].reason == "finished"
        assert of(Evaluated, events)[0].metrics.keys() == METRICS_OF[task] | exact(source)


WAYS = {
    "adamw": (),
    "muon": ("training.optimizer=muon", "training.ema_decay=0.9", "training.schedule=wsd"),
    "two shares of a batch": ("training.threads=2",),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("preset", ["nano-decoder", "reverse", "nano-encoder", "tell-languages"])
def test_resume_comes_to_the_same_bit_for_bit(tiny, tmp_path, preset, way):
    often = ("training.accumulation=2", "training.steps=8", "training.save_every=4")
    config = tiny(preset, "model.dropout=0.2", *often, *WAYS[way])
    whole = list(train(config, tmp_path / "whole"))
    run = Run.open(tmp_path / "parts", config)
    parts = play(run, step_2=[Command(kind="stop")])
    assert run.state() is RunState.STOPPED
    parts += play(run, step_5=[Command(kind="stop")])
    parts += play(run)
    assert [event.step for event in of(Started, parts)] == [0, 2, 5]
    assert losses(parts) == losses(whole)
    evaluated = {event.step: event.loss for event in of(Evaluated, parts)}
    assert evaluated == {event.step: event.loss for event in of(Evaluated, whole)}
    assert {event.sentence for event in of(Warned, parts)} == {event.sentence for event in of(Warned, whole)}
    for name in ("model.safetensors", "optimizer.safetensors"):
        ends = [r.checkpoints()[-1].folder / name for r in (Run(tmp_path / "whole"), run)]
        assert ends[0].read_bytes() == ends[1].read_bytes()


@pytest.mark.parametrize("stop", [2, 6])
def test_a_validation_that_a_stop_cuts_off_is_made_when_the_run_goes_on(tiny, tmp_path, monkeypatch, stop):
    config = tiny("reverse", "training.eval_every=2", "training.save_every=3", "training.early_stopping=2")
    found = {2: 1.0, 4: 2.0, 6: 3.0}

    def evaluate(opened, batches, *_):
        list(batches)  # of which each may be the last
        return Evaluation(found[trainers[-1].step], {}, 1)

    trainers, prepare = [], TransformerTrainer.prepare
    monkeypatch.setattr(trainer_module, "evaluate", evaluate)
    monkeypatch.setattr(TransformerTrainer, "prepare", lambda *given: trainers.append(prepare(*given)) or trainers[-1])
    whole = list(train(config, tmp_path / "whole"))
    run = Run.open(tmp_path / "parts", config)
    cut = play(run, **{f"step_{stop}": [Command(kind="stop")]})
    assert cut[-1].reason == "stopped"
    assert stop not in {event.step for event in of(Evaluated, cut)}
    parts = cut + play(run)
    assert [(e.step, e.loss) for e in of(Evaluated, parts)] == [(e.step, e.loss) for e in of(Evaluated, whole)]
    assert parts[-1].reason == whole[-1].reason
    assert run.best().step == Run(tmp_path / "whole").best().step == 2
    assert not of(Warned, parts)


def test_the_last_validation_is_known_after_a_resume(make_run):
    run = make_run("reverse", "training.steps=9", "training.save_every=100", "training.eval_every=4")
    [validated] = of(Evaluated, play(run, step_5=[Command(kind="stop")]))
    events = play(run, step_6=[Command(kind="stop")])
    assert not of(Evaluated, events)
    assert events[-1].loss == validated.loss
    assert SavedModel.read(run.checkpoints()[-1].folder).metrics == {"loss": validated.loss, **validated.metrics}


def test_the_same_seed_is_the_same_run_and_another_is_not(tiny, tmp_path):
    first, again = (losses(train(tiny(), tmp_path / name)) for name in "ab")
    assert first == again
    assert losses(train(tiny("reverse", "training.seed=1"), tmp_path / "c")) != first


def halves(placed):
    for part in (slice(None, 1), slice(1, None)):  # of unequal size
        inputs = {name: tensor[part] for name, tensor in placed.inputs.items()}
        labels = placed.labels[part]
        yield dataclasses.replace(placed, inputs=inputs, labels=labels, num_labels=int((labels != IGNORED).sum()))


@pytest.mark.parametrize("preset", ["reverse", "nano-decoder", "tell-languages"])
def test_accumulation_equals_the_large_batch(make_run, preset):
    large, small = trainer_of(make_run(preset)), trainer_of(make_run(preset))
    for _ in range(2):
        [batch] = next(large._work())
        [one] = large.steps.learn([batch])
        [other] = small.steps.learn(list(halves(batch)))
        assert other.loss == pytest.approx(one.loss, rel=1e-5)
        assert other.gradient_norm == pytest.approx(one.gradient_norm, rel=1e-4)
    for a, b in zip(large.learner.weights, small.learner.weights, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("preset", "more"),
    [
        ("nano-decoder", []),
        ("nano-encoder", []),
        (
            "nano-encoder",
            ["data.next_sentence_prediction=true", "model.next_sentence_head=true", "model.num_token_types=2"],
        ),
        ("tell-languages", []),
        ("tell-languages", ["training.class_weights=balanced"]),
        ("nano-seq2seq", []),
        ("nano-seq2seq", ["data.packing=true"]),
        ("tag-sentences", []),
        ("tag-sentences", ["training.class_weights=balanced", "training.label_smoothing=0.1"]),
    ],
)
def test_a_run_of_four_times_three_is_the_run_of_twelve(tiny, tmp_path, preset, more):
    """Which sequences a step learns from, and what is hidden of them, does not depend on how many fit at once."""
    words = ("model.dropout=0.0", "training.steps=6", *more)
    twelve = list(train(tiny(preset, *words, "training.batch_size=12"), tmp_path / "twelve"))
    three = tiny(preset, *words, "training.batch_size=4", "training.accumulation=3")
    found = list(train(three, tmp_path / "three"))
    assert [loss for _, loss, _ in losses(found)] == [pytest.approx(loss, rel=1e-6) for _, loss, _ in losses(twelve)]
    assert [e.tokens for e in of(Stepped, found)] == [e.tokens for e in of(Stepped, twelve)]


def test_a_run_goes_on_with_the_same_sequences_in_smaller_batches(make_run, tiny, tmp_path):
    words = ("model.dropout=0.0", "training.steps=6")
    unbroken = losses(train(tiny("nano-seq2seq", *words, "training.batch_size=8"), tmp_path / "unbroken"))
    run = make_run("nano-seq2seq", *words, "training.batch_size=8")
    play(run, step_3=[Command(kind="stop")])
    run.change(["training.batch_size=2", "training.accumulation=4"])
    events = play(run)
    assert [loss for _, loss, _ in losses(events)] == [pytest.approx(loss, rel=1e-6) for _, loss, _ in unbroken[3:]]
    assert any("8 sequences per batch before, 2 now" in event.sentence for event in of(Warned, events))


def test_clipping_bounds_the_gradient_but_not_what_is_said_of_it(make_run):
    free, clipped = trainer_of(make_run("reverse")), trainer_of(make_run("reverse", "training.gradient_clip=0.001"))
    seen = []
    clipped.learner.optimizer.register_step_pre_hook(
        lambda *_: seen.append(torch.nn.utils.get_total_norm([w.grad for w in clipped.learner.weights]).item())
    )
    [one], [other] = free.steps.learn(next(free._work())), clipped.steps.learn(next(clipped._work()))
    assert other.gradient_norm == one.gradient_norm > 0.001
    assert seen == [pytest.approx(0.001, rel=1e-3)]


@pytest.mark.parametrize(
    ("preset", "option"),
    [
        ("reverse", "label_smoothing=0.3"),
        ("tell-languages", "class_weights=balanced"),
        ("tag-sentences", "class_weights=balanced"),
    ],
)
def test_an_option_of_the_objective_changes_what_is_learned_not_what_is_reported(make_run, preset, option):
    plain, changed = trainer_of(make_run(preset)), trainer_of(make_run(preset, f"training.{option}"))
    [one], [other] = plain.steps.learn(next(plain._work())), changed.steps.learn(next(changed._work()))
    assert other.loss == pytest.approx(one.loss, rel=1e-6)
    assert other.gradient_norm != one.gradient_norm


@pytest.mark.parametrize("preset", ["reverse", "nano-decoder", "nano-encoder"])
def test_gradient_checkpointing_learns_the_same(tiny, tmp_path, preset):
    kept = losses(train(tiny(preset), tmp_path / "kept"))
    again = losses(train(tiny(preset, "training.gradient_checkpointing=true"), tmp_path / "again"))
    for a, b in zip(kept, again, strict=True):
        assert b == pytest.approx(a, rel=1e-5)


def test_bf16_learns_nearly_the_same(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("tfmcore.nn.kernels.linear.HAS_BF16", True)  # on any processor
    full = losses(train(tiny("nano-decoder"), tmp_path / "full"))
    half = losses(train(tiny("nano-decoder", "training.precision=bf16"), tmp_path / "half"))
    assert half != full
    assert [loss for _, loss, _ in half] == pytest.approx([loss for _, loss, _ in full], rel=0.02)
    weights = load_model(Run(tmp_path / "half").checkpoints()[-1].folder)[0].parameters()
    assert {weight.dtype for weight in weights} == {torch.float32}


def test_it_learns(tiny, tmp_path):
    config = tiny("nano-decoder", "training.steps=60", "training.learning_rate=0.01", "training.eval_every=30")
    events = list(train(config, tmp_path / "run"))
    first, last = of(Stepped, events)[0], of(Evaluated, events)[-1]
    assert last.loss < first.loss - 0.3


def test_best_and_last_stay(make_run, monkeypatch):
    found = iter([3.0, 1.0, 2.0, 4.0, 5.0, 6.0, 7.0])
    monkeypatch.setattr(trainer_module, "evaluate", lambda *_: Evaluation(next(found), {}, 1))
    run = make_run("reverse", "training.steps=7", "training.eval_every=1", "training.save_every=1")
    events = play(run)
    assert [event.best for event in of(Saved, events)] == [True, True, False, False, False, False, False]
    assert [checkpoint.step for checkpoint in run.checkpoints()] == [2, 6, 7]
    assert run.best().step == 2


def test_checkpoints_that_are_to_stay_are_saved_at_their_steps_and_stay(make_run):
    run = make_run("reverse", "training.steps=14", "training.save_every=5", "training.keep_every=3")
    play(run)
    assert {3, 6, 9, 12, 14} <= {checkpoint.step for checkpoint in run.checkpoints()}


@pytest.mark.parametrize(("best_by", "best"), [("metric", 4), ("loss", 2)])
def test_the_best_is_best_by_the_metric_of_its_task_or_by_the_loss(make_run, monkeypatch, best_by, best):
    found = iter([(3.0, 0.5), (1.0, 0.6), (2.0, 0.7), (4.0, 0.7)])

    def evaluate(*_):
        loss, accuracy = next(found)
        return Evaluation(loss, {"accuracy": accuracy}, 1)

    monkeypatch.setattr(trainer_module, "evaluate", evaluate)
    every = ("training.steps=4", "training.eval_every=1", "training.save_every=1")
    run = make_run("tell-languages", *every, f"training.best_by={best_by}")
    play(run)
    assert run.best().step == best


def test_an_improvement_is_saved_between_checkpoints(make_run, monkeypatch):
    found = iter([3.0, 1.0, 2.0, 4.0])
    monkeypatch.setattr(trainer_module, "evaluate", lambda *_: Evaluation(next(found), {}, 1))
    run = make_run("reverse", "training.steps=4", "training.eval_every=1", "training.save_every=100")
    assert [(event.step, event.best) for event in of(Saved, play(run))] == [(1, True), (2, True), (4, False)]


def test_early_stopping(make_run, monkeypatch):
    found = itertools.chain([3.0, 1.0], itertools.repeat(2.0))
    monkeypatch.setattr(trainer_module, "evaluate", lambda *_: Evaluation(next(found), {}, 1))
    run = make_run("reverse", "training.steps=50", "training.eval_every=2", "training.early_stopping=3")
    finished = play(run)[-1]
    assert (finished.reason, finished.step) == ("early_stopping", 10)
    assert run.state() is RunState.FINISHED


def test_what_it_can_do_before_the_first_step_is_found_once_and_may_stay_the_best(make_run, monkeypatch):
    found = itertools.chain([1.0], itertools.repeat(2.0))
    monkeypatch.setattr(trainer_module, "evaluate", lambda *_: Evaluation(next(found), {}, 1))
    every = ("training.eval_at_start=true", "training.eval_every=2", "training.sample_every=50")
    run = make_run("reverse", "training.steps=50", "training.early_stopping=3", *every)
    events = play(run, step_3=[Command(kind="stop")]) + play(run)
    assert [event.step for event in of(Evaluated, events)] == [0, 2, 4, 6]
    assert {event.step for event in of(Sampled, events)} == {0}
    assert (events[-1].reason, run.best().step) == ("early_stopping", 0)


def test_commands(make_run):
    run = make_run("reverse", "training.steps=9", "training.save_every=100", "training.eval_every=100")
    slower = Command(kind="set_learning_rate", value=0.125)
    events = play(run, step_2=[Command(kind="save_now"), slower], step_7=[Command(kind="stop")])
    assert [(event.step, event.setting, event.value) for event in of(Changed, events)] == [(2, "learning_rate", 0.125)]
    assert [event.step for event in of(Saved, events)] == [2, 7]
    assert [event.learning_rate == 0.125 for event in of(Stepped, events)] == [False] * 2 + [True] * 5
    assert events[-1].reason == "stopped"
    more = play(run, step_8=[Command(kind="set_learning_rate")])
    config = run.config()
    planned = learning_rate(config.training, config.model.d_model, 9)
    assert [event.learning_rate for event in of(Stepped, more)] == [0.125, planned], "None: the schedule's again"
    assert [event.value for event in of(Changed, more)] == [None]
    assert more[-1].reason == "finished"


def test_pause_waits_without_work_and_goes_on(make_run, monkeypatch):
    run = make_run("reverse")
    asleep = threading.Event()
    monkeypatch.setattr(trainer_module.time, "sleep", lambda seconds: asleep.set())
    threading.Thread(
        target=lambda: asleep.wait(60) and (run.state() is RunState.PAUSED) and run.command(Command(kind="resume"))
    ).start()
    events = play(run, step_2=[Command(kind="pause")])
    assert asleep.is_set()
    assert len(of(Stepped, events)) == 6


@pytest.mark.fault(17)
def test_a_step_with_nothing_to_predict_is_skipped_and_counted(make_run):
    trainer = trainer_of(make_run("reverse"))
    batch = next(trainer._work())[0]
    nothing = dataclasses.replace(batch, labels=torch.full_like(batch.labels, IGNORED), num_labels=0)
    before = [weight.clone() for weight in trainer.learner.weights]
    said = [event for _ in range(5) for event in trainer.steps.learn([nothing])]
    assert [event.sentence.partition("(")[2] for event in said] == ["1 so far)", "2 so far)", "4 so far)"]
    assert trainer.counters.skipped_steps == trainer.step == 5
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.learner.weights, strict=True))
    [half] = trainer.steps.learn([nothing, batch])
    assert math.isfinite(half.loss)


@pytest.mark.parametrize("preset", ["nano-decoder", "nano-encoder", "nano-seq2seq"])
def test_steps_that_are_told_of_once_the_next_has_begun_are_the_same(make_run, monkeypatch, preset):
    """As on a GPU, which then has something to do all the time."""
    found, calls = [], []
    begin, read = Learner.begin, PendingNumbers.read
    monkeypatch.setattr(Learner, "begin", lambda *given: (calls.append("b"), begin(*given))[1])
    monkeypatch.setattr(PendingNumbers, "read", lambda coming: (calls.append("r"), read(coming))[1])
    for ahead in (False, True):
        monkeypatch.setattr(learner_module, "is_guarded", lambda _, ahead=ahead: ahead)
        due = ["training.eval_every=3", "training.save_every=4", "training.health_every=6", "training.steps=8"]
        events = play(make_run(preset, *due, "training.gradient_clip=0.1"))
        found.append(([(type(event), event.step) for event in events], losses(events)))
    whole, parted = "brbrbrbrbrbrbrbr", "bbrbrrbrbbrrbbrr"
    assert "".join(calls) == whole + parted
    assert found[0][0] == found[1][0]
    for one, other in zip(found[0][1], found[1][1], strict=True):
        assert one == pytest.approx(other, rel=1e-4)


@pytest.mark.fault(19)
@pytest.mark.parametrize("ahead", [False, True], ids=["told at once", "told later"])
@pytest.mark.parametrize("poison", ["weight", "gradient"])
def test_what_is_no_number_stops_before_the_optimizer(make_run, monkeypatch, poison, ahead):
    monkeypatch.setattr(learner_module, "is_guarded", lambda _: ahead)
    run = make_run("reverse")
    list(train(run.config(), run.folder))
    whole = run.checkpoints()[-1]
    trainer = trainer_of(run)
    batches = next(TransformerTrainer._work(trainer), None) or next(trainer_of(make_run("reverse"))._work())
    weight = trainer.learner.weights[0]
    if poison == "weight":
        with torch.no_grad():
            weight[0, 0] = math.nan
    else:
        weight.register_hook(lambda gradient: gradient * math.inf)
    state = {key: value.clone() for key, value in trainer.learner.optimizer.state[weight].items()}
    before = weight.detach().clone()
    with pytest.raises(Failure, match=r"step 7 was not taken: the (loss|gradient) is (nan|inf)") as raised:
        list(itertools.chain(*(trainer.steps.learn(batches) for _ in range(2))))
    assert str(batches[0].example_ids[0]) in str(raised.value)
    assert all(str(id) in raised.value.details for id in batches[0].example_ids)
    if poison == "weight":
        assert "the weights already contain NaN or infinite values" in str(raised.value)
    else:
        assert "learning rate" in str(raised.value)
    assert torch.equal(weight.nan_to_num(9), before.nan_to_num(9))
    assert all(torch.equal(state[key], value) for key, value in trainer.learner.optimizer.state[weight].items())
    assert whole.fault() == ""


@pytest.mark.fault(19)
def test_a_loss_that_is_no_number_ends_the_run_in_a_sentence(make_run, monkeypatch):
    run = make_run("reverse", "training.save_every=2")
    learn, calls = LOSSES["translation"], itertools.count()

    def spoiled(*given):
        return Sums(*(nats * (math.nan if next(calls) > 6 else 1) for nats in learn(*given)))

    monkeypatch.setitem(LOSSES, "translation", spoiled)
    with pytest.raises(UserError, match="was not taken: the loss is nan"):
        list(train(run.config(), run.folder))
    assert (run.state(), run.exit().code) == (RunState.FAILED, 1)
    assert "examples of the batch" in run.exit().details
    assert run.state().resumable
    assert run.checkpoints()[-1].fault() == ""
    monkeypatch.undo()
    assert play(run)[-1].reason == "finished"


def test_another_number_of_threads_is_said_at_resume(make_run):
    run = make_run()
    play(run, step_3=[Command(kind="stop")])
    text = (run.folder / "run.toml").read_text()
    (run.folder / "run.toml").write_text(text.replace("threads = 1", "threads = 2"))
    try:
        [warned] = of(Warned, play(run))
        assert "1 threads before, 2 now" in warned.sentence
    finally:
        torch.set_num_threads(1)


@pytest.mark.fault(29)
def test_changed_data_is_said_at_resume(make_run, tmp_path):
    file = tmp_path / "text.txt"
    file.write_text("The quick brown fox jumps over the lazy dog.\n" * 40)
    run = make_run("nano-decoder", "data.source=file", f"data.path={file}")
    play(run, step_3=[Command(kind="stop")])
    file.write_text(file.read_text().replace("fox", "dog", 1))
    events = play(run)
    assert any("data has changed" in event.sentence for event in of(Warned, events))
    assert events[-1].reason == "finished"


@pytest.mark.fault(29)
def test_on_changed_data_the_best_is_looked_for_anew(make_run, tmp_path, monkeypatch):
    """What was found on the data before is neither to be beaten nor the model that the run stands for."""
    found = iter([1.0, 1.5, 3.0, 2.0, 2.5])
    monkeypatch.setattr(trainer_module, "evaluate", lambda *_: Evaluation(next(found), {}, 1))
    file = tmp_path / "text.txt"
    file.write_text("The quick brown fox jumps over the lazy dog.\n" * 40)
    every = ("training.steps=5", "training.eval_every=1", "training.early_stopping=2")
    run = make_run("nano-decoder", "data.source=file", f"data.path={file}", *every)
    play(run, step_2=[Command(kind="stop")])
    assert run.best().step == 1
    file.write_text(file.read_text().replace("fox", "dog", 1))
    events = play(run)
    assert events[-1].reason == "finished"
    assert [event.best for event in of(Saved, events)] == [True, True, False]
    assert run.best().step == 4


@pytest.mark.fault(2, 6)
def test_a_damaged_checkpoint_is_named_and_the_one_before_taken(make_run):
    run = make_run("reverse", "training.steps=9", "training.save_every=2", "training.eval_every=100")
    play(run, step_6=[Command(kind="stop")])
    newest = run.checkpoints()[-1].folder / "model.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1] + b"\x55")
    events = play(run)
    assert of(Started, events)[0].step == 4
    said = [event.sentence for event in of(Warned, events)]
    assert "step-00000006" in said[0]
    assert "damaged" in said[0]
    assert any("step-00000006 was left by an earlier start" in sentence for sentence in said)
    assert events[-1].step == 9


class Second(Strategy):
    """How a process that is not the main one trains, which has `told` it so much at first."""

    is_main = False

    def __init__(self, *told: str) -> None:
        self.told = list(told)

    def of_main(self, text: str) -> str:
        return self.told.pop(0) if self.told else text


def test_every_process_goes_on_from_the_checkpoint_that_the_main_one_has_found(make_run, monkeypatch):
    run = make_run("reverse", "training.steps=4", "training.save_every=2", "training.eval_every=2")
    play(run)
    prepare = partial(TransformerTrainer.prepare, run.config(), run, Controls(run.folder), silent)
    assert prepare(Second("step-00000002")).step == 2, "it may not yet see the newest"
    assert prepare(Second("")).step == 0
    monkeypatch.setattr(checkpoints, "SEEN_SECONDS", 0.0)
    with pytest.raises(UserError, match="step-00000003 is not seen on "):
        prepare(Second("step-00000003"))


def test_data_that_are_others_on_another_machine_are_refused(make_run):
    run = make_run("reverse")
    with pytest.raises(UserError, match="differ from those of the first process"):
        TransformerTrainer.prepare(run.config(), run, Controls(run.folder), silent, Second("", "another"))


def test_prompts_of_ones_own_and_one_that_cannot_be(make_run):
    run = make_run("nano-encoder", "training.sample_every=6", 'training.sample_prompts=["a [MASK] of", "no gap"]')
    events = play(run)
    assert [event.prompt for event in of(Sampled, events)] == ["a [MASK] of"]
    assert ["no gap" in event.sentence for event in of(Warned, events)] == [True]


def test_samples_leave_training_as_it_was(tiny, tmp_path):
    overrides = ["model.dropout=0.3", "training.steps=4"]
    without = losses(train(tiny("nano-decoder", *overrides), tmp_path / "without"))
    assert losses(train(tiny("nano-decoder", *overrides, "training.sample_every=1"), tmp_path / "with")) == without
    first = tiny("nano-decoder", *overrides, "training.sample_every=1", "training.eval_at_start=true")
    assert losses(train(first, tmp_path / "first")) == without


def test_whoever_leaves_at_the_last_event_leaves_a_finished_run(make_run):
    run = make_run()
    assert any(isinstance(event, Finished) for event in train(run.config(), run.folder))
    assert run.state() is RunState.FINISHED
    assert [event.reason for event in of(Finished, run.events())] == ["finished"]


def test_stop_in_the_midst_of_a_validation_ends_it(make_run, monkeypatch):
    run = make_run("reverse", "training.eval_every=2")

    def asking(self, model):
        run.command(Command(kind="stop"))
        return model

    monkeypatch.setattr(Strategy, "forward", asking)
    events = play(run)
    assert not of(Evaluated, events)[1:]
    assert events[-1].reason == "stopped"
    assert run.checkpoints()[-1].step == events[-1].step


NO_MEMORY = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes.")


@pytest.mark.fault(20)
def test_what_was_learned_is_saved_where_memory_runs_out_between_steps(make_run, monkeypatch):
    def fail(*_, **__):
        raise NO_MEMORY

    run = make_run("reverse", "training.eval_every=5", "training.save_every=100", "training.steps=20")
    monkeypatch.setattr(trainer_module, "evaluate", fail)
    with pytest.raises(UserError, match="memory ran out after step 5"):
        play(run)
    assert [checkpoint.step for checkpoint in run.checkpoints()] == [5]


@pytest.mark.fault(20)
def test_half_a_step_is_not_saved_where_memory_runs_out(make_run, monkeypatch):
    run = make_run("reverse", "training.save_every=3", "training.steps=20", "training.warmup_steps=10")
    update, of_step_5 = Learner.update, learning_rate(run.config().training, run.config().model.d_model, 5)

    def fail(self, rate):
        update(self, rate)
        if rate == of_step_5:
            raise NO_MEMORY

    monkeypatch.setattr(Learner, "update", fail)
    with pytest.raises(UserError, match="memory ran out after step"):
        play(run)
    assert [checkpoint.step for checkpoint in run.checkpoints()] == [3]


def test_ctrl_c_saves_nothing_more_and_reaches_whoever_reads_the_events(make_run, monkeypatch):
    run, said = make_run("reverse", "training.steps=1000"), []
    learn = trainer_module.Steps.learn

    def interrupted(self, batches):
        yield from learn(self, batches)
        if self.step == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(trainer_module.Steps, "learn", interrupted)
    with pytest.raises(KeyboardInterrupt):
        said.extend(train(run.config(), run.folder))
    assert run.state() is RunState.STOPPED
    assert [event.reason for event in of(Finished, run.events())] == ["stopped"]
