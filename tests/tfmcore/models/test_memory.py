"""A large model is opened in memory of its own size and at most a tenth more, be it ours or an imported one."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tfmcore.config import ModelConfig, SavedModel
from tfmcore.models.weights import skeleton

MEASURE = """
import sys
from pathlib import Path
from tfmcore.families.importing import read_model
from tfmcore.models import load_model

def status(field):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))

before = status("VmRSS")
{call}(Path(sys.argv[1]))
print(status("VmHWM") - before)
"""


def write_sparse(path: Path, weights: Mapping[str, Tensor]) -> int:
    """A safetensors file of zeros that takes no room on the disk; returns the bytes of its tensors."""
    header, end = {}, 0
    for name, weight in weights.items():
        start, end = end, end + weight.nbytes
        header[name] = {"dtype": "F32", "shape": list(weight.shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(file.tell() + end)
    return end


def own(folder: Path) -> int:
    """GPT-2's size."""
    config = ModelConfig(d_model=768, num_layers=12, num_heads=12)
    saved = SavedModel(task="language_modeling", vocab_size=50_257, model=config)
    saved.write(folder)
    return write_sparse(folder / "model.safetensors", dict(skeleton(saved).named_parameters()))


def foreign(folder: Path) -> int:
    """A BERT of half a gigabyte, as `transformers` writes it."""
    from transformers import BertConfig, BertForMaskedLM

    config = BertConfig(vocab_size=60_000, num_hidden_layers=11, architectures=["BertForMaskedLM"])
    (folder / "config.json").write_text(config.to_json_string(use_diff=False))
    with torch.device("meta"):
        model = BertForMaskedLM(config)
    return write_sparse(folder / "model.safetensors", dict(model.named_parameters()))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not say how much memory a process has had")
@pytest.mark.parametrize(("write", "call"), [(own, "load_model"), (foreign, "read_model")])
def test_a_checkpoint_is_opened_in_its_own_size(write: Callable[[Path], int], call: str, tmp_path: Path) -> None:
    size = write(tmp_path)
    assert size > 450e6
    command = [sys.executable, "-c", MEASURE.format(call=call), str(tmp_path)]
    measured = subprocess.run(command, capture_output=True, text=True, check=True)
    assert 0.99 * size < int(measured.stdout) < 1.1 * size
