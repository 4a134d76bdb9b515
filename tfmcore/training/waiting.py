"""How threads wait for each other, which is settled before torch loads.

A thread that spins while it waits loses its core to neighbours just when it is waited for: a step can then take ten
times as long. One that sleeps is woken late: a step of a small model takes 15 % longer.
"""

import os

import psutil

LOOK_SECONDS = 0.2
BUSY = 0.5
"""Cores in use, from which on somebody else is at work here."""


def choose_waiting() -> None:
    """Have threads wait as `waiting` says."""
    os.environ.update(waiting())


def waiting() -> dict[str, str]:
    """What says in the environment that they sleep beside busy neighbours and spin for a moment on a quiet machine;
    nothing where the environment says how they wait."""
    if "OMP_WAIT_POLICY" in os.environ or "GOMP_SPINCOUNT" in os.environ:
        return {}
    cores = psutil.cpu_percent(LOOK_SECONDS) / 100 * (psutil.cpu_count() or 1)
    return {"OMP_WAIT_POLICY": "PASSIVE"} if cores > BUSY else {"GOMP_SPINCOUNT": "1000"}
