"""A shared run as the window and the terminal start it: processes that are killed, stopped, frozen and that fail."""

import contextlib
import json
import math
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import psutil
import pytest
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

from tests.tfmcore.training.parallel.processes import config
from tfmcore.config import Config, UserError
from tfmcore.messages import Command, Evaluated, Failed, Finished, Saved, Started, Stepped
from tfmcore.runs import Exit, Run, RunState, own_status, start_trainer
from tfmcore.training.parallel import launch
from tfmcore.training.parallel.launch import environment
from tfmcore.training.parallel.rendezvous import VERSIONS, rendezvous, takes_part, versions, waiting
from tfmcore.training.process import run_trainer

pytestmark = pytest.mark.timeout(300)
SHORT = ["training.steps=60", "training.save_every=10", "training.eval_every=30"]
LONG = ["training.steps=1000000", "training.save_every=1000000", "training.eval_every=1000000"]


def wait_for(condition: Callable[[], object], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def steps(run: Run) -> list[Stepped]:
    return [event for event in run.events() if isinstance(event, Stepped)]


def ended(run: Run) -> bool:
    return not run.state().alive


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Start a run as the window does; nothing of it lives on after the test."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    launchers = []

    def begin(config: Config) -> tuple[Run, list[psutil.Process]]:
        run = Run.create(tmp_path / "été 训练 🙂", config, "shared")
        launcher = start_trainer(run)
        launchers.append(psutil.Process(launcher.pid))
        return run, launchers

    yield begin
    for launcher in launchers:
        with contextlib.suppress(psutil.NoSuchProcess):  # it may end just now
            for process in [launcher, *launcher.children(recursive=True)]:
                process.kill()
    psutil.wait_procs(launchers, 20)


def gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


def test_a_run_whose_process_is_killed_ends_as_an_undisturbed_one(start):
    shared = config("nano-decoder", "fsdp", *SHORT, "training.gradient_clip=1.0", "training.eval_at_start=true")
    undisturbed, _ = start(shared)
    wait_for(lambda: ended(undisturbed))
    run, [_, launcher] = start(shared)
    wait_for(lambda: any(isinstance(event, Saved) and event.step >= 20 for event in run.events()))
    workers = run.workers(launcher.pid)
    assert len(workers) == 2
    workers[1].kill()
    wait_for(lambda: ended(run))
    assert run.exit() is not None
    assert run.exit().sentence == undisturbed.exit().sentence
    assert run.exit().code == 0
    begun = [event.step for event in run.events() if isinstance(event, Started)]
    assert len(begun) in (1, 2), "killed too late to matter, or started again once"
    assert begun == [0] or begun[1] >= 20
    last = {event.step: event.loss for event in steps(run)}
    assert last == {event.step: pytest.approx(event.loss, rel=1e-5) for event in steps(undisturbed)}
    one, other = ({e.step: e.loss for e in r.events() if isinstance(e, Evaluated)} for r in (run, undisturbed))
    assert one == {step: pytest.approx(other[step], rel=1e-5) for step in (0, 30, 60)}
    wait_for(lambda: gone([launcher, *workers]))


def test_stop_ends_every_process_at_the_same_step(start, tmp_path, monkeypatch):
    (temporary := tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    run, [launcher] = start(config("nano-seq2seq", "pipeline", *LONG, "training.eval_at_start=true"))
    assert run.status().pid == launcher.pid
    wait_for(lambda: len(steps(run)) >= 5)
    workers = run.workers(launcher.pid)
    assert all({"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & worker.environ().keys() for worker in workers)
    assert run.state() is RunState.RUNNING
    assert run.status().pid == launcher.pid
    run.command(Command(kind="pause"))
    wait_for(lambda: run.state() is RunState.PAUSED)
    run.command(Command(kind="set_learning_rate", value=0.125))
    run.command(Command(kind="resume"))
    wait_for(lambda: steps(run)[-1].learning_rate == 0.125)
    run.command(Command(kind="stop"))
    wait_for(lambda: ended(run))
    wait_for(lambda: gone([launcher, *workers]))
    assert run.state() is RunState.STOPPED
    *_, finished = run.events()
    assert isinstance(finished, Finished)
    assert finished.reason == "stopped"
    assert run.checkpoints()[-1].step == finished.step == run.exit().step
    assert run.checkpoints()[0].score < math.inf, "validated before the first step"
    assert not [*temporary.glob("torchelastic_*"), *run.folder.glob(".life-*")], "nothing of the run is left behind"


def test_what_a_launcher_that_was_killed_has_left_is_gone_with_the_next(tmp_path):
    run = Run.open(tmp_path / "run", config("nano-decoder", "data"))
    with launch._folder(run, 1) as folder:
        assert folder.parent == run.folder, "deleted with the run, if there is no next"
        left = shutil.copytree(folder, folder.with_name(".life-left"))
    with launch._folder(run, 1):
        assert not left.exists()


@pytest.mark.fault(37)
def test_a_frozen_run_can_be_killed(start):
    run, [launcher] = start(config("nano-decoder", "data", *LONG))
    wait_for(lambda: len(steps(run)) >= 3)
    workers = run.workers(launcher.pid)
    workers[0].suspend()
    launcher.suspend()
    assert run.kill()
    wait_for(lambda: gone([launcher, *workers]))
    assert run.state() is RunState.INTERRUPTED


def test_the_processes_end_with_their_launcher(start):
    run, [launcher] = start(config("nano-decoder", "tensor", *LONG))
    wait_for(lambda: len(steps(run)) >= 3)
    workers = run.workers(launcher.pid)
    launcher.kill()
    wait_for(lambda: gone(workers))
    assert run.state() is RunState.INTERRUPTED


def test_what_nohup_started_lives_on_without_its_terminal(start):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # which the launcher inherits
    try:
        run, [launcher] = start(config("nano-decoder", "data", *LONG))
    finally:
        signal.signal(signal.SIGHUP, before)
    wait_for(lambda: len(steps(run)) >= 3)
    os.kill(launcher.pid, signal.SIGHUP)
    last = steps(run)[-1].step
    wait_for(lambda: steps(run)[-1].step >= last + 20)
    assert run.state() is RunState.RUNNING


def test_a_signal_to_all_processes_of_a_job_saves_and_stops(start):
    """Slurm and systemd leave none of them out."""
    run, [launcher] = start(config("nano-decoder", "data", *LONG))
    wait_for(lambda: len(steps(run)) >= 3)
    workers = run.workers(launcher.pid)
    for process in [*workers, launcher]:
        process.terminate()
    wait_for(lambda: gone([launcher, *workers]))
    assert run.state() is RunState.STOPPED
    assert run.checkpoints()[-1].step == run.exit().step > 0


def test_what_cannot_be_deleted_yet_fails_no_run(tmp_path, monkeypatch):
    run = Run.create(tmp_path, config("nano-decoder", "data"), "shared")

    def refuse(path, **_):
        raise PermissionError(13, "The process cannot access the file", path)  # as on Windows while it is open

    with launch._folder(run, 1) as folder:
        (folder / "processes").touch()
        monkeypatch.setattr(os, "unlink", refuse)
    monkeypatch.undo()
    assert folder.is_dir()
    with launch._folder(run, 1):
        assert not folder.exists()


def test_what_fails_in_all_of_them_is_told_once(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    text = tmp_path / "text.txt"
    text.write_text("short")
    more = ["data.source=file", f"data.path={text}"]
    run = Run.open(tmp_path / "run", config("nano-decoder", "data", *more))
    said = []
    begin = time.monotonic()
    exit = run_trainer(run, said.append)
    assert time.monotonic() - begin < 60
    assert (exit.state, exit.code) == (RunState.FAILED, 2)
    [failed] = said
    assert isinstance(failed, Failed)
    assert list(run.events()) == said
    assert "is too short to learn from" in failed.sentence or "too few" in failed.sentence


NO_MEMORY_IN_ONE = """
import os
if os.environ.get("RANK") == "1":
    import torch
    from tfmcore.training.learner import Learner
    begin = Learner.begin
    def begin_until_memory_is_out(self, batches):
        self.num_begun = getattr(self, "num_begun", 0) + 1
        if self.num_begun == 4:
            torch.empty(2**60)
        return begin(self, batches)
    Learner.begin = begin_until_memory_is_out
"""


@pytest.mark.fault(20)
def test_memory_that_runs_out_in_one_of_them_ends_all(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (tmp_path / "sitecustomize.py").write_text(NO_MEMORY_IN_ONE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")])))
    run = Run.open(tmp_path / "run", config("nano-decoder", "data", *LONG))
    exit = run_trainer(run, lambda _: None)
    assert (exit.state, exit.code) == (RunState.FAILED, 1)
    assert "memory ran out after step 3" in exit.sentence
    assert [bool(event.remedy) for event in run.events() if isinstance(event, Failed)] == [True]


@pytest.fixture
def host(tmp_path, monkeypatch):
    """Start one of two hosts, both of them this machine, with the words that all of them are started with."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", environment(tmp_path, 1).get("GLOO_SOCKET_IFNAME", "lo"))
    hosts = []

    def begin(run: Run, before: str = "pass") -> subprocess.Popen[str]:
        code = f"import sys; from tfmcore.training.parallel import launch; {before}; from tfmcore.cli.main import main"
        words = ["train", "--continue", str(run.folder), "--hosts", "2"]
        command = [sys.executable, "-c", f"{code}; sys.exit(main(sys.argv[1:]))", *words]
        hosts.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        return hosts[-1]

    yield begin
    for process in hosts:
        process.kill()
        process.communicate()


def test_a_run_of_several_hosts_goes_on_when_they_are_started_again(tmp_path, host):
    run = Run.open(tmp_path / "run", config("nano-decoder", "data", *LONG))
    for _ in range(2):
        before = len(steps(run))
        hosts = [host(run), host(run)]
        wait_for(lambda before=before: len(steps(run)) >= before + 3)
        run.command(Command(kind="stop"))
        assert [process.wait(200) for process in hosts] == [130, 130]
        assert run.exit().state is RunState.STOPPED
    first, second = (event.step for event in run.events() if isinstance(event, Finished))
    assert [event.step for event in run.events() if isinstance(event, Started)] == [0, first]
    assert second > first


@pytest.mark.parametrize("how", ["command", "signal", "two signals"])
def test_a_host_that_waits_for_others_stops_when_asked(tmp_path, host, how):
    run = Run.open(tmp_path / "run", config("nano-decoder", "data", *LONG))
    waits = host(run)
    wait_for(lambda: run.state() is RunState.PREPARING)
    time.sleep(2.0)
    run.command(Command(kind="stop")) if how == "command" else waits.terminate()
    if how == "two signals":
        time.sleep(0.05)
        waits.terminate()
    _, said = waits.communicate(timeout=200)
    assert (waits.returncode, said) == (130, "")
    assert [event.reason for event in run.events()] == ["stopped"]
    assert run.state() is RunState.STOPPED


def test_a_second_signal_ends_the_processes_but_interrupts_no_wait_for_the_agent(tmp_path):
    run = Run.open(tmp_path / "run", config("nano-decoder", "data", *LONG))
    agent = launch.Agent(run, run.config(), 1, tmp_path)
    with launch._signals(run, agent):
        signal.raise_signal(signal.SIGTERM)
        assert (agent.stopping, agent.killed) == (True, False)
        signal.raise_signal(signal.SIGTERM)
        assert (agent.stopping, agent.killed) == (True, True)


class Idle(launch.Agent):
    """Starts no processes, and goes on until it is closed or, if that is not enough, is ended."""

    lingers = False

    def __init__(self, *words: object) -> None:
        super().__init__(*words)
        self.left = threading.Event()

    def run(self) -> None:
        self.left.wait(20)

    def close(self) -> None:
        if not self.lingers:
            self.left.set()

    def end(self) -> None:
        self.left.set()


@pytest.mark.parametrize("lingers", [False, True])
def test_once_the_end_of_a_run_is_told_every_host_ends(tmp_path, monkeypatch, lingers):
    monkeypatch.setattr(launch, "Agent", Idle)
    monkeypatch.setattr(launch, "ENDING_SECONDS", 0.2 if lingers else 60)
    monkeypatch.setattr(Idle, "lingers", lingers)
    run = Run.open(tmp_path / "run", config("nano-decoder", "data"))
    begin = time.monotonic()
    told = Exit(state=RunState.FAILED, step=3, sentence="no")
    assert list(launch.launch(run, 2, lambda *_: told.write(run.folder / "exit.json"))) == []
    assert time.monotonic() - begin < 10


WAITS = """#!/bin/sh
exec {} -c "
import sys, time
from pathlib import Path
from tfmcore.runs import Run
from tfmcore.training.parallel.rendezvous import rendezvous
with rendezvous(Run(Path(sys.argv[5])), 2):
    time.sleep(100)" "$@"
"""


def test_a_launcher_in_the_background_takes_part_once_it_is_said_to(tmp_path, monkeypatch):
    run = Run.open(tmp_path / "run", config("nano-decoder", "data"))
    (python := tmp_path / "python").write_text(WAITS.format(shlex.quote(sys.executable)))
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    launch.start_launcher(run, 2)
    status = run.status()
    assert run.state() is RunState.PREPARING
    assert takes_part(run, status.pid)
    psutil.Process(status.pid).kill()


def test_a_launcher_that_cannot_take_part_says_why(tmp_path):
    run = Run.open(tmp_path / "run", config("nano-decoder", "data"))
    own_status(RunState.RUNNING, os.getpid()).write(run.folder / "status.json")
    (run.folder / "log.txt").write_text("what was said before\n")
    with pytest.raises(UserError, match=r"^the run 'run' has a trainer already$"):
        launch.start_launcher(run, 2)


def test_an_agent_that_waits_for_those_of_hosts_that_are_gone_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "IDLE_SECONDS", 0.2)
    monkeypatch.setattr(Idle, "lingers", True)
    agent = Idle(Run(tmp_path), config("nano-decoder", "data"), 2, tmp_path)
    agent.closed = True
    agent.start()
    begin = time.monotonic()
    launch.Agent.end(agent)
    assert time.monotonic() - begin < 10
    assert agent.is_alive()
    agent.left.set()


def test_a_machine_without_torch_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.distributed.launcher.api", None)
    run = Run.open(tmp_path / "run", config("nano-decoder", "data"))
    [failed] = launch.launch(run)
    assert "torch cannot be loaded on " in failed.sentence
    assert (run.exit().state, run.exit().code) == (RunState.FAILED, 2)


def test_machines_that_cannot_connect_are_told_how_to():
    died = ChildFailedError("worker", {0: ProcessFailure(0, 1, 1, "")})
    assert launch._why(died, 1) == "a worker process died and 3 restarts failed; see log.txt"
    assert "name their network: GLOO_SOCKET_IFNAME=eth0 tfm launch" in launch._why(died, 2)


def test_a_host_of_another_version_ends_the_run(tmp_path):
    run = Run.open(tmp_path / "run", config("nano-decoder", "data"))
    with rendezvous(run, 2) as life:
        first = {**versions(), "host": "anna", "torch": "1.0"}
        (life / VERSIONS).write_text(json.dumps(first))
        [failed] = launch.launch(run, 2)
    assert "but anna has 1.0: install the same on all machines" in failed.sentence
    assert (run.exit().sentence, run.exit().code) == (failed.sentence, 2)


def test_hosts_that_wait_in_vain_say_so(tmp_path, host):
    run = Run.open(tmp_path / "run", config("nano-decoder", "data", *LONG))
    waits = host(run, "launch.JOIN_SECONDS = 2")
    _, said = waits.communicate(timeout=200)
    sentence = "not all 2 machines joined within 2.0 s: start it on each of them"
    assert (waits.returncode, said) == (1, f"tfm: {sentence}\n")
    assert (run.exit().state, run.exit().sentence, run.exit().code) == (RunState.FAILED, sentence, 1)
    assert [event.sentence for event in run.events()] == [sentence]


def test_a_host_that_waits_keeps_the_heart_of_its_run_beating(tmp_path):
    run = Run.open(tmp_path / "run", config("nano-decoder", "data", *LONG))
    last = waiting().model_copy(update={"ticks": time.monotonic() - 10})
    launch._beat(run, last.model_copy(update={"pid": 1}), last.phase)
    assert run.status() is None, "the heart of another host's run"
    launch._beat(run, last, last.phase)
    assert run.status().age < 5


def test_a_launcher_that_loads_torch_keeps_the_heart_of_its_run_beating(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "Agent", Idle)
    run = Run.open(tmp_path / "run", config("nano-decoder", "data"))
    phases = []

    def progress(phase: str, *_: int) -> None:
        phases.append((phase, run.status().age < 5))
        if len(phases) == 1:
            run.status().model_copy(update={"ticks": time.monotonic() - 30}).write(run.folder / "status.json")
        if len(phases) == 3:
            Exit(state=RunState.FAILED, step=0).write(run.folder / "exit.json")

    assert list(launch.launch(run, 1, progress)) == []
    assert phases[-1] == ("starting", True)
