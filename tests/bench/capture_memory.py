"""Peak memory of a capture of all attention, by tokens: python -m tests.bench.capture_memory [TOKENS …].

Each length is captured in a process of its own, whose peak is told by the system (not on Windows). `kept` is what the
engine goes on holding; the model's own work and what its allocator sets aside come on top, and vary from run to run.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.tfmcore.conftest import TEXTS, write_model
from tfmcore.config import TokenizerConfig
from tfmcore.data.tokenizer_training import train_tokenizer

CAPTURE = """
import resource, sys
from tfmcore.inference.opened import open_model
from tfmcore.inspection.capture import capture
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
opened = open_model(sys.argv[1])
capture(opened, "The dog")
before = peak()
kept = capture(opened, "d" * int(sys.argv[2])).bytes
print(kept / 1e6, (peak() - before) / 1e6)
"""


def main(lengths: list[int], layers: int = 2, heads: int = 4, repeats: int = 3) -> None:
    tokenizer = train_tokenizer(TokenizerConfig(kind="char"), TEXTS)
    print(f"{layers} layers of {heads} heads\n tokens   kept MB   peak MB (of {repeats} runs)   one layer's float32 MB")
    for length in lengths:
        with tempfile.TemporaryDirectory() as folder:
            write_model(Path(folder), "decoder", tokenizer, num_layers=layers, num_heads=heads, context_length=length)
            command = [sys.executable, "-c", CAPTURE, folder, str(length)]
            runs = [
                subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
                for _ in range(repeats)
            ]
        peaks = ", ".join(f"{float(peak):.0f}" for _, peak in runs)
        print(f"{length:7,} {float(runs[0][0]):9.0f}   {peaks:<20} {4 * heads * length**2 / 1e6:24.0f}")


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [512, 1024, 2048, 4096])
