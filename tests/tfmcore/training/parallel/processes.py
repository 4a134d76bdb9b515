"""Runs shared by processes of this machine: some processes for many runs, for their start takes longest."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tfmcore.config import Config, find_preset
from tfmcore.training.parallel.launch import environment

SHAPE = [
    "data.max_examples=60",
    "data.validation_fraction=0.2",
    "tokenizer.vocab_size=200",
    "model.d_model=16",
    "model.num_heads=2",
    "model.num_layers=2",
    "model.context_length=24",
    "model.dropout=0.0",
    "training.steps=20",
    "training.schedule=constant",
    "training.warmup_steps=2",
    "training.learning_rate=0.003",
    "training.batch_size=4",
    "training.eval_every=10",
    "training.eval_batches=2",
    "training.save_every=10",
    "training.sample_every=0",
    "training.threads=1",
    "training.device=cpu",
]
SECONDS = 400.0


def config(preset: str, kinds: str, *more: str) -> Config:
    """A preset made small, shared as `kinds` say: "" by nobody, "data", "fsdp+tensor"."""
    parallel = [f"training.parallel={json.dumps(kinds.split('+'))}"] if kinds else []
    return find_preset(preset).config([*SHAPE, *parallel, *more])


def job(config: Config, folder: Path, begin: Path | None = None, step: int = 0) -> dict[str, Any]:
    """Train in `folder`; from the checkpoint that the run in `begin` had at a step, if that is given."""
    return {"config": config.raw(), "folder": str(folder), "begin": begin and str(begin), "step": step}


def together(jobs: list[dict[str, Any]], folder: Path, num_processes: int = 2) -> list[list[dict[str, Any]]]:
    """What each process says of each job."""
    folder.mkdir()
    (folder / "jobs.json").write_text(json.dumps(jobs))
    loopback = environment(folder, 1).get("GLOO_SOCKET_IFNAME", "lo")
    command = [sys.executable, "-W", "error", str(Path(__file__).with_name("member.py"))]
    members, deadline = list[subprocess.Popen[bytes]](), time.monotonic() + SECONDS
    try:
        for rank in range(num_processes):
            with open(folder / f"said-{rank}.txt", "wb") as said:
                place = [str(rank), str(folder / "jobs.json"), str(folder), loopback]
                members.append(subprocess.Popen([*command, *place], stdout=said, stderr=said))
        for member in members:
            member.wait(max(0.1, deadline - time.monotonic()))
    finally:
        for member in members:
            member.kill()
            member.wait()
        words = "\n".join((folder / f"said-{rank}.txt").read_text()[-3000:] for rank in range(len(members)))
        assert all(member.returncode == 0 for member in members), words
    return [json.loads((folder / f"told-{rank}.json").read_text()) for rank in range(num_processes)]
