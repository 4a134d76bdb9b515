"""Writing greedily with one text at a time, and by beams, beside transformers with its dynamic cache in fp32.

    OMP_NUM_THREADS=2 OMP_WAIT_POLICY=PASSIVE python -m tests.bench.generation_speed [S GPT-2 S2S] [--rounds 5]
    python -m tests.bench.generation_speed GPT-2 --device cuda

The sides alternate in one process. Printed are the tokens per second of each and, to transformers, the median of the
ratios of the rounds with their spread. Threads that sleep while they wait are what a model of the window writes with.
With one thread the clock is the processor's time, which neighbours on the same cores lengthen less than the wall's.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from tests.bench.training_speed import SWITCHES, Setting
from tfmcore.config import ModelConfig, SavedModel
from tfmcore.inference.beams import search_beams
from tfmcore.inference.decoding import finish, write_on
from tfmcore.inference.quantization import prepared
from tfmcore.inference.reading import read_source
from tfmcore.models import build

Write = Callable[[], int]
"""Writes a text, and says how many tokens it has."""

SETTINGS = {
    "S": Setting("decoder", "language_modeling", 65, 6, 384, 6, 256, 1),
    "GPT-2": Setting("decoder", "language_modeling", 50_257, 12, 768, 12, 1024, 1),
    "S2S": Setting("encoder_decoder", "translation", 8000, 4, 256, 4, 64, 1),
}
PROMPT, NEW, BEAMS = 32, 200, 4
ENDLESS = {"bos_token_id": None, "eos_token_id": None}


def our_model(s: Setting) -> Any:
    torch.manual_seed(0)
    config = ModelConfig.model_validate({
        "architecture": s.architecture, "num_layers": s.num_layers, "d_model": s.d_model, "num_heads": s.num_heads,
        "d_ff": 4 * s.d_model, "context_length": s.context, "dropout": 0.0, **SWITCHES[s.architecture],
    })  # fmt: skip
    return build(SavedModel(task=s.task, vocab_size=s.vocab_size, model=config)).eval()


def their_model(s: Setting) -> nn.Module:
    import transformers as hf

    torch.manual_seed(0)
    if s.architecture == "decoder":
        sizes = {"n_positions": s.context, "n_embd": s.d_model, "n_layer": s.num_layers, "n_head": s.num_heads}
        return hf.GPT2LMHeadModel(hf.GPT2Config(vocab_size=s.vocab_size, **sizes, **ENDLESS)).eval()
    sizes = {"d_model": s.d_model, "d_kv": s.d_model // s.num_heads, "d_ff": 4 * s.d_model}
    layers = {"num_layers": s.num_layers, "num_heads": s.num_heads, "decoder_start_token_id": 0}
    config = hf.T5Config(vocab_size=s.vocab_size, **sizes, **layers, pad_token_id=0, eos_token_id=None)
    return hf.T5ForConditionalGeneration(config).eval()


@torch.inference_mode()
def their_text(model: Any, ids: list[int], new: int, beams: int) -> int:
    plainly = {"do_sample": False, "pad_token_id": 0, "eos_token_id": None}
    written = model.generate(torch.tensor([ids], device=model.device), max_new_tokens=new, num_beams=beams, **plainly)
    return written.shape[1] - (0 if model.config.is_encoder_decoder else len(ids))


@torch.inference_mode()
def our_text(model: Any, ids: list[int], new: int, beams: int) -> int:
    if beams == 1:
        return len(list(write_on(model, ids, max_new_tokens=new)))
    source = read_source(model, torch.tensor([ids], device=model.device))
    found = finish(search_beams(model, [0], num_beams=beams, max_new_tokens=new, source=source))
    return len(found[0].ids)


def sides(s: Setting, device: str) -> dict[str, Write]:
    """An encoder-decoder reads as much as its context holds, and writes as much by beams."""
    beams, prompt = (1, PROMPT) if s.architecture == "decoder" else (BEAMS, s.context)
    new, ids = min(NEW, s.context), [1 + i % (s.vocab_size - 1) for i in range(prompt)]
    theirs, ours = their_model(s).to(device), our_model(s).to(device)
    precisions = ("fp32", "bf16", "int8") if device == "cpu" else ("fp32", "bf16")
    models = {precision: prepared(ours, precision) for precision in reversed(precisions)}
    return {"transformers fp32": lambda: their_text(theirs, ids, new, beams)} | {
        f"ours {name}": lambda model=models[name]: our_text(model, ids, new, beams) for name in precisions
    }


def compare(writes: dict[str, Write], rounds: int) -> dict[str, list[float]]:
    """Seconds a token of each side, round by round."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    found: dict[str, list[float]] = {name: [] for name in writes}
    for round_ in range(-1, rounds):  # the first one is not counted
        for name, write in writes.items():
            begin = clock()
            tokens = write()
            if round_ >= 0:
                found[name].append((clock() - begin) / tokens)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", nargs="*", default=[])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    arguments: Any = parser.parse_args()
    print(f"{torch.get_num_threads()} threads")
    for name in arguments.settings or SETTINGS:
        found = compare(sides(SETTINGS[name], arguments.device), arguments.rounds)
        theirs = found["transformers fp32"]
        for side, seconds in found.items():
            ratios = [a / b for a, b in zip(theirs, seconds, strict=True)]
            spread = f"({min(ratios):.2f} to {max(ratios):.2f})"
            speed = f"{1 / statistics.median(seconds):8.1f} tokens/s"
            print(f"{name:<6}{side:<18}{speed}  {statistics.median(ratios):5.2f} × {spread}", flush=True)


if __name__ == "__main__":
    main()
