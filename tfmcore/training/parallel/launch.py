"""The process that starts those that share a run, and starts them again from the last checkpoint if one of them dies.

torchrun's agent does so, in a thread; the run's pid is this process's, for it lives as long as the run does.
"""

import logging
import os
import sys
import tempfile
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tfmcore.config import Config, UserError
from tfmcore.data.progress import Progress, silent
from tfmcore.messages import AnyEvent, Command, Failed, Finished
from tfmcore.runs import STARTING, EventReader, Run, RunState, own_status
from tfmcore.training.parallel.worker import MEETING
from tfmcore.training.record import append_event, ending
from tfmcore.training.signals import stop_signals

MOST_RESTARTS = 3
MEETING_FOLDER = ".meeting"
POLL_SECONDS = 0.1
MEETING_SECONDS = 900
"""So long the first host waits for the others."""


def launch(run: Run, num_hosts: int = 1, on_progress: Progress = silent) -> Generator[AnyEvent, None, None]:
    """Have the processes of a run train it, on this host and as many others as there are; yields its events. Raises
    UserError where the run has a trainer already."""
    config = run.config()
    begin(run, num_hosts)
    reader = EventReader(run.folder)
    for _ in reader.read():  # those of its earlier lives
        pass
    agent = Agent(run, config, num_hosts)
    try:
        with _signals(run, agent):
            agent.start()
            while agent.is_alive():
                yield from reader.read()
                if (status := run.status()) and status.state is RunState.PREPARING:
                    on_progress(status.phase, status.done, status.total)
                agent.join(POLL_SECONDS)
    finally:
        agent.end()
    yield from reader.read()
    if run.exit() is None and num_hosts == 1:
        yield _told(run, agent)


def begin(run: Run, num_hosts: int) -> None:
    """Take the run, unless another has it. `start_trainer` may have done so for this process, and with several hosts
    whoever starts them all."""
    status = run.status()
    ours = status is not None and status.pid == os.getpid() and status.phase == STARTING
    if num_hosts == 1 and not ours:
        if run.state().alive:
            raise UserError(f"the run {run.label!r} has a trainer already")
        run.forget_last_life()
        own_status(RunState.PREPARING, os.getpid(), phase=STARTING).write(run.folder / "status.json")


class Agent(threading.Thread):
    """torchrun's agent for this host. It meets those of other hosts, and the processes meet each other, by files in a
    folder that all of them see: no port is opened. (What gloo then says goes through the loopback interface on one
    host.)"""

    def __init__(self, run: Run, config: Config, num_hosts: int) -> None:
        super().__init__(name="torchrun", daemon=True)
        self.trained, self.num_hosts = run, num_hosts
        self.num_processes = config.training.num_processes // num_hosts
        self.stopping = False
        self.error: Exception | None = None

    def run(self) -> None:
        from torch.distributed.launcher.api import LaunchConfig, elastic_launch

        logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # what ends a run is told by `_told`
        with self._meeting() as folder:
            os.environ |= environment(folder, self.num_hosts)
            config = LaunchConfig(
                min_nodes=self.num_hosts,
                max_nodes=self.num_hosts,
                nproc_per_node=self.num_processes,
                run_id=self.trained.folder.name,
                rdzv_backend="c10d",
                rdzv_endpoint=str(folder / "agents"),
                rdzv_configs={"store_type": "file", "timeout": MEETING_SECONDS},
                max_restarts=MOST_RESTARTS,
                monitor_interval=POLL_SECONDS,
                local_addr="localhost" if self.num_hosts == 1 else None,
                shutdown_timeout=5,
            )
            worker = ("-m", "tfmcore", "train", "--continue", str(self.trained.folder))
            try:
                elastic_launch(config, sys.executable)(*worker)
            except Exception as error:  # a process that died too often, or torchrun's own: both end the run
                self.error = error

    def end(self) -> None:
        """End the processes at once, and those that torchrun starts instead."""
        while self.is_alive():
            for process in self.trained.workers():
                process.kill()
            self.join(POLL_SECONDS)

    @contextmanager
    def _meeting(self) -> Iterator[Path]:
        """A folder that all agents of the run see, and that no earlier ones have used."""
        if self.num_hosts == 1:
            with tempfile.TemporaryDirectory(prefix="tfm-") as temporary:
                yield Path(temporary)
            return
        folder = self.trained.folder / MEETING_FOLDER  # new in a new run; it stays, for others may be in it yet
        folder.mkdir(exist_ok=True)
        yield folder


def environment(folder: Path, num_hosts: int) -> dict[str, str]:
    """What the processes are told, beside what torchrun tells them."""
    told = {MEETING: str(folder / "processes"), "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    if num_hosts == 1 and "GLOO_SOCKET_IFNAME" not in os.environ:
        loopback = [name for name, all in psutil.net_if_addrs().items() if any(a.address == "127.0.0.1" for a in all)]
        told |= {"GLOO_SOCKET_IFNAME": loopback[0]} if loopback else {}
    return told


@contextmanager
def _signals(run: Run, agent: Agent) -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and a closed terminal ask all processes for a stop; asked again, they are ended at once."""

    def ask() -> None:
        if agent.stopping:
            raise KeyboardInterrupt
        agent.stopping = True
        run.command(Command(kind="stop"))

    with stop_signals(ask):
        try:
            yield
        except KeyboardInterrupt:
            agent.end()
            agent.error = None


def _told(run: Run, agent: Agent) -> AnyEvent:
    """The end of a run whose processes have told none."""
    saved = max((checkpoint.step for checkpoint in run.checkpoints()), default=0)
    event: AnyEvent
    if agent.error is None:
        event = Finished(step=saved, reason="stopped")
    else:
        sentence = f"a process of the run died, and was started again {MOST_RESTARTS} times without success"
        event = Failed(step=saved, sentence=f"{sentence}; log.txt says more", details=str(agent.error))
    append_event(run, event)
    ending(event, run.label, int(agent.error is not None)).write(run.folder / "exit.json")
    return event
