"""What a machine needs so that torch, or triton, can compile what a step computes."""

import importlib.util
import os
import shlex
import shutil
import sys
import sysconfig
from pathlib import Path

COMPILERS = {"darwin": "clang++", "win32": "cl"}
"""What torch looks for where CXX does not name one; elsewhere it is g++."""
OLDEST_GPU = (7, 0)
"""Triton's oldest compute capability, known where torch is loaded."""


def cpp_compiler() -> str:
    """The command that makes programs of C++."""
    return os.environ.get("CXX") or COMPILERS.get(sys.platform, "g++")


def missing_compiler(device: str) -> str:
    """What compiling for that device needs and this machine lacks, in words; empty where all is there."""
    if device == "mps":
        return "layers are compiled for the CPU and CUDA only"
    if device == "cuda" and importlib.util.find_spec("triton") is None:
        return "triton is not installed"
    torch = sys.modules.get("torch")
    if device == "cuda" and torch and torch.cuda.is_available() and torch.cuda.get_device_capability() < OLDEST_GPU:
        return f"the GPU is older than compute capability {OLDEST_GPU[0]}.{OLDEST_GPU[1]}"
    words = [cpp_compiler()] if sys.platform == "win32" else shlex.split(cpp_compiler())  # there it is a path alone
    if shutil.which(words[0]) is None:
        return f"no C++ compiler was found ({cpp_compiler()})"
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        return "Python's headers are missing (Python.h, from the system package python3-dev)"
    return ""
