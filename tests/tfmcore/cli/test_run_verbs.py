"""status, pause, stop, save, learning-rate, resume: the verbs about runs, on folders as a trainer writes them."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import psutil
import pytest

from tfmcore.config import Config, find_preset
from tfmcore.messages import Command, Evaluated, Finished, Noticed, Sampled, Started, Stepped
from tfmcore.runs import Exit, Run, RunState, list_runs, own_status, start_time

NAMES = ["../x", "/etc/passwd", "x" * 300, "two\nlines", "🙂", "été 训练", "", "a", "a", "con", "."]
ASKS = {"pause": "pause", "stop": "stop", "save": "save_now"}


@contextmanager
def sleeping():
    """A process that stands for a trainer, and may be killed."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"]) as process:
        yield psutil.Process(process.pid)
        process.kill()


@pytest.fixture(scope="module")
def trainer():
    with sleeping() as process:
        yield process


@pytest.fixture
def sleeper():
    with sleeping() as process:
        yield process


@pytest.fixture
def make(workspace, trainer):
    def make(label="first", state=RunState.RUNNING, process=trainer, ended=None):
        run = Run.create(workspace / "runs", find_preset("reverse").config(), label)
        status = own_status(
            state, process.pid, step=30, steps=100, loss=1.25, epoch=1.5, peak_memory=2**29, seconds_left=75
        )
        status.write(run.folder / "status.json")
        if ended:
            Exit(state=ended, step=40, sentence="It ended.").write(run.folder / "exit.json")
        return run

    return make


def asked(run):
    path = run.folder / "control.jsonl"
    return [Command.model_validate_json(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.parametrize(("verb", "wish"), ASKS.items())
def test_asks_the_run_by_id_name_and_folder(tfm, make, verb, wish):
    run = make("meine Nr. 1")
    for name in (run.id, "meine Nr. 1", run.folder):
        result = tfm(verb, name)
        assert (result.code, result.out) == (0, "")
    assert [command.kind for command in asked(run)] == [wish] * 3


def test_learning_rate(tfm, make):
    run = make()
    assert tfm("learning-rate", "first", "3e-4").code == 0
    result = tfm("learning-rate", "first", "schedule")
    assert result.code == 0
    assert "by its schedule" in result.err
    assert asked(run) == [Command(kind="set_learning_rate", value=3e-4), Command(kind="set_learning_rate")]


@pytest.mark.parametrize("ended", [RunState.FINISHED, RunState.STOPPED, RunState.FAILED])
@pytest.mark.parametrize("words", [["pause"], ["stop"], ["save"]])
def test_run_that_ended_can_be_asked_for_nothing(tfm, make, ended, words):
    run = make(ended=ended)
    result = tfm(*words, "first")
    assert result.code == 2
    assert str(ended) in result.err
    assert asked(run) == []


def test_resume_lets_a_paused_run_go_on(tfm, make):
    run = make(state=RunState.PAUSED)
    assert tfm("resume", "first").code == 0
    assert asked(run) == [Command(kind="resume")]


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.PREPARING])
def test_resume_of_a_run_that_trains(tfm, make, state):
    make(state=state)
    result = tfm("resume", "first")
    assert result.code == 2
    assert "nothing to resume" in result.err


def test_resume_of_a_finished_run_changes_nothing(tfm, make):
    config = make(ended=RunState.FINISHED).folder / "run.toml"
    before = config.read_text()
    result = tfm("resume", "first", "--set", "training.batch_size=2")
    assert result.code == 2
    assert "finished: there is nothing to resume (`tfm branch` trains it for longer)" in result.err
    assert config.read_text() == before


def test_stop_by_force_ends_the_process(tfm, make, sleeper):
    run = make(process=sleeper)
    assert tfm("stop", "first", "--force").code == 0
    assert sleeper.wait(60) != 0
    assert run.state() is RunState.INTERRUPTED


@pytest.mark.fault(37)
def test_stop_ends_a_run_that_hangs(tfm, make, sleeper):
    run = make(process=sleeper)
    os.kill(sleeper.pid, signal.SIGSTOP)
    status = run.status().model_copy(update={"ticks": run.status().ticks - 100})
    status.write(run.folder / "status.json")
    assert tfm("status", "first").out.count("not responding") == 1
    assert tfm("stop", "first").code == 0
    assert sleeper.wait(60) != 0


@pytest.mark.fault(24)
def test_process_id_of_a_stranger_is_never_signalled(tfm, make, sleeper):
    run = make(process=sleeper)
    status = run.status().model_copy(update={"started": start_time(sleeper.pid) - 100})
    status.write(run.folder / "status.json")
    result = tfm("stop", "first", "--force")
    assert (result.code, len(result.err.splitlines())) == (1, 1)
    assert sleeper.is_running()
    assert "interrupted" in tfm("status").out


