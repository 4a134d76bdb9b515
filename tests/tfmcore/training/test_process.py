"""The trainer's process, really started, killed, stopped, frozen and starved."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tfmcore import runs
from tfmcore.config import UserError
from tfmcore.messages import Command, Failed, Saved, Started, Stepped, Warned
from tfmcore.runs import Run, RunState, start_trainer
from tfmcore.training.process import run_trainer
from tfmcore.training.signals import LISTENING_SECONDS, stop_signals

ROOT = Path(__file__).parents[3]
LONG = ["training.steps=100000", "training.eval_every=100000", "training.save_every=20"]
NUM_KILLS = 2
"""Thirty have been survived, too."""


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def reached(run: Run, step: int) -> bool:
    return any(isinstance(event, Stepped) and event.step >= step for event in run.events())


@pytest.fixture
def start(monkeypatch):
    """Start a run's trainer as the window does; it is gone after the test."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    started = []

    def begin(run: Run) -> subprocess.Popen:
        started.append(start_trainer(run))
        return started[-1]

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


@pytest.mark.fault(21, 36)
def test_killed_shown_as_interrupted_and_resumed_to_the_end(make_run, start):
    run = make_run("reverse", *LONG)
    process = start(run)
    assert run.state() is RunState.PREPARING
    with pytest.raises(UserError, match="has a trainer already"):
        start_trainer(run)
    wait_for(lambda: reached(run, 50))
    assert run.state() is RunState.RUNNING
    assert psutil.Process(process.pid).nice() == min(19, psutil.Process().nice() + 10)
    assert run_trainer(run, lambda _: None).code == 2  # a second one, here
    assert run.state() is RunState.RUNNING
    process.kill()
    wait_for(lambda: run.state() is RunState.INTERRUPTED)
    assert run.state().resumable
    with open(run.folder / "events.jsonl", "ab") as file:
        file.write(b'{"kind": "stepped", "ste')  # as a kill may leave it
    saved = run.checkpoints()[-1].step
    start(run)
    wait_for(lambda: reached(run, saved + 200))
    run.command(Command(kind="stop"))
    wait_for(lambda: run.state() is RunState.STOPPED)
    assert [event.step for event in run.events() if isinstance(event, Started)] == [0, saved]
    assert run.checkpoints()[-1].step == run.exit().step
    assert (run.folder / "log.txt").read_text().count("saved") >= 3


@pytest.mark.fault(1)
def test_killed_in_mid_checkpoint_again_and_again(make_run, start):
    run, chance = make_run("reverse", *LONG, "training.save_every=1"), random.Random(1)
    for _ in range(NUM_KILLS):
        process = start(run)
        saved = max((event.step for event in run.events() if isinstance(event, Saved)), default=0)
        wait_for(lambda saved=saved: reached(run, saved + 3))
        time.sleep(chance.random() * 0.05)
        process.kill()
        process.wait()
        said = max(event.step for event in run.events() if isinstance(event, Saved))
        assert run.checkpoints()[-1].step >= said
        assert run.checkpoints()[-1].fault() == ""
    events = list(run.events())
    assert not [event for event in events if isinstance(event, Warned | Failed)]
    starts = [event.step for event in events if isinstance(event, Started)]
    assert starts == sorted({0, *starts})


@pytest.mark.fault(37)
def test_paused_it_rests_while_its_heart_beats_and_frozen_it_can_be_killed(make_run, start, monkeypatch):
    run = make_run("reverse", *LONG)
    process = start(run)
    wait_for(lambda: reached(run, 5))
    run.command(Command(kind="pause"))
    wait_for(lambda: run.state() is RunState.PAUSED)
    watched = psutil.Process(process.pid)
    used, beat = sum(watched.cpu_times()[:2]), run.status().ticks
    wait_for(lambda: run.status().ticks > beat + 1)
    assert sum(watched.cpu_times()[:2]) - used < 0.3
    process.send_signal(signal.SIGSTOP)
    monkeypatch.setattr(runs, "SILENT_AFTER_SECONDS", 2.5)
    wait_for(lambda: run.state() is RunState.SILENT)
    assert run.kill()
    assert process.wait(60) == -signal.SIGKILL
    assert run.state() is RunState.INTERRUPTED


@pytest.mark.fault(23)
def test_ctrl_c_to_its_group_saves_and_stops(make_run, start):
    run = make_run("reverse", *LONG, "training.save_every=100000")
    process = start(run)
    wait_for(lambda: reached(run, 10))
    os.killpg(process.pid, signal.SIGINT)
    process.wait(60)
    assert run.state() is RunState.STOPPED
    assert run.checkpoints()[-1].step == run.exit().step >= 10


