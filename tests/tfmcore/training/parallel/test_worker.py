"""One of the processes that share a run: it trains as the main one does, and does not outlive its launcher."""

import os
import subprocess
import sys
import threading
from typing import NoReturn

import pytest

from tfmcore.config import UserError
from tfmcore.runs import STARTING, Exit, Run, RunState, own_status, start_time
from tfmcore.training import heap, process
from tfmcore.training.controls import Controls
from tfmcore.training.parallel import worker, world
from tfmcore.training.parallel.launch import begin
from tfmcore.training.parallel.rendezvous import LAUNCHER, RENDEZVOUS


def test_it_ends_with_its_launcher_though_the_system_still_names_that_as_its_parent(monkeypatch):
    launcher = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    ends = threading.Event()
    monkeypatch.setattr(os, "getppid", lambda: launcher.pid)  # as Windows does
    monkeypatch.setattr(os, "_exit", lambda code: ends.set())
    monkeypatch.setattr(worker, "POLL_SECONDS", 0.01)
    threading.Thread(target=worker._follow, args=(launcher.pid, start_time(launcher.pid)), daemon=True).start()
    assert not ends.wait(0.3)
    launcher.kill()
    launcher.wait()
    assert ends.wait(20)


def test_it_too_keeps_the_memory_that_a_step_has_freed(make_run, monkeypatch):
    kept = []
    monkeypatch.setattr(heap, "_set", lambda *sizes: kept.append(sizes))
    monkeypatch.setattr(worker.Ranks, "strategy", lambda self, *_: None)
    run = make_run("reverse", "training.steps=1")
    assert worker._not_main(run, Controls(run.folder), worker.Ranks(run)) == 0
    assert kept == [heap.KEPT, heap.USUAL]


@pytest.fixture
def worker_of(monkeypatch, tmp_path):
    """A process of two as torchrun starts it, as far as it knows; gives what it knows of the others."""

    def begin(run: Run, rank: int) -> worker.Ranks:
        told = {RENDEZVOUS: str(tmp_path / "store"), "MASTER_PORT": "7", "RANK": str(rank), "LOCAL_RANK": "0"}
        for name, value in {**told, "LOCAL_WORLD_SIZE": "1", LAUNCHER: str(os.getpid())}.items():
            monkeypatch.setenv(name, value)
        return worker.Ranks(run)

    return begin


def no_device(*_: object) -> NoReturn:
    raise UserError("there is no cuda here")


def test_a_machine_without_the_device_is_not_waited_for(make_run, monkeypatch, worker_of):
    run = make_run("reverse", 'training.parallel=["data"]')
    with monkeypatch.context() as there:
        there.setattr(world, "choose_device", no_device)
        assert worker._not_main(run, Controls(run.folder), worker_of(run, 1)) == 0
    assert worker._main(run, Controls(run.folder), worker_of(run, 0)) == 0
    assert (run.exit().sentence, run.exit().code) == ("there is no cuda here", 2), "as where it is not there itself"


def test_a_run_is_its_launcher_s_though_another_program_stands_between(make_run, monkeypatch, worker_of):
    """As on Windows, where the Python of a virtual environment is a program that starts the real one."""
    run = make_run("reverse", 'training.parallel=["data"]')
    own_status(RunState.PREPARING, os.getppid(), phase=STARTING).write(run.folder / "status.json")
    begin(run)
    monkeypatch.setattr(world, "choose_device", no_device)
    monkeypatch.setattr(os, "getppid", lambda: 0)
    assert worker._main(run, Controls(run.folder), worker_of(run, 0)) == 0
    assert run.status().pid == os.getpid()


def test_the_others_do_not_wait_for_a_main_process_without_the_device(make_run, monkeypatch, worker_of):
    run = make_run("reverse", 'training.parallel=["data"]')
    with monkeypatch.context() as here:
        here.setattr(world, "choose_device", no_device)
        assert worker._main(run, Controls(run.folder), worker_of(run, 0)) == 0
    assert run.exit().sentence == "there is no cuda here"
    assert worker._not_main(run, Controls(run.folder), worker_of(run, 1)) == 0


@pytest.mark.timeout(30)
def test_the_others_do_not_wait_for_a_main_process_that_ended_before_it_could_tell_them(
    make_run, monkeypatch, worker_of
):
    run = make_run("reverse", 'training.parallel=["data"]')
    monkeypatch.setattr(process, "mirror_of", no_device)  # what the main process alone does first
    assert worker._main(run, Controls(run.folder), worker_of(run, 0)) == 0
    assert worker._not_main(run, Controls(run.folder), worker_of(run, 1)) == 0


@pytest.mark.timeout(30)
def test_what_the_launcher_of_another_machine_ended_with_is_what_the_run_ends_with(make_run, monkeypatch, worker_of):
    run = make_run("reverse", 'training.parallel=["data"]')
    told = Exit(state=RunState.FAILED, step=0, sentence="a worker process died", code=1)
    monkeypatch.setattr(process, "mirror_of", lambda *_: told.write(run.folder / "exit.json"))
    for _ in range(2):  # while it waits for the others, and before
        assert worker._main(run, Controls(run.folder), worker_of(run, 0)) == 0
        assert (run.exit(), list(run.events())) == (told, [])


def test_why_processes_were_started_again_is_told_in_the_log(make_run, monkeypatch, worker_of, capsys):
    def refused(*_: object) -> NoReturn:
        raise RuntimeError("Gloo connectFullMesh failed: Connection refused\nand more")

    run = make_run("reverse", 'training.parallel=["data"]')
    monkeypatch.setattr(worker.Ranks, "strategy", refused)
    for rank, work in enumerate([worker._main, worker._not_main]):
        assert work(run, Controls(run.folder), worker_of(run, rank)) == 1
        sentence = f"rank {rank} lost another: RuntimeError: Gloo connectFullMesh failed: Connection refused\n"
        assert capsys.readouterr().err == sentence


def test_what_fails_before_others_can_be_told_starts_all_of_them_again(make_run, monkeypatch, worker_of):
    run = make_run("reverse", 'training.parallel=["data"]')
    monkeypatch.setattr(worker.Ranks, "strategy", no_device)
    with pytest.raises(UserError, match="there is no cuda here"):
        worker._not_main(run, Controls(run.folder), worker_of(run, 1))
