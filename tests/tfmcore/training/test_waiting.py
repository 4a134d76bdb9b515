"""Threads sleep beside neighbours, and do as the environment has it."""

import os
import subprocess
import sys

import psutil
import pytest

from tfmcore.training.waiting import choose_waiting


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.setenv(name, "")  # put back at the end, whatever becomes of it
        del os.environ[name]


@pytest.mark.parametrize(
    ("percent", "chosen"), [(0.0, "GOMP_SPINCOUNT"), (10.0, "GOMP_SPINCOUNT"), (60.0, "OMP_WAIT_POLICY")]
)
def test_by_how_busy_the_machine_is(monkeypatch, percent, chosen):
    monkeypatch.setattr(psutil, "cpu_count", lambda: 2)
    monkeypatch.setattr(psutil, "cpu_percent", lambda seconds: percent)
    choose_waiting()
    assert {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys() == {chosen}


@pytest.mark.parametrize(("name", "value"), [("OMP_WAIT_POLICY", "ACTIVE"), ("GOMP_SPINCOUNT", "7")])
def test_the_environment_counts(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    monkeypatch.setattr(psutil, "cpu_percent", lambda seconds: pytest.fail("nobody need look"))
    choose_waiting()
    assert os.environ[name] == value
    assert len({"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys()) == 1


def test_a_real_neighbour_is_seen(monkeypatch):
    monkeypatch.setattr(psutil, "cpu_count", lambda: 100)  # the busy one alone is enough, on any machine
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        choose_waiting()
    finally:
        busy.kill()
        busy.wait()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