def test_what_nohup_started_lives_on_without_its_terminal(make_run):
    run, before = make_run("reverse", *LONG, "training.steps=30"), signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def hang_up(event):
        if isinstance(event, Stepped) and event.step == 10:
            os.kill(os.getpid(), signal.SIGHUP)

    try:
        assert run_trainer(run, hang_up).state is RunState.FINISHED
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_ctrl_break_of_windows_asks_too(monkeypatch):
    monkeypatch.setattr(signal, "SIGBREAK", signal.SIGUSR1, raising=False)
    asked, before = [], signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        with stop_signals(lambda: asked.append(True)):
            os.kill(os.getpid(), signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert asked


@pytest.mark.fault(23)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize(("times", "step"), [(1, 26), (2, 20)])
def test_one_signal_saves_and_a_second_stops_at_once(make_run, number, times, step):
    run = make_run("reverse", *LONG)

    def impatient(event):
        if isinstance(event, Stepped) and event.step == 26:
            for _ in range(times):
                os.kill(os.getpid(), number)

    before = signal.signal(number, signal.SIG_DFL)  # nohup, which may have started the tests, has one of them ignored
    try:
        ended = run_trainer(run, impatient)
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)
    assert (ended.state, ended.step) == (RunState.STOPPED, step)
    assert run.exit() == ended
    assert run.checkpoints()[-1].step == step


@pytest.mark.fault(22)
def test_whoever_started_it_may_die(make_run):
    run = make_run("reverse", *LONG)
    code = "import sys, time\nfrom pathlib import Path\nfrom tfmcore.runs import Run, start_trainer\n"
    code += "start_trainer(Run(Path(sys.argv[1])))\nprint(flush=True)\ntime.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, run.folder], cwd=ROOT, stdout=subprocess.PIPE) as window:
        window.stdout.readline()
        window.kill()
    wait_for(lambda: reached(run, 30))
    assert run.state() is RunState.RUNNING
    run.command(Command(kind="stop"))
    wait_for(lambda: run.state() is RunState.STOPPED)


def exit_of(run: Run, limit: str = "", break_pipe: bool = False) -> int:
    """The exit code of a trainer whom nobody watches, under a limit of the system, its words going to a pipe."""
    code = f"import resource, sys\nfrom pathlib import Path\n{limit}\nfrom tfmcore.runs import Run\n"
    code += "from tfmcore.training.process import run_trainer\nsys.exit(run_trainer(Run(Path(sys.argv[1]))).code)"
    command, words = [sys.executable, "-c", code, run.folder], subprocess.PIPE if break_pipe else subprocess.DEVNULL
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=words, stderr=words) as process:
        try:
            if break_pipe:
                process.stdout.close(), process.stderr.close()
            return process.wait(100)
        finally:
            process.kill()


@pytest.mark.fault(22)
def test_a_dead_pipe_for_its_words_does_not_matter(make_run):
    run = make_run("reverse", "training.steps=30")
    assert exit_of(run, break_pipe=True) == 0
    assert run.state() is RunState.FINISHED


@pytest.mark.fault(3)
def test_a_full_disk_stops_with_a_sentence(make_run):
    run = make_run("reverse", *LONG, "model.d_model=64")
    assert exit_of(run, "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))") == 1
    ended = run.exit()
    assert (ended.state, ended.step) == (RunState.FAILED, 20)
    assert "the checkpoint of step 20 could not be written" in ended.sentence
    assert "File too large" in ended.sentence
    assert list((run.folder / "checkpoints").iterdir()) == []
    assert list(run.events())[-1].sentence == ended.sentence


@pytest.mark.fault(20)
def test_too_little_memory_says_how_much_and_what_would_fit(make_run):
    run = make_run("nano-decoder", "model.d_model=512", "model.context_length=512", "training.batch_size=8192")
    assert exit_of(run, f"resource.setrlimit(resource.RLIMIT_AS, ({6 * 2**30}, {6 * 2**30}))") == 1
    ended = run.exit()
    assert "memory ran out after step 0" in ended.sentence
    assert "could not allocate another" in ended.sentence
    (batch, size), (_, times) = (option.rsplit("=", 1) for option in ended.remedy[:2])
    assert batch == "training.batch_size"
    assert int(size) * int(times) == 8192
    assert " and ".join(ended.remedy) in ended.sentence


LIMIT_LATER = """
import psutil
from tfmcore.messages import Stepped
from tfmcore.training import heap, process
heap.KEPT = 2**17, 2**16  # so little that the next step must ask for it again
take = process.Record.take
def limited(self, event, code=0):
    take(self, event, code)
    if isinstance(event, Stepped) and event.step == 3:
        used = psutil.Process().memory_info().vms + 16 * 2**20  # where a step needs over 40
        resource.setrlimit(resource.RLIMIT_AS, (used, -1))
process.Record.take = limited
"""


