"""`tfm launch`: what each machine is told, and that a machine which is told so trains."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.tfmcore.training.parallel.processes import SHAPE
from tfmcore.cli.launch import job_options, submit
from tfmcore.config import TrainingConfig, UserError
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


def test_every_machine_gets_the_same_command(tfm, folder, monkeypatch):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "eth0; reboot")
    monkeypatch.setenv("HF_TOKEN", "a secret")
    made = told(tfm, "--hosts", "anna, berta", "--dry-run", "--python", "/opt/python")
    run = Run(folder / made["folder"])
    assert run.state() is RunState.WAITING
    assert run.config().training.parallel == ["data"]
    first, second = (shlex.split(command) for command in made["commands"])
    assert [first[:2], second[:2]] == [["ssh", "anna"], ["ssh", "berta"]]
    assert first[2] == second[2]
    words = ["/opt/python", "-m", "tfmcore", "train", "--continue", str(run.folder), "--hosts", "2"]
    there = shlex.split(first[2])
    assert there[-len(words) - 1 :] == [*words, "--detach"]
    assert there[:2] == ["env", "GLOO_SOCKET_IFNAME=eth0; reboot"]
    assert all(name.startswith(("GLOO_", "NCCL_", "TORCH_NCCL_", "TFM_")) for name in there[1 : -len(words) - 1])


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
    assert not [*folder.rglob("control.jsonl")], "nothing was started that could be stopped"


def test_a_machine_may_say_why_in_any_encoding(tfm, folder):
    (folder / "bin" / "ssh").write_text("#!/bin/sh\nprintf 'Ung\\374ltiger Name' >&2; exit 255\n")
    result = tfm("launch", "nano-decoder", *SHARED, "--hosts", "anna")
    assert (result.code, result.err) == (2, "tfm: anna could not be started: Ung\ufffdltiger Name\n")


def test_where_one_machine_cannot_be_started_the_others_are_stopped(tfm, folder):
    result = tfm("launch", "nano-decoder", *SHARED, "--hosts", "anna,nobody", "--python", shutil.which("true"))
    assert (result.code, result.err) == (2, "tfm: nobody could not be started: no such host\n")
    [commands] = folder.rglob("control.jsonl")
    assert json.loads(commands.read_text())["kind"] == "stop"


def test_what_a_machine_lacks_is_told_in_a_sentence(tfm, folder):
    words = ["launch", "nano-decoder", *SHARED, "--hosts", "anna,berta"]
    assert "anna could not be started: " in tfm(*words, "--python", "/no/python").err
    made = told(tfm, "--hosts", "anna,berta", "--dry-run")
    Path(made["folder"]).rename(folder / "elsewhere")
    ended = subprocess.run(shlex.split(made["commands"][1]), capture_output=True, text=True, check=False)
    sentence = f"{made['folder']} is not there: a run's folder must lie where all of its machines see it"
    assert (ended.returncode, ended.stderr) == (2, f"tfm: {sentence}\n")


@pytest.mark.parametrize("hosts", [",", "anna berta", "anna,-v"])
def test_what_names_no_machine_is_refused(tfm, hosts):
    result = tfm("launch", "nano-decoder", *SHARED, "--hosts", hosts)
    assert result.code == 2
    assert "is not the name of a machine: write them as anna,berta" in result.err


def test_processes_must_come_out_even(tfm):
    result = tfm("launch", "nano-decoder", *SHARED, "--hosts", "a,b,c")
    assert result.code == 2
    assert "2 processes cannot be split evenly among 3 machines (nearest valid: 3)" in result.err


def test_slurm_is_asked_for_one_launcher_a_node(tfm):
    made = told(tfm, "--slurm", "2", "--dry-run")
    [command] = (shlex.split(command) for command in made["commands"])
    assert command[:4] == ["sbatch", f"--job-name={made['id']}", "--nodes=2", "--ntasks-per-node=1"]
    assert command[4:6] == ["--cpus-per-task=1", "--signal=TERM@90"]
    words = shlex.split(command[6].removeprefix("--wrap="))
    assert words[:2] == ["srun", "--cpus-per-task=1"]
    assert words[-2:] == ["--hosts", "2"]


def test_a_node_has_what_all_of_its_processes_need(tmp_path):
    training = TrainingConfig(num_processes=8, threads=3, device="cuda")
    job = job_options(training, 2, Run(tmp_path))
    assert (job["cpus_per_task"], job["gpus_per_node"]) == (12, 4)


CLUSTER = {
    "sbatch": 'cp "$1" "$HOME/job.sh"; SLURM_JOB_ID=7 sh "$1" > /dev/null 2>&1 & echo Submitted batch job 7',
    "srun": 'for word; do shift; case "$word" in -u) break;; *) python=$word;; esac; done; exec "$python" -u "$@"',
}
"""Programs that do here what Slurm does on a node."""


def test_a_job_runs_the_command_until_the_cluster_ends_it(tmp_path, monkeypatch):
    """submitit's own limit is 5 minutes, and its signal kills what it does not know."""
    for name, text in CLUSTER.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    run, seen = Run(tmp_path / "été 训练"), tmp_path / "seen"
    job = job_options(TrainingConfig(), 1, run)
    submit([sys.executable, "-c", f"open({str(seen)!r}, 'w').close()"], job, run)
    deadline = time.monotonic() + 100
    while not seen.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    options = (tmp_path / "job.sh").read_text()
    assert "--time" not in options
    assert "#SBATCH --signal=TERM@90\n#SBATCH" in options
    assert "--cpus-per-task=2 " in options


def test_without_a_cluster_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="no Slurm cluster can be reached from here"):
        submit(["true"], {"cpus_per_task": 1}, Run(tmp_path))
