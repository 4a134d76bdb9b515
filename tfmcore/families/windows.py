"""Which layers see no farther than a window: `layer_types` of a config.json, and our `layer_pattern`."""

from collections.abc import Mapping, Sequence
from typing import Any

from tfmcore.config import ModelConfig, UserError

KINDS = {"full_attention": "global", "sliding_attention": "local"}
MAX_LAYERS = 512


def read_count(theirs: Mapping[str, Any], name: str, default: int) -> int:
    """A key that counts layers; raises UserError for what is no number of them."""
    value = theirs.get(name, default)
    if type(value) is not int or not 0 <= value <= MAX_LAYERS:
        raise UserError(f"{name} is {value!r:.80}, not a number of layers (at most {MAX_LAYERS})")
    return value


def read_windows(theirs: Mapping[str, Any], otherwise: Sequence[str], window: Any) -> dict[str, Any]:
    """The pattern of `layer_types`, or `otherwise` where a config has none, and the window of its local layers."""
    pattern, kinds = list(otherwise), theirs.get("layer_types")
    if kinds is not None:
        if not isinstance(kinds, list) or not kinds or not all(isinstance(kind, str) for kind in kinds):
            raise UserError("layer_types must be a list of full_attention and sliding_attention")
        if strange := [kind for kind in kinds if kind not in KINDS]:
            raise UserError(f"layer_types has {strange[0]!r:.80}, and the only supported ones are {', '.join(KINDS)}")
        pattern = [KINDS[kind] for kind in kinds]
    return fields(pattern, window)


def fields(pattern: Sequence[str], window: Any) -> dict[str, Any]:
    """Our fields, empty where no layer is local."""
    if "local" not in pattern:
        return {"layer_pattern": [], "attention_window": None}
    return {"layer_pattern": list(pattern), "attention_window": window}


def write_windows(model: ModelConfig) -> dict[str, Any]:
    names = {ours: theirs for theirs, ours in KINDS.items()}
    return {"layer_types": [names[kind] for kind in pattern_of(model)]}


def pattern_of(model: ModelConfig) -> list[str]:
    """`global` or `local` for each layer."""
    return ["global" if model.window_of(layer) is None else "local" for layer in range(model.num_layers)]


def widest(model: ModelConfig) -> int | None:
    """The window of the local layers, None where there is none."""
    return model.attention_window if "local" in pattern_of(model) else None
