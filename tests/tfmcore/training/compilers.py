"""Tests that compile something, where that is possible."""

import pytest
import torch

from tfmcore.config.compilers import missing_compiler

needs_compiler = pytest.mark.skipif(bool(missing_compiler("cpu")), reason=missing_compiler("cpu") or "all is there")

of_torch_itself = pytest.mark.filterwarnings("ignore")
"""torch warns of its own parts when it loads its compiler, and of what it does not compile."""


def count_compiled_calls(monkeypatch):
    """A compiler that does nothing; in the list are the calls of what it made."""
    calls = []

    def compile(call, **_):
        def counting(*inputs, **more):
            calls.append(call)
            return call(*inputs, **more)

        return counting

    monkeypatch.setattr(torch, "compile", compile)
    return calls
