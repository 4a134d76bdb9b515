"""A step of XS beside no, one and two processes that want the same cores, where threads wait for each other as in a run
of the window, as in one of the terminal, and, the batch not in shares, as in the window ("whole") and as torch has it.

    python -m tests.bench.neighbours [--seconds 8] [--rounds 3]

Printed are the median step of each and its ratio to the quiet one of the same kind; the kinds alternate.
"""

import argparse
import os
import statistics
import subprocess
import sys

ASLEEP = {"OMP_WAIT_POLICY": "PASSIVE"}
KINDS = {"window": ASLEEP, "whole": ASLEEP, "terminal": {}, "torch": {}}
NUM_NEIGHBOURS = (0, 1, 2)
STEPS = """
import sys, time
from itertools import repeat
from tfmcore.training.waiting import choose_waiting
if sys.argv[2] == "terminal":
    choose_waiting()
import torch
from tests.bench.training_speed import SETTINGS, batch_of, our_config, our_step
from tfmcore.training.batches import to_device
s = SETTINGS["XS"]
config = our_config(s, "fp32").replaced(training__shares=1 if sys.argv[2] in ("whole", "torch") else 2)
step = our_step(s, config, repeat(to_device(batch_of(s), torch.device("cpu"))))
step()
end, seconds = time.perf_counter() + float(sys.argv[1]), []
while time.perf_counter() < end:
    begin = time.perf_counter()
    step()
    seconds.append(time.perf_counter() - begin)
print(sorted(seconds)[len(seconds) // 2])
"""
BUSY = "while True: pass"


def median_step(kind: str, neighbours: int, seconds: float) -> float:
    """Milliseconds."""
    free = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(neighbours)]
    try:
        command = [sys.executable, "-c", STEPS, str(seconds), kind]
        done = subprocess.run(command, env=free | KINDS[kind], capture_output=True, text=True, check=True)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    return float(done.stdout) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    found: dict[tuple[str, int], list[float]] = {(kind, number): [] for kind in KINDS for number in NUM_NEIGHBOURS}
    for _ in range(arguments.rounds):
        for (kind, number), steps in found.items():
            steps.append(median_step(kind, number, arguments.seconds))
    for kind in KINDS:
        quiet = statistics.median(found[kind, 0])
        for number in NUM_NEIGHBOURS:
            step = statistics.median(found[kind, number])
            print(f"{kind:<9} {number} busy neighbours: {step:7.1f} ms, {step / quiet:5.2f} × quiet", flush=True)


if __name__ == "__main__":
    main()
