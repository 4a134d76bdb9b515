"""The validation loss in each precision after the same steps: python -m tests.bench.precision_loss TEXT [STEPS].

A character-level decoder (4 layers, width 128, context 64, batch 12: about 0.8 M weights) learns from a text file with
the same seed in fp32 and in bf16 (fp16 with --fp16); printed are the losses and how far they lie apart.
"""

import argparse
import tempfile
from pathlib import Path

from tfmcore.config import Config
from tfmcore.messages import Evaluated
from tfmcore.training.trainer import train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path)
    parser.add_argument("steps", type=int, nargs="?", default=1000)
    parser.add_argument("--fp16", action="store_true")
    arguments = parser.parse_args()
    losses: dict[str, float] = {}
    for precision in ("fp32", "bf16", *(["fp16"] if arguments.fp16 else [])):
        training = {
            "steps": arguments.steps, "batch_size": 12, "precision": precision, "eval_every": arguments.steps,
            "eval_batches": 100, "sample_every": 0, "save_every": arguments.steps,
        }  # fmt: skip
        config = Config.parse({
            "data": {"source": "file", "path": str(arguments.text.absolute()), "validation_fraction": 0.1},
            "tokenizer": {"kind": "char"},
            "model": {"context_length": 64},
            "training": training,
        })  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            found = [event.loss for event in train(config, Path(folder) / "run") if isinstance(event, Evaluated)]
        losses[precision] = found[-1]
        apart = abs(losses[precision] - losses["fp32"])
        print(f"{precision}: validation loss {found[-1]:.4f} after {arguments.steps} steps, {apart:.4f} from fp32's")


if __name__ == "__main__":
    main()
