"""One run on two machines, here two network namespaces joined by a cable: it must learn what one process learns.

Needs root, Linux and iproute2: python -m tests.bench.two_hosts [data|fsdp|tensor|pipeline]
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.tfmcore.training.parallel.processes import config
from tfmcore.messages import Stepped
from tfmcore.runs import Run
from tfmcore.training.process import run_trainer

HOSTS = {"tfm-anna": "10.77.0.1", "tfm-berta": "10.77.0.2"}
CABLE = "tfm0"
SECONDS = 300.0


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@contextmanager
def two_hosts() -> Iterator[None]:
    """Two namespaces, each with its end of a cable, and no other way to each other."""
    first, second = HOSTS
    try:
        for host in HOSTS:
            ip("netns", "add", host)
        ip("link", "add", CABLE, "netns", first, "type", "veth", "peer", "name", CABLE, "netns", second)
        for host, address in HOSTS.items():
            ip("-n", host, "addr", "add", f"{address}/24", "dev", CABLE)
            ip("-n", host, "link", "set", CABLE, "up")
            ip("-n", host, "link", "set", "lo", "up")
        yield
    finally:
        for host in HOSTS:
            subprocess.run(["ip", "netns", "del", host], check=False)


def losses(run: Run) -> list[float]:
    return [event.loss for event in run.events() if isinstance(event, Stepped)]


def main(kind: str) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as shared, two_hosts():
        alone = Run.open(Path(shared) / "alone", config("nano-decoder", ""))
        run_trainer(alone, lambda _: None)
        run = Run.open(Path(shared) / "shared", config("nano-decoder", kind))
        command = [sys.executable, "-m", "tfmcore", "train", "--continue", str(run.folder), "--hosts", "2"]
        environment = {**os.environ, "GLOO_SOCKET_IFNAME": CABLE}
        started = [subprocess.Popen(["ip", "netns", "exec", host, *command], env=environment) for host in HOSTS]
        for process in started:
            process.wait(SECONDS)
        found, expected = losses(run), losses(alone)
        print(run.exit())
        worst = max(abs(a - b) / b for a, b in zip(found, expected, strict=True))
        print(f"{kind} on two hosts, {len(found)} steps: the losses differ by {worst:.1e} of their size at the most")
        assert worst < 1e-5


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "data")
