"""`tfm launch`: what each machine is told, and that a machine which is told so trains."""

import json
import os
import shlex
import sys
import time

import pytest

from tests.tfmcore.training.parallel.processes import SHAPE
from tfmcore.cli.launch import submit
from tfmcore.config import UserError
from tfmcore.runs import Exit, Run, RunState

SHARED = [word for line in [*SHAPE, 'training.parallel=["data"]'] for word in ("--set", line)]


def told(tfm, *words) -> dict:
    """What it says of a launch."""
    result = tfm("launch", "nano-decoder", *SHARED, *words, "--json")
    assert result.code == 0, result.err
    return json.loads(result.out)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where ssh is a program that does here what it is told to do there."""
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text('#!/bin/sh\nif [ "$1" = nobody ]; then echo no such host >&2; exit 255; fi\nsh -c "$2"\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ssh.parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def test_every_machine_gets_the_same_command(tfm, folder):
    made = told(tfm, "--hosts", "anna, berta", "--dry-run", "--python", "/opt/python")
    run = Run(folder / made["folder"])
    assert run.state() is RunState.WAITING
    assert run.config().training.parallel == ["data"]
    first, second = (shlex.split(command) for command in made["commands"])
    assert [first[:2], second[:2]] == [["ssh", "anna"], ["ssh", "berta"]]
    assert first[2] == second[2]
    words = ["/opt/python", "-m", "tfmcore", "train", "--continue", str(run.folder), "--hosts", "2"]
    assert shlex.split(first[2])[1:9] == words


def test_a_machine_that_is_told_so_trains(tfm, folder):
    made = told(tfm, "--hosts", "anna")
    run = Run(folder / made["folder"])
    deadline = time.monotonic() + 100
    while not run.exit():
        assert time.monotonic() < deadline, (run.folder / "log.txt").read_text()
        time.sleep(0.1)
    assert run.exit().state is RunState.FINISHED
    assert run.checkpoints()[-1].step == 20


def test_a_run_that_was_stopped_goes_on_on_several_machines(tfm, folder):
    run = Run(folder / told(tfm, "--hosts", "anna,berta", "--dry-run", "--name", "first")["folder"])
    words = ["launch", "--run", "first", "--hosts", "anna,berta", "--dry-run", "--json"]
    Exit(state=RunState.STOPPED, step=5).write(run.folder / "exit.json")
    result = tfm(*words, "--set", "training.batch_size=2", "--set", "training.accumulation=2")
    assert result.code == 0, result.err
    assert json.loads(result.out)["folder"] == str(run.folder)
    assert f"--continue '{run.folder}' --hosts 2" in shlex.split(json.loads(result.out)["commands"][0])[2]
    assert run.config().training.accumulation == 2
    Exit(state=RunState.FINISHED, step=20).write(run.folder / "exit.json")
    result = tfm(*words, "--set", "training.batch_size=4", "--set", "training.accumulation=1")
    assert (result.code, result.err) == (2, "tfm: the run 'first' is finished: there is nothing to resume\n")
    assert run.config().training.accumulation == 2


def test_a_machine_that_cannot_be_reached_is_named(tfm, folder):
    result = tfm("launch", "nano-decoder", *SHARED, "--hosts", "nobody")
    assert (result.code, result.err) == (2, "tfm: nobody could not be started: no such host\n")


def test_processes_must_come_out_even(tfm):
    result = tfm("launch", "nano-decoder", *SHARED, "--hosts", "a,b,c")
    assert result.code == 2
    assert "2 processes cannot be split evenly among 3 machines (nearest valid: 3)" in result.err


def test_slurm_is_asked_for_one_launcher_a_node(tfm):
    made = told(tfm, "--slurm", "2", "--dry-run")
    [command] = (shlex.split(command) for command in made["commands"])
    assert command[:3] == ["sbatch", "--nodes=2", "--ntasks-per-node=1"]
    assert command[3].startswith("--wrap=srun ")
    assert command[3].endswith(" --hosts 2")


def test_a_job_runs_the_command(tmp_path):
    """On this machine, which submitit can take for a cluster."""
    run, seen = Run(tmp_path), tmp_path / "seen"
    job = submit([sys.executable, "-c", f"open({str(seen)!r}, 'w').close()"], 1, run, cluster="local")
    job.result()
    assert seen.exists()
    assert list((tmp_path / "slurm").iterdir())


def test_without_a_cluster_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="no Slurm cluster can be reached from here"):
        submit(["true"], 1, Run(tmp_path), cluster="slurm")
