"""Tests that compile something, where that is possible."""

import pytest

from tfmcore.training.compiled import missing_compiler

needs_compiler = pytest.mark.skipif(bool(missing_compiler("cpu")), reason=missing_compiler("cpu") or "all is there")

of_torch_itself = pytest.mark.filterwarnings("ignore")
"""torch warns of its own parts when it loads its compiler, and of what it does not compile."""
