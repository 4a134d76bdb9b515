"""Train on several machines that share a file system: the run's folder lies there, and all are started with the same
command. It is an ordinary run: `tfm status`, `tfm stop` and the window follow it from any of them."""

import argparse
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfmcore.cli.arguments import add_json, add_runs, add_set, chosen_config, runs_folder, whole
from tfmcore.cli.output import note, print_json, print_line
from tfmcore.cli.train import with_whole_paths
from tfmcore.config import TrainingConfig, UserError
from tfmcore.config.resuming import changed
from tfmcore.messages import Command
from tfmcore.runs import Run, RunState, find_run
from tfmcore.training.parallel.launch import last_words

EXAMPLES = """
tfm launch run.toml --hosts anna,berta --runs /shared/runs
tfm launch run.toml --hosts anna,berta --dry-run       print the commands, to start them by hand
GLOO_SOCKET_IFNAME=eth1 tfm launch run.toml --hosts anna,berta         by that network
tfm launch run.toml --slurm 4 --runs /shared/runs      four nodes of a Slurm cluster (needs the extra slurm)
tfm launch run.toml --slurm 4 --set training.threads=8 with eight cores for each process
tfm launch --run first --hosts anna,berta              resume a stopped or interrupted run
"""

TOLD = ("GLOO_", "NCCL_", "TORCH_NCCL_", "TFM_")
"""How the names of environment variables begin that machines are told: of the network and of this program."""
SAVING_SECONDS = 90
"""So long before its time is up a job of a cluster is asked to stop."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("config", metavar="CONFIG", nargs="?", help="a config file (.toml) or a preset's name")
    what.add_argument("--run", metavar="RUN", help="resume an existing run, instead of a config")
    add_set(parser)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--hosts",
        metavar="A,B",
        type=machines,
        help="the machines, by their ssh names; they are told what is set here of "
        + ", ".join(f"{name}*" for name in TOLD),
    )
    where.add_argument(
        "--slurm",
        metavar="NODES",
        type=whole(1),
        help="number of nodes of a Slurm cluster (partition, account, time limit: SBATCH_PARTITION=… and the like); "
        "each process gets as many cores as training.threads says, or one",
    )
    parser.add_argument(
        "--python", metavar="PATH", default=sys.executable, help="Python on the machines (default: this)"
    )
    parser.add_argument("--name", metavar="LABEL", help="name of the run (default: the config's)")
    parser.add_argument("--dry-run", action="store_true", help="make the run, but only print how to start it")
    add_runs(parser)
    add_json(parser, "the run and its commands")


def machines(value: str) -> list[str]:
    """The names of a list; not what ssh would take for an option."""
    hosts = [host.strip() for host in value.split(",") if host.strip()]
    if wrong := [host for host in hosts or [""] if not re.fullmatch(r"[^\s-]\S*", host)]:
        raise argparse.ArgumentTypeError(f"{wrong[0]!r} is not the name of a machine: write them as anna,berta")
    return hosts


def run(arguments: argparse.Namespace) -> int:
    known = ended_run(arguments) if arguments.run else None
    config, name = (changed(known.config(), arguments.overrides), "") if known else chosen_config(arguments)
    hosts: list[str] = arguments.hosts or []
    num_hosts: int = arguments.slurm or len(hosts)
    check(config.training.parallel, config.training.num_processes, num_hosts)
    if known and arguments.overrides:
        known.change(arguments.overrides)
    made = known or Run.create(runs_folder(arguments), with_whole_paths(config), arguments.name or name)
    command = [arguments.python, "-m", "tfmcore", "train", "--continue", str(made.folder), "--hosts", str(num_hosts)]
    job = job_options(config.training, num_hosts, made)
    commands = [slurm_command(command, job)] if arguments.slurm else [ssh(host, command) for host in hosts]
    if arguments.json:
        print_json({"id": made.id, "folder": made.folder, "commands": [shlex.join(each) for each in commands]})
    else:
        for each in commands:
            print_line(shlex.join(each))
    if not arguments.dry_run:
        submit(command, job, made) if arguments.slurm else start(commands, made)
        note(f"{made.id} starts on {num_hosts} machines; `tfm status {made.id} --follow` watches it")
    return 0


def ended_run(arguments: argparse.Namespace) -> Run:
    """The run to go on with; raises UserError for one that trains or has finished."""
    run = Run(find_run(arguments.run, runs_folder(arguments)).folder.absolute())
    if not ((state := run.state()).resumable or state is RunState.WAITING):
        raise UserError(f"the run {run.label!r} is {state}: there is nothing to resume")
    return run


def check(kinds: Sequence[str], num_processes: int, num_hosts: int) -> None:
    """Raise UserError where the processes of a run cannot be shared by so many machines."""
    if not kinds:
        reason = "training.parallel is empty, so one machine is enough"
        raise UserError(f"""{reason}: use `tfm train`, or share it by --set training.parallel='["data"]'""")
    if num_processes % num_hosts:
        nearest = -(-num_processes // num_hosts) * num_hosts
        reason = f"{num_processes} processes cannot be split evenly among {num_hosts} machines"
        raise UserError(f"training.num_processes: {reason} (nearest valid: {nearest})")


def ssh(host: str, command: list[str]) -> list[str]:
    """Has a host do `command` in the background, and returns when it takes part in the run."""
    told = [f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith(TOLD)]
    return ["ssh", host, shlex.join(["env", *told, *command, "--detach"])]


def start(commands: list[list[str]], run: Run) -> None:
    """Start all machines, or none: raises UserError for one that does not take its command, and stops the others."""
    started = 0
    try:
        for command in commands:
            ended = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                encoding="utf-8", errors="replace", check=False,
            )  # fmt: skip
            if ended.returncode:
                reason = last_words(ended.stderr, ended.returncode)
                raise UserError(f"{command[1]} could not be started: {reason}")
            started += 1
    except BaseException:
        if started:  # else it may train elsewhere
            run.command(Command(kind="stop"))
        raise


def job_options(training: TrainingConfig, num_nodes: int, run: Run) -> dict[str, Any]:
    """What a cluster is asked for: on each node one launcher with cores, and GPUs where it needs them, for all of its
    processes; a signal to save and stop before the time is up."""
    processes = training.num_processes // num_nodes
    cores = processes * (training.threads or 1)
    options = {"job_name": run.id, "nodes": num_nodes, "ntasks_per_node": 1, "cpus_per_task": cores}
    gpus = {"gpus_per_node": processes} if training.device == "cuda" else {}
    return {**options, **gpus, "signal": f"TERM@{SAVING_SECONDS}"}


def step_words(job: dict[str, Any]) -> list[str]:
    """For srun, which does not take them from the job (since Slurm 22.05)."""
    return [f"--cpus-per-task={job['cpus_per_task']}"]


def slurm_command(command: list[str], job: dict[str, Any]) -> list[str]:
    """How sbatch would be asked, by hand."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in job.items()]
    return ["sbatch", *options, f"--wrap={shlex.join(['srun', *step_words(job), *command])}"]


def submit(command: list[str], job: dict[str, Any], run: Run) -> Any:
    """Hand the job to the cluster, and give submitit's; raises UserError where there is none."""
    try:
        import submitit
    except ImportError:
        raise UserError("--slurm needs submitit: pip install 'transformer-playground[slurm]'") from None
    try:
        executor = submitit.SlurmExecutor(folder=Path(run.folder) / "slurm")
    except RuntimeError as error:
        raise UserError(f"no Slurm cluster can be reached from here: {error}") from None
    # its own time limit is 5 minutes: none leaves it to the cluster
    executor.update_parameters(time=None, additional_parameters=job, srun_args=step_words(job))
    return executor.submit(submitit.helpers.CommandFunction(command))
