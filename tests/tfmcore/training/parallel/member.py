"""One of some processes that train small runs together, one after the other; started by `processes.py`.

Each job is a config, a folder, and perhaps another folder, which it goes on from as that was at a step.
"""

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tfmcore.loading import loading

with loading():
    import torch

    from tfmcore.config import Config
    from tfmcore.messages import AnyEvent, Evaluated, Examined, Sampled, Started, Stepped, Warned
    from tfmcore.nn.attention import MultiHeadSelfAttention
    from tfmcore.nn.feed_forward import FeedForward
    from tfmcore.runs import Run
    from tfmcore.training.controls import Controls
    from tfmcore.training.examination import LAYER
    from tfmcore.training.faults import Failure
    from tfmcore.training.parallel.distributed import Distributed
    from tfmcore.training.parallel.stages import SkippedLayer
    from tfmcore.training.parallel.world import World
    from tfmcore.training.trainer import TransformerTrainer


def holds(trainer: TransformerTrainer) -> dict:
    """What this process has, as it is found in its modules and in a batch."""
    modules = dict(trainer.model.named_modules())
    layers = {name: module for name, module in modules.items() if LAYER.fullmatch(name)}
    attentions = [m for m in modules.values() if isinstance(m, MultiHeadSelfAttention)]
    batch = next(trainer.dataset.train.batches(trainer.training.batch_size, trainer.training.seed))
    placed = trainer.parallel.local_batch(batch, trainer.device)
    ids = torch.cat([piece.inputs["input_ids"] for piece in getattr(placed, "micro_batches", [placed])])
    places = range(len(batch.labels) - len(ids) + 1)
    start = next(n for n in places if (batch.inputs["input_ids"][n : n + len(ids)] == ids.numpy()).all())
    return {
        "layers": sorted(name for name, layer in layers.items() if not isinstance(layer, SkippedLayer)),
        "heads": sorted({attention.num_heads for attention in attentions}),
        "kv_heads": sorted({attention.num_kv_heads for attention in attentions}),
        "features": sorted({m.output.weight.shape[1] for m in modules.values() if isinstance(m, FeedForward)}),
        "examples": [start, start + len(ids)],
    }


def until_failed(trainer: TransformerTrainer, told: dict) -> Iterator[AnyEvent]:
    """Its events; why it could not go on is told."""
    try:
        yield from trainer.events()
    except Failure as failure:
        told["failed"] = f"{failure}\n{failure.details}"


def do(job: dict, number: int, rank: int, stores: Path) -> dict:
    """What the run said, in this process."""
    config, folder = Config.parse(job["config"]), Path(job["folder"])
    if rank == 0:
        if job["begin"]:
            shutil.copytree(job["begin"], folder)
            for checkpoint in Run(folder).checkpoints():
                if checkpoint.step > job["step"]:
                    shutil.rmtree(checkpoint.folder)
        else:
            Run.open(folder, config)
    parallel = None
    if config.training.parallel:
        world = World(config.training, stores / str(number), rank)
        parallel = Distributed(world.join(config.training), config)
    elif rank > 0:
        return {}
    run = Run(folder)
    trainer = TransformerTrainer.prepare(config, run, Controls(folder), lambda *_: None, parallel)
    held = sum(trainer.parallel.local(weight).numel() for weight in trainer.learner.weights)
    told = {kind: [] for kind in ("stepped", "evaluated", "sampled", "warned", "examined")}
    told |= {"held": held, "holds": holds(trainer)}
    for event in until_failed(trainer, told):
        match event:
            case Started():
                told["parameters"] = event.parameters
            case Stepped():
                told["stepped"].append([event.step, event.loss, event.gradient_norm, event.tokens])
            case Evaluated():
                told["evaluated"].append([event.step, event.loss, *event.metrics.values()])
            case Examined():
                told["examined"].append({name: list(dict(layer).values()) for name, layer in event.layers.items()})
            case Sampled():
                told["sampled"].append(event.text)
            case Warned():
                told["warned"].append(event.sentence)
    told["compiler"] = "torch._dynamo.eval_frame" in sys.modules
    return told


def main() -> None:
    rank, jobs, out = int(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()), Path(sys.argv[3])
    os.environ["GLOO_SOCKET_IFNAME"] = sys.argv[4]
    torch.set_num_threads(1)
    told = []
    for number, job in enumerate(jobs):
        begin = time.monotonic()
        told.append(do(job, number, rank, out))
        print(f"{job['folder']}: {time.monotonic() - begin:.2f} s", flush=True)
        (out / f"told-{rank}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