@pytest.mark.fault(20)
def test_a_run_whose_memory_ran_out_goes_on_from_its_last_step_with_what_it_says(make_run):
    """It could have its first steps, and then no more; with the smaller batch it learns as well."""
    large = "model.context_length=256", "model.d_model=64", "training.batch_size=32", "training.save_every=100"
    again = make_run("nano-decoder", *large, "training.steps=6", "training.eval_every=100", "model.dropout=0")
    whole = make_run("nano-decoder", *large, "training.steps=6", "training.eval_every=100", "model.dropout=0")
    assert exit_of(again, LIMIT_LATER) == 1
    ended = again.exit()
    assert "memory ran out after step 3" in ended.sentence
    assert [checkpoint.step for checkpoint in again.checkpoints()] == [3]
    again.change(ended.remedy)
    assert again.config().training.batch_size < 32
    assert run_trainer(again, lambda _: None).state is RunState.FINISHED
    run_trainer(whole, lambda _: None)
    losses = [[event.loss for event in run.events() if isinstance(event, Stepped)] for run in (again, whole)]
    assert losses[0][:3] == losses[1][:3]
    assert losses[0][3:] == pytest.approx(losses[1][3:], rel=0.05), "of other windows of the same text"


def test_bad_input_is_told_by_exit_json_event_and_code(make_run):
    run = make_run("nano-decoder", "data.source=file", "data.path=/no/such/file.txt")
    events = []
    ended = run_trainer(run, events.append)
    assert (ended.state, ended.code) == (RunState.FAILED, 2)
    assert "/no/such/file.txt" in ended.sentence
    assert events == list(run.events())
    assert events[-1].sentence == ended.sentence == run.exit().sentence


def test_a_config_that_cannot_be_read_is_told_too(make_run):
    run = make_run()
    (run.folder / "run.toml").write_text("[model")
    assert run_trainer(run, lambda _: None).code == 2
    assert "run.toml" in run.exit().sentence


def test_what_nobody_foresaw_has_its_traceback(make_run, monkeypatch):
    run = make_run()
    monkeypatch.setattr(Run, "config", lambda self: {}["no such"])
    ended = run_trainer(run, lambda _: None)
    assert (ended.state, ended.code) == (RunState.FAILED, 1)
    assert "KeyError" in ended.sentence
    assert "Traceback" in ended.details


@pytest.mark.fault(4)
@pytest.mark.parametrize("place", ["file", "checkpoints"])
def test_a_folder_that_cannot_be_written_is_refused_before_the_first_step(make_run, place):
    run, events = make_run(), []
    if place == "file":
        (run.folder / "events.jsonl").mkdir()
    else:
        (run.folder / "checkpoints").rmdir()
        (run.folder / "checkpoints").write_text("")
    ended = run_trainer(run, events.append)
    assert (ended.state, ended.step, ended.code) == (RunState.FAILED, 0, 2)
    assert "cannot be written" in ended.sentence
    assert not [event for event in events if isinstance(event, Started | Stepped)]


def test_a_watcher_that_has_gone_away_ends_the_run_well(make_run):
    run = make_run("reverse", *LONG)

    def closed(event):
        if isinstance(event, Stepped) and event.step == 3:
            raise BrokenPipeError

    assert run_trainer(run, closed).state is RunState.STOPPED
    assert run.checkpoints()[-1].step == run.exit().step


def test_a_stop_while_the_data_is_prepared_ends_it(make_run):
    run = make_run()
    seen = []

    def progress(phase, done, total):
        seen.append(phase)
        run.command(Command(kind="stop"))

    ended = run_trainer(run, lambda _: None, progress)
    assert (ended.state, ended.step) == (RunState.STOPPED, 0)
    assert seen


@pytest.mark.parametrize("how", ["window", "signal", "group"])
def test_a_stop_while_the_layers_are_compiled_interrupts_the_compiler(make_run, start, monkeypatch, tmp_path, how):
    monkeypatch.setenv("TFM_CACHE", str(tmp_path / "empty"))  # so that it takes the compiler long
    run = make_run("reverse", *LONG, "training.compile=always")
    process = start(run)

    def compilers():
        return [child for child in psutil.Process(process.pid).children(recursive=True) if is_at_work(child)]

    def is_at_work(child):
        try:
            return "cc1plus" in child.name() and child.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    wait_for(lambda: run.status().phase.startswith("compiling") and compilers())
    run.command(Command(kind="pause"))
    time.sleep(3 * LISTENING_SECONDS)
    assert process.poll() is None, run.exit()
    wait_for(compilers)
    at_work = compilers()
    if how == "window":
        run.command(Command(kind="stop"))
    elif how == "signal":
        process.send_signal(signal.SIGINT)
    else:  # as a terminal does, so that the compiler fails
        os.killpg(process.pid, signal.SIGINT)
    assert process.wait(20) == 130  # far less than the rest would take
    assert (run.exit().state, run.exit().step) == (RunState.STOPPED, 0)
    wait_for(lambda: not any(map(is_at_work, at_work)), 5)
