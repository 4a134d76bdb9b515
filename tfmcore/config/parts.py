"""The parts of a model by the names that people give them, and how the names of their weights begin."""

import difflib
import re

from tfmcore.config.model import ModelConfig

EMBEDDINGS = ("embedding.", "encoder_embedding.", "decoder_embedding.")
HEADS = ("head.", "next_sentence_head.")
LAYERS = re.compile(r"(?:(encoder|decoder)\.)?layers\.(\d{1,4})(?:-(\d{1,4}))?")


def stacks(model: ModelConfig) -> dict[str, int]:
    """The layers of each stack: {"encoder": 4, "decoder": 4}, or the one that there is."""
    if model.architecture == "encoder_decoder":
        return {"encoder": model.num_layers, "decoder": model.decoder_layers}
    return {model.architecture: model.num_layers}


def weights_of(part: str, model: ModelConfig) -> tuple[str, ...]:
    """How the names of a part's weights begin; nothing where the model has no such part. `layers.0-3` are layers of
    each stack, `decoder.layers.2` is one of one."""
    depths = stacks(model)
    if part == "embedding":
        return EMBEDDINGS
    if part == "head":
        return HEADS
    if part in depths:
        return (f"{part}.",)
    if not (found := LAYERS.fullmatch(part)):
        return ()
    first, last = int(found[2]), int(found[3] or found[2])
    chosen = {name: depth for name, depth in depths.items() if found[1] in (None, name)}
    if not first <= last < max(chosen.values(), default=0):
        return ()
    return tuple(f"{name}.layers.{n}." for name, depth in chosen.items() for n in range(first, min(last + 1, depth)))


def nearest_part(part: str, model: ModelConfig) -> str:
    """The part that the model has and whose name is like `part`."""
    depths = stacks(model)
    if found := LAYERS.fullmatch(part):
        stack = found[1] if found[1] in depths else None
        deepest = (depths[stack] if stack else max(depths.values())) - 1
        first, last = sorted(min(int(number), deepest) for number in (found[2], found[3] or found[2]))
        return (f"{stack}." if stack else "") + f"layers.{first}" + (f"-{last}" if last > first else "")
    names = ["embedding", *depths, "head", f"layers.0-{max(depths.values()) - 1}"]
    return difflib.get_close_matches(part, names, n=1, cutoff=0.0)[0]
