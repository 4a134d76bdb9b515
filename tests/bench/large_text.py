"""A large running text through the data engine: seconds, peak memory, progress, and how soon a cancel is obeyed.

    python -m tests.bench.large_text [GIGABYTES] [TOKENIZER_KIND …]

The text is the embedded Python reference, its pieces in random order, written into a temporary folder with the cache.
"""

import os
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.tfmcore.engine.conftest import Engine
from tfmcore.config import Config
from tfmcore.data.sources import SOURCES
from tfmcore.messages import Cancel, PrepareData, Progress


def write_text(path: Path, num_bytes: int) -> None:
    data = Config().data
    pieces = [example["text"].encode() for example in SOURCES["python_manual"].examples(data)]
    generator = random.Random(0)
    with open(path, "wb") as file:
        while file.tell() < num_bytes:
            generator.shuffle(pieces)
            file.write(b"\n".join(pieces))


def measure(path: Path, kind: str) -> None:
    raw = {"data": {"source": "file", "path": str(path)}, "tokenizer": {"kind": kind, "vocab_size": 2048}}
    config = Config.parse(raw).raw()
    engine = Engine()
    cancelled = engine.ask(PrepareData, config=config)
    while not isinstance(engine.reply()[0], Progress):
        pass
    time.sleep(2)
    begin = time.perf_counter()
    engine.send(Cancel(id=cancelled))
    engine.until(cancelled)
    until_cancelled = time.perf_counter() - begin
    begin = time.perf_counter()
    replies = [reply for reply, _ in engine.until(engine.ask(PrepareData, config=config))]
    seconds = time.perf_counter() - begin
    engine.process.stdin.close()
    peak = os.wait4(engine.process.pid, 0)[2].ru_maxrss / 1024
    engine.process.returncode = 0
    size = path.stat().st_size / 1e9
    print(
        f"{kind}: {size:.2f} GB in {seconds:.0f} s ({1000 * size / seconds:.0f} MB/s), peak {peak:.0f} MB, "
        f"{len(replies) - 1} reports of progress, cancelled within {until_cancelled:.2f} s; {replies[-1].kind}"
    )


def main() -> None:
    gigabytes, kinds = float((sys.argv[1:] or ["1"])[0]), sys.argv[2:] or ["char", "byte_bpe"]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        path = Path(folder) / "large.txt"
        write_text(path, int(gigabytes * 1e9))
        for kind in kinds:
            measure(path, kind)


if __name__ == "__main__":
    main()