def test_status_lists_the_runs_newest_first(tfm, make):
    make("older", ended=RunState.FINISHED)
    make("newer")
    lines = tfm("status").out.splitlines()
    assert len(lines) == 3
    assert "30/100" in next(line for line in lines if "newer" in line)
    assert "1 min 15 s" in next(line for line in lines if "newer" in line)
    assert "finished" in next(line for line in lines if "older" in line)


def test_status_as_json(tfm, make):
    run = make()
    (line,) = tfm("status", "--json").out.splitlines()
    facts = json.loads(line)
    assert facts == json.loads(tfm("status", run.id, "--json").out)
    assert (facts["id"], facts["label"], facts["state"], facts["step"]) == (run.id, "first", "running", 30)
    assert (facts["epoch"], facts["peak_memory"]) == (1.5, 2**29)


def test_status_of_one_run(tfm, make):
    run = make(ended=RunState.FAILED)
    out = tfm("status", "first").out
    assert "It ended." in out
    facts = dict(line.split(None, 1) for line in out.splitlines())
    assert (facts["epoch"], facts["loss"], facts["peak_memory"]) == ("1.5", "1.2500", "512 MiB")
    assert str(run.folder) in out


def test_status_without_runs_says_how_to_make_one(tfm):
    result = tfm("status")
    assert (result.code, result.out) == (0, "")
    assert "tfm train" in result.err


def test_status_of_half_written_and_strange_folders(tfm, make, workspace):
    run = make()
    (run.folder / "status.json").write_text('{"state": "runn')
    (workspace / "runs" / "not a run").mkdir()
    (workspace / "runs" / "file").write_text("")
    result = tfm("status")
    assert result.code == 0
    assert "waiting" in result.out


def test_follow_shows_what_happened_and_ends_with_the_run(tfm, make):
    run = make(ended=RunState.FINISHED)
    events = [
        Started(
            steps=2,
            parameters=1234,
            vocab_size=9,
            num_train=5,
            num_validation=2,
            steps_per_epoch=4,
            device="cpu",
            threads=1,
        ),
        Stepped(step=1, loss=2.5, learning_rate=1e-3, gradient_norm=1, tokens=100, seconds=0.1),
        Evaluated(step=2, loss=1.5, metrics={"exact_match": 0.5}),
        Sampled(step=2, prompt="[bold]a\nb", text="🙂", expected="c"),
        Finished(step=2),
    ]
    lines = "".join(event.model_dump_json() + "\n" for event in events)
    (run.folder / "events.jsonl").write_text(lines + '{"kind": "stepp', encoding="utf-8")
    result = tfm("status", "first", "--follow")
    assert result.code == 0
    for said in ("1,234 parameters", "2 steps are 0.5 epochs", "step 1/2  epoch 0.25  loss 2.5000",
                 "validation loss 1.5000  exact_match 0.5",
                 "[bold]a↵b → 🙂  (expected c)"):  # fmt: skip
        assert said in result.err
    assert "finished" in result.out


@pytest.mark.fault(26)
@pytest.mark.parametrize("name", NAMES, ids=[name[:12].replace("\n", "-") for name in NAMES[:-1]] + ["dot"])
def test_any_name_is_only_a_label(tfm, make, workspace, name):
    run, second = make(name), make(name)
    assert run.folder.parent == second.folder.parent == workspace / "runs"
    assert run.folder != second.folder
    assert sorted(each.id for each in list_runs(workspace / "runs")) == sorted([run.id, second.id])
    assert "\n" not in run.label
    assert len(run.label) <= 200
    assert tfm("pause", run.label).code == 0


def test_what_was_noticed_of_a_run_is_told_with_its_batch_and_its_curves_are_written(tfm, workspace, tmp_path):
    run = Run.create(workspace / "runs", Config(), "first")
    step = Stepped(step=1, loss=2.0, learning_rate=0.1, gradient_norm=1.0, tokens=3, seconds=0.1)
    spike = Noticed(step=1, what="loss_spike", sentence="the loss jumped", example_ids=[3, 8], texts=["The\nend"])
    with open(run.folder / "events.jsonl", "w", encoding="utf-8") as file:
        file.writelines(event.model_dump_json() + "\n" for event in (step, spike))
    words = tfm("status", "first", "--export", tmp_path / "curves.csv")
    assert words.code == 0
    assert "step 1: loss spike: the loss jumped" in words.out
    assert "examples of the batch: 3, 8" in words.out
    assert "  | The end" in words.out
    assert (tmp_path / "curves.csv").read_text().splitlines()[0].startswith("step,loss")
    assert json.loads(tfm("status", "first", "--json").out)["noticed"][0]["example_ids"] == [3, 8]
