"""The most memory of a step with a large vocabulary, beside transformers' GPT-2: python -m tests.bench.loss_memory.

Vocabulary 50,257, batch 8, context 512, width 256, 4 layers of 8 heads, fp32, AdamW. Each side takes two steps in a
process of its own; printed is the peak that the system saw (VmHWM) beyond what was in use before the model was made,
the model, its gradients and the optimizer included. `--one ours` or `--one theirs` measures one side here.
"""

import argparse
import subprocess
import sys

import torch

from tests.bench.training_speed import SWITCHES
from tfmcore.config import ModelConfig, SavedModel, TrainingConfig
from tfmcore.models import build
from tfmcore.training.batches import DeviceBatch
from tfmcore.training.learner import Learner
from tfmcore.training.peak_memory import peak_memory

VOCABULARY, BATCH, CONTEXT, WIDTH, LAYERS, HEADS = 50_257, 8, 512, 256, 4, 8


def ours(ids: torch.Tensor) -> None:
    shape = {"d_model": WIDTH, "num_layers": LAYERS, "num_heads": HEADS, "context_length": CONTEXT, "d_ff": 4 * WIDTH}
    model = ModelConfig(**shape, **SWITCHES["decoder"])
    learner = Learner(
        build(SavedModel(task="language_modeling", vocab_size=VOCABULARY, model=model)).train(),
        "language_modeling",
        TrainingConfig(batch_size=BATCH),
    )
    batch = DeviceBatch({"input_ids": ids}, ids, ids.numel(), ids.numel(), [])
    for _ in range(2):
        learner.gradient([batch])
        learner.update(1e-3)


def theirs(ids: torch.Tensor) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=VOCABULARY, n_positions=CONTEXT, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    )  # fmt: skip
    model = GPT2LMHeadModel(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    for _ in range(2):
        model(input_ids=ids, labels=ids).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


SIDES = {"ours": ours, "theirs": theirs}


def measure(side: str) -> int:
    """Bytes that two steps of a side need at the most."""
    if side == "theirs":
        import transformers.models.gpt2.modeling_gpt2  # noqa: F401, its code is not what is compared
    ids = torch.randint(VOCABULARY, (BATCH, CONTEXT))
    with peak_memory(torch.device("cpu")) as memory:
        SIDES[side](ids)
    return memory.num_bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", choices=SIDES)
    if one := parser.parse_args().one:
        print(measure(one))
        return
    peaks = {}
    for side in SIDES:
        command = [sys.executable, "-m", "tests.bench.loss_memory", "--one", side]
        peaks[side] = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])
        print(f"{side:<8}{peaks[side] / 2**20:8.0f} MiB", flush=True)
    print(f"ours ÷ theirs: {peaks['ours'] / peaks['theirs']:.3f}")


if __name__ == "__main__":
    main()
