"""A run folder says the truth while its trainer lives, and afterwards."""

import errno
import os
import time

import psutil
import pytest

from tfmcore.config import Config, UserError
from tfmcore.messages import Command, Failed, Finished, Sampled, Started, Stepped, Warned
from tfmcore.runs import STARTING, Exit, Run, RunState, own_status
from tfmcore.training import record as record_module
from tfmcore.training.controls import Controls
from tfmcore.training.record import Record, end_last_line, log_sentence


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "été 训练 🙂", Config(), "run")


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(record_module, "HEARTBEAT_SECONDS", 0.02)


def record_of(run: Run) -> Record:
    return Record(run, Controls(run.folder))


STARTED = Started(step=0, steps=9, parameters=1, vocab_size=1, num_train=9, num_validation=1, steps_per_epoch=4,
                  device="cpu", threads=1)  # fmt: skip


def stepped(step: int) -> Stepped:
    return Stepped(step=step, loss=2.0, learning_rate=0.1, gradient_norm=1.0, tokens=1, seconds=0.1)


def wait_for(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_life_of_a_run(run, quick):
    with record_of(run) as record:
        assert run.state() is RunState.PREPARING
        record.progress("tokenising", 3, 10)
        wait_for(lambda: run.status().done == 3)
        assert (run.status().phase, run.status().total) == ("tokenising", 10)
        record.take(STARTED)
        assert run.state() is RunState.RUNNING
        for step in range(1, 6):
            record.take(stepped(step))
            assert [event.step for event in run.events()] == list(range(step + 1))  # a window sees it at once
            time.sleep(0.01)
        wait_for(lambda: run.status().step == 5)
        assert run.status().loss == pytest.approx(2.0)
        assert run.status().epoch == 5 / 4
        assert run.status().peak_memory >= psutil.Process().memory_info().rss / 2 > 2**20
        record.take(stepped(5).model_copy(update={"loss": 102.0}))
        wait_for(lambda: run.status().loss > 2.1)
        assert 2 < run.status().loss < 30, "one step that jumps does not stand for all"
        assert run.status().seconds_left < 60
        run.command(Command(kind="pause"))
        record.controls.poll()
        assert run.state() is RunState.PAUSED
        assert run.status().seconds_left is None
        run.command(Command(kind="stop"))
        record.controls.poll()
        assert run.state() is RunState.STOPPING
        record.take(Finished(step=5, reason="stopped", loss=1.5))
    assert run.state() is RunState.STOPPED
    assert (run.exit().step, run.exit().code) == (5, 0)
    assert "1.5" in run.exit().sentence
    assert not list(run.folder.glob(".*"))


def test_the_heart_beats_by_itself(run, quick):
    with record_of(run):
        first = run.status().ticks
        wait_for(lambda: run.status().ticks > first + 0.05)


@pytest.mark.parametrize(
    ("event", "state", "code"),
    [
        (Finished(step=3), RunState.FINISHED, 0),
        (Finished(step=3, reason="early_stopping"), RunState.FINISHED, 0),
        (Finished(step=3, reason="stopped"), RunState.STOPPED, 0),
        (Failed(step=3, sentence="why", details="where"), RunState.FAILED, 2),
    ],
)
def test_exit_and_last_event_agree(run, event, state, code):
    with record_of(run) as record:
        record.take(event, code)
    ended = run.exit()
    assert (ended.state, ended.step, ended.code) == (state, 3, code)
    assert ended.sentence
    assert list(run.events()) == [event]


def test_two_trainers_cannot_have_one_folder(run):
    with record_of(run) as record:
        before = run.status()
        with pytest.raises(UserError, match="has a trainer already"), record_of(run):
            pass
        (run.folder / "status.json").unlink()  # even where nothing tells of the first
        with pytest.raises(UserError, match="has a trainer already"), record_of(run):
            pass
        record.take(Finished(step=1))
        assert before.pid == os.getpid()
    with record_of(run):
        assert run.state() is RunState.PREPARING


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOTSUP, errno.EIO])
def test_a_folder_without_locks_can_be_had(run, monkeypatch, number):
    def refuse(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(record_module, "take", refuse)
    if number == errno.EIO:
        with pytest.raises(UserError, match="cannot be written"), record_of(run):
            pass
        return
    with record_of(run):
        assert run.state() is RunState.PREPARING


def test_another_host_that_beats_is_not_pushed_aside(run):
    own_status(RunState.RUNNING, 1).model_copy(update={"host": "elsewhere"}).write(run.folder / "status.json")
    with pytest.raises(UserError, match="has a trainer already"), record_of(run):
        pass


def test_what_the_last_life_said_and_was_asked_is_void(run):
    run.command(Command(kind="stop"))
    Exit(state=RunState.STOPPED, step=3).write(run.folder / "exit.json")
    (run.folder / ".status.json-99999").write_text("{")
    with record_of(run) as record:
        assert not record.controls.stopping()
        assert run.exit() is None
        assert not list(run.folder.glob(".*"))


def test_what_was_asked_while_it_started_counts(run):
    own_status(RunState.PREPARING, os.getpid(), phase=STARTING).write(run.folder / "status.json")
    run.command(Command(kind="stop"))
    with record_of(run) as record:
        assert record.controls.stopping()


@pytest.mark.fault(36)
@pytest.mark.parametrize("left", ["", '{"kind": "war', "x\n"])
def test_a_line_that_a_kill_cut_does_not_swallow_the_next(run, left):
    path = run.folder / "events.jsonl"
    path.write_text(left)
    with record_of(run) as record:
        record.take(Warned(step=1, sentence="w\nw"))
    assert [event.sentence for event in run.events()] == ["w\nw"]
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
    size = path.stat().st_size
    end_last_line(descriptor)
    os.close(descriptor)
    assert path.stat().st_size == size


def test_a_folder_that_cannot_be_written_is_refused(run):
    (run.folder / "events.jsonl").mkdir()
    with pytest.raises(UserError, match="cannot be written"), record_of(run):
        pass
    (run.folder / "events.jsonl").rmdir()
    (run.folder / "exit.json").mkdir()
    with pytest.raises(UserError, match="cannot be written"), record_of(run):
        pass
    (run.folder / "exit.json").rmdir()
    with record_of(run):  # which the one that was refused does not hold
        pass


def test_the_log_says_what_a_person_wants_to_read_later(run):
    with record_of(run) as record:
        record.take(STARTED)
        record.take(stepped(1))
        record.take(Sampled(step=1, prompt="p", text="t"))
        record.take(Failed(step=1, sentence="why", details="a traceback"))
    lines = (run.folder / "log.txt").read_text().splitlines()
    assert [line.partition("  ")[2] for line in lines] == [
        "step 0: training on cpu with 1 threads, 1 parameters",
        "step 1: failed: why",
        "",
    ]
    assert lines[-1] == "a traceback"
    assert log_sentence(stepped(1)) == ""


def test_a_launched_process_takes_the_run_that_another_host_waited_for(run):
    status = own_status(RunState.PREPARING, 1, phase="waiting for the other machines")
    status.model_copy(update={"host": "another"}).write(run.folder / "status.json")
    with pytest.raises(UserError, match="has a trainer already"):
        record_of(run).__enter__()
    with Record(run, Controls(run.folder), launcher=os.getppid()):
        assert run.status().pid == os.getppid()
