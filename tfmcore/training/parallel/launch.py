"""The process that starts those that share a run, and starts them again from the last checkpoint if one of them dies.

torchrun's agent does so, in a thread; the run's pid is this process's, for it lives as long as the run does.
"""

import logging
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import psutil

from tfmcore.config import Config, UserError
from tfmcore.data.progress import Progress, silent
from tfmcore.messages import AnyEvent, Command, Failed, Finished
from tfmcore.runs import (
    HEARTBEAT_SECONDS,
    STARTING,
    EventReader,
    Run,
    RunState,
    Status,
    own_status,
    start_detached,
    start_trainer,
)
from tfmcore.training.controls import Controls
from tfmcore.training.faults import exit_code, first_line
from tfmcore.training.parallel.rendezvous import (
    LAUNCHER,
    RENDEZVOUS,
    WAITING,
    check_versions,
    last_word,
    rendezvous,
    takes_part,
)
from tfmcore.training.record import append_event, ending
from tfmcore.training.signals import stop_signals
from tfmcore.training.waiting import choose_waiting
from tfmcore.units import duration

MOST_RESTARTS = 3
LIFE = ".life-"
"""Begins the names of what a launcher that starts all processes of a run has for them in the run's folder."""
AGENTS = "agents"
"""The file of the rendezvous of all hosts' agents."""
POLL_SECONDS = 0.1
JOIN_SECONDS = 900
"""So long a host waits for the others."""
ENDING_SECONDS = 30
"""So long processes may live on when the run's end has been told: one may wait in vain for another's numbers."""
IDLE_SECONDS = 10
"""So long an agent that is to end may live on without processes."""


def start_launcher(run: Run, num_hosts: int) -> None:
    """Start this host's launcher in the background, and return once it takes part in the run; raises UserError where
    it cannot."""
    if not (run.folder / "run.toml").is_file():
        raise UserError(f"{run.folder} is not there: a run's folder must lie where all of its machines see it")
    if num_hosts == 1:
        start_trainer(run)
        return
    command = [sys.executable, "-m", "tfmcore", "train", "--continue", str(run.folder), "--hosts", str(num_hosts)]
    log = run.folder / "log.txt"
    with open(log, "ab+") as added:
        process = start_detached(command, log)
        while not takes_part(run, process.pid):
            if process.poll() is not None:
                raise UserError(last_words(added.read().decode(errors="replace"), process.returncode))
            time.sleep(POLL_SECONDS)


def last_words(said: str, code: int) -> str:
    """The sentence that a `tfm`, or what should have started it, ended with."""
    return said.strip().rpartition("\n")[2].removeprefix("tfm: ") or f"exit code {code}"


def launch(run: Run, num_hosts: int = 1, on_progress: Progress = silent) -> Generator[AnyEvent, None, None]:
    """Have the processes of a run train it, on this host and as many others as there are; yields its events. Raises
    UserError where the run has a trainer already."""
    config = run.config()
    with _folder(run, num_hosts) as folder:
        reader, controls = EventReader(run.folder), Controls(run.folder)
        for _ in reader.read():  # those of its earlier lives
            pass
        agent, last_seen = Agent(run, config, num_hosts, folder), time.monotonic()
        try:
            with _signals(run, agent):
                agent.start()
                while agent.is_alive():
                    yield from reader.read()
                    if (status := run.status()) and status.state is RunState.PREPARING:
                        on_progress(status.phase, status.done, status.total)
                    if run.exit() is None:
                        last_seen = time.monotonic()
                    if agent.killed or time.monotonic() > last_seen + ENDING_SECONDS:
                        agent.end()
                        break
                    if controls.heard() or run.exit():
                        agent.close()
                    if status and not agent.loaded.is_set():
                        _beat(run, status, status.phase)
                    elif status and num_hosts > 1:
                        _beat(run, status, WAITING)
                    agent.join(POLL_SECONDS)
        except BaseException:
            agent.end()
            raise
        yield from reader.read()
        with last_word(run, folder) if num_hosts > 1 else nullcontext(run.exit() is None) as ours:
            event = _told(run, agent, stopped=controls.heard()) if ours else None
        if event:
            yield event


@contextmanager
def _folder(run: Run, num_hosts: int) -> Iterator[Path]:
    """A folder that all agents of the run see, and that none of its earlier lives has used."""
    if num_hosts > 1:
        with rendezvous(run, num_hosts) as folder:
            yield folder
    else:
        begin(run)
        for litter in run.folder.glob(f"{LIFE}*"):  # of a launcher that was killed
            shutil.rmtree(litter, ignore_errors=True)
        # On Windows, where what an agent has left open cannot be deleted yet, the next launcher does it.
        with tempfile.TemporaryDirectory(prefix=LIFE, dir=run.folder, ignore_cleanup_errors=True) as temporary:
            yield Path(temporary)


def begin(run: Run) -> None:
    """Take the run, unless another has it. `start_trainer` may have done so for this process."""
    status = run.status()
    if not (status and status.is_ours and status.phase == STARTING):
        if run.state().alive:
            raise UserError(f"the run {run.label!r} has a trainer already")
        run.forget_last_life()
        own_status(RunState.PREPARING, os.getpid(), phase=STARTING).write(run.folder / "status.json")


def _beat(run: Run, status: Status, phase: str) -> None:
    """Keep the heart of a run beating while its launcher, if that is this process, loads torch or waits for others."""
    if status.is_ours and status.age > 2 * HEARTBEAT_SECONDS and not run.workers():
        with suppress(OSError):  # a full disk: the next time
            own_status(RunState.PREPARING, os.getpid(), phase=phase).write(run.folder / "status.json")


