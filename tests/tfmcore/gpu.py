"""Tests that need a GPU that CUDA knows, and say so where none is; and what differs where one is."""

import pytest
import torch

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that CUDA knows is here")

WRITES_IN = ["bf16"] if torch.cuda.is_available() else ["bf16", "int8"]
"""The precisions, beside fp32, in which an opened model writes here."""
