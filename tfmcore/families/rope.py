"""Rotary angles: `rope_parameters` of a config.json, or the keys that said the same before, and our `rope_` fields."""

import math
from collections.abc import Mapping
from typing import Any

from tfmcore.config import ModelConfig, UserError

ROPE_KEYS = ("rope_parameters", "rope_scaling", "rope_theta")
THETA = 10_000.0
FACTOR = {"factor": "rope_factor"}
LENGTH = {"original_max_position_embeddings": "rope_original_length"}
STRETCHES: dict[str, dict[str, str]] = {
    "default": {},
    "linear": FACTOR,
    "dynamic": FACTOR,
    "llama3": {
        **FACTOR,
        **LENGTH,
        "low_freq_factor": "rope_low_frequency_factor",
        "high_freq_factor": "rope_high_frequency_factor",
    },
    "yarn": {
        **FACTOR,
        **LENGTH,
        "attention_factor": "rope_attention_factor",
        "beta_fast": "rope_beta_fast",
        "beta_slow": "rope_beta_slow",
    },
}
"""What each way of stretching angles is told, and our names of it."""
YARN_ONLY = ("mscale", "mscale_all_dim", "truncate")


def read_rope(theirs: Mapping[str, Any], theta: float = THETA) -> dict[str, Any]:
    """Angles that all layers share; `theta` is the base where a config does not say."""
    rope = table(theirs.get("rope_scaling")) or table(theirs.get("rope_parameters"))
    return {"rope_theta": base(rope, theirs.get("rope_theta"), theta), **read_stretch(rope, theirs)}


def write_rope(model: ModelConfig) -> dict[str, Any]:
    """The table, and beside it the keys of before, which many programs still look for."""
    rope = write_stretch(model)
    scaling = {} if model.rope_scaling == "none" else {"rope_scaling": rope}
    return {"rope_parameters": rope, "rope_theta": model.rope_theta, **scaling}


def read_ropes(theirs: Mapping[str, Any], older: tuple[str, str], thetas: tuple[float, float]) -> dict[str, Any]:
    """Angles of global and of local layers, each in a table of its own; `older` are the keys that said their bases
    before, `thetas` the bases where a config does not say. Only the global ones can be stretched."""
    ropes = table(theirs.get("rope_parameters"))
    near = table(ropes.get("sliding_attention"))
    far = table(ropes.get("full_attention")) | table(theirs.get("rope_scaling"))
    if read_stretch(near, theirs)["rope_scaling"] != "none":
        raise UserError("rope_parameters scales the angles of local layers, which is not supported")
    return {
        "rope_theta": base(far, theirs.get(older[0]), thetas[0]),
        "rope_theta_local": base(near, theirs.get(older[1]), thetas[1]),
        **read_stretch(far, theirs),
    }


def write_ropes(model: ModelConfig, older: tuple[str, str]) -> dict[str, Any]:
    local = model.rope_theta_local or model.rope_theta
    near = {"rope_type": "default", "rope_theta": local}
    tables = {"full_attention": write_stretch(model), "sliding_attention": near}
    return {"rope_parameters": tables, older[0]: model.rope_theta, older[1]: local}


def read_stretch(rope: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """How angles are stretched. Raises UserError for a way, or a key of one, that this program does not know."""
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if not isinstance(kind, str) or kind not in STRETCHES:
        raise UserError(f"rope_type is {kind!r:.80}, and the only supported ones are {', '.join(STRETCHES)}")
    names = STRETCHES[kind]
    known = {"rope_type", "type", "rope_theta", *names, *(YARN_ONLY if kind == "yarn" else ())}
    if strange := [name for name, value in rope.items() if name not in known and value is not None]:
        raise UserError(f"rope_parameters has {strange[0]!r:.80}, which is unknown for {kind}")
    found = {ours: rope[name] for name, ours in names.items() if rope.get(name) is not None}
    if kind == "yarn":
        found |= _read_yarn(rope, theirs)
    elif "factor" in names and "rope_factor" not in found:
        raise UserError(f"rope_parameters lacks the factor, which {kind} needs")
    return {"rope_scaling": "none" if kind == "default" else kind, **found}


def _read_yarn(rope: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """The factor, which may be the ratio of two lengths, and that on queries and keys, the ratio of two scales."""
    if rope.get("truncate", True) is not True:
        raise UserError("rope_parameters has truncate = false, which is not supported")
    factor, context = rope.get("factor"), theirs.get("max_position_embeddings")
    try:
        if factor is None:
            factor = context / rope["original_max_position_embeddings"]
        found = {"rope_factor": factor}
        if rope.get("attention_factor") is None and rope.get("mscale") and rope.get("mscale_all_dim"):
            above, below = (0.1 * rope[name] * math.log(max(factor, 1.0)) + 1.0 for name in YARN_ONLY[:2])
            found["rope_attention_factor"] = above / below
    except (TypeError, KeyError, ArithmeticError, ValueError):
        raise UserError(f"rope_parameters makes no sense for yarn: {dict(rope)!r:.200}") from None
    return found


def write_stretch(model: ModelConfig) -> dict[str, Any]:
    kind = "default" if model.rope_scaling == "none" else model.rope_scaling
    values = {name: getattr(model, ours) for name, ours in STRETCHES[kind].items()}
    if "original_max_position_embeddings" in values:
        values |= {"original_max_position_embeddings": model.rope_original_length or model.context_length}
    said = {name: value for name, value in values.items() if value is not None}
    return {"rope_type": kind, "rope_theta": model.rope_theta, **said}


def base(rope: Mapping[str, Any], older: Any, theta: float) -> Any:
    """The base that a table says, else the key of before, else `theta`."""
    return next(value for value in (rope.get("rope_theta"), older, theta) if value is not None)


def table(value: Any) -> dict[str, Any]:
    """A table that may be missing; raises UserError for anything else."""
    if not isinstance(value, dict | None):
        raise UserError(f"rope_parameters is {value!r:.100}, not a table")
    return value or {}