class Agent(threading.Thread):
    """torchrun's agent for this host. Agents have their rendezvous, and the ranks theirs, by files in a folder that
    all of them see: no port is opened. (What gloo then says goes through the loopback interface on one
    host.)"""

    def __init__(self, run: Run, config: Config, num_hosts: int, folder: Path) -> None:
        super().__init__(name="torchrun", daemon=True)
        self.trained, self.num_hosts, self.folder = run, num_hosts, folder
        self.num_processes = config.training.num_processes // num_hosts
        self.stopping = self.killed = self.closed = False
        self.loaded = threading.Event()
        """Set once torch is: of two threads that load it at once, one may find half of it."""
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            if self.num_hosts > 1:
                check_versions(self.folder)
            from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
            from torch.distributed.launcher.api import LaunchConfig, elastic_launch
        except UserError as error:
            self.error = error
            return
        except ImportError as error:
            self.error = UserError(f"torch cannot be loaded on {socket.gethostname()}: {first_line(error)}")
            return
        self.loaded.set()
        logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # what ends a run is told by `_told`
        choose_waiting()
        os.environ |= environment(self.folder, self.num_hosts)
        config = LaunchConfig(
            min_nodes=self.num_hosts,
            max_nodes=self.num_hosts,
            nproc_per_node=self.num_processes,
            run_id=self.trained.folder.name,
            rdzv_backend="c10d",
            rdzv_endpoint=str(self.folder / AGENTS),
            rdzv_configs={"store_type": "file", "join_timeout": JOIN_SECONDS},
            max_restarts=MOST_RESTARTS,
            monitor_interval=POLL_SECONDS,
            local_addr="localhost" if self.num_hosts == 1 else None,
            shutdown_timeout=5,
            logs_specs=DefaultLogsSpecs(str(self.folder / "logs")),  # empty; torchrun would leave them in the system's
        )
        worker = ("-m", "tfmcore", "train", "--continue", str(self.trained.folder))
        try:
            elastic_launch(config, sys.executable)(*worker)
        except Exception as error:  # a process that died too often, or torchrun's own: both end the run
            self.error = error

    def close(self) -> None:
        """Close the agents' rendezvous: those of all hosts that wait for others end, while processes that train go on
        until they have stopped."""
        if self.loaded.is_set() and not self.closed:
            from torch.distributed.elastic.rendezvous import RendezvousParameters
            from torch.distributed.elastic.rendezvous.registry import get_rendezvous_handler

            self.closed = True
            endpoint, name, number = str(self.folder / AGENTS), self.trained.folder.name, self.num_hosts
            parameters = RendezvousParameters("c10d", endpoint, name, number, number, store_type="file")
            get_rendezvous_handler(parameters).shutdown()

    def end(self) -> None:
        """End the processes at once, and those that torchrun starts instead. The agent itself may wait for those of
        other hosts, which may be gone, for minutes: it is left behind."""
        busy = time.monotonic()
        while self.is_alive() and time.monotonic() < busy + IDLE_SECONDS:
            self.close()
            for process in (workers := self.trained.workers()):
                process.kill()
            if workers or not self.closed:
                busy = time.monotonic()
            self.join(POLL_SECONDS)


def environment(folder: Path, num_hosts: int) -> dict[str, str]:
    """What the processes are told, beside what torchrun tells them."""
    told = {RENDEZVOUS: str(folder / "processes"), LAUNCHER: str(os.getpid())}
    told["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"
    if num_hosts == 1 and "GLOO_SOCKET_IFNAME" not in os.environ:
        loopback = [name for name, all in psutil.net_if_addrs().items() if any(a.address == "127.0.0.1" for a in all)]
        told |= {"GLOO_SOCKET_IFNAME": loopback[0]} if loopback else {}
    return told


@contextmanager
def _signals(run: Run, agent: Agent) -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and a closed terminal ask all processes for a stop; asked again, they are ended at once."""

    def ask() -> None:  # raises nothing: a thread whose `join` is interrupted so is taken for dead
        agent.killed = agent.stopping
        agent.stopping = True
        run.command(Command(kind="stop"))

    with stop_signals(ask):
        yield


def _told(run: Run, agent: Agent, stopped: bool) -> AnyEvent | None:
    """Tell the end of a run whose processes have told none; None where they ended well, so that one of them has."""
    if agent.error is None:
        return None
    saved = run.saved_step
    event: Finished | Failed = Finished(step=saved, reason="stopped")
    if not stopped:
        event = Failed(step=saved, sentence=_why(agent.error, agent.num_hosts), details=str(agent.error))
    append_event(run, event)
    ending(event, run.label, 0 if stopped else exit_code(agent.error)).write(run.folder / "exit.json")
    return event


def _why(error: Exception, num_hosts: int) -> str:
    """What torchrun's agent ended with, or could not start for, as a sentence."""
    if isinstance(error, UserError):
        return str(error)
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.elastic.rendezvous import RendezvousClosedError, RendezvousTimeoutError

    match error:
        case ChildFailedError():
            sentence = f"a worker process died and {MOST_RESTARTS} restarts failed; see log.txt"
            network = "if machines cannot connect, name their network: GLOO_SOCKET_IFNAME=eth0 tfm launch …"
            return f"{sentence} ({network})" if num_hosts > 1 else sentence
        case RendezvousTimeoutError():
            patience = duration(JOIN_SECONDS)
            return f"not all {num_hosts} machines joined within {patience}: start it on each of them"
        case RendezvousClosedError():
            return f"another of its {num_hosts} machines has left: start it on each of them"
        case _:
            return f"the worker processes could not be started: {first_line(error)}"
