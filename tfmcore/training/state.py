"""What a checkpoint holds beside the model, so that training goes on to the bit: optimizer, random states, counters."""

from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from pydantic import BaseModel, ValidationError
from torch import Tensor, nn

from tfmcore.config import UserError
from tfmcore.nn.low_rank import unmerged

COUNTERS, TENSORS = "trainer.json", "optimizer.safetensors"


class Counters(BaseModel):
    """Where the training stands. `stale` counts the validations since the best one; `learning_rate` is set where a
    person has taken the schedule's place; `new` names the weights that the model it began from did not have. Steps
    left out because gradients were too large for fp16 are `overflows`; `precision` is what its scale goes on from."""

    step: int = 0
    best_loss: float | None = None
    best_step: int | None = None
    stale: int = 0
    skipped_steps: int = 0
    learning_rate: float | None = None
    new: list[str] = []
    overflows: int = 0
    precision: dict[str, Any] = {}


def save_state(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, counters: Counters) -> None:
    """Write `trainer.json`, and `optimizer.safetensors`: the optimizer's tensors by weight, the random states, and what
    model.safetensors does not tell of a model with low-rank updates."""
    tensors = {f"random.{name}": state for name, state in random_states().items()}
    tensors |= {f"weight.{name}": weight.detach().cpu().contiguous() for name, weight in unmerged(model).items()}
    for name, weight in model.named_parameters():
        for key, value in optimizer.state.get(weight, {}).items():
            tensors[f"{name}.{key}"] = value.detach().cpu().contiguous()
    safetensors.torch.save_file(tensors, folder / TENSORS)
    (folder / COUNTERS).write_text(counters.model_dump_json(), encoding="utf-8")


def load_state(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> Counters:
    """Put back what `save_state` wrote, into an optimizer that has not stepped; raises UserError."""
    counters = load_counters(folder)
    try:
        tensors = safetensors.torch.load((folder / TENSORS).read_bytes())
        set_random_states({name: tensors[f"random.{name}"] for name in ("cpu", "cuda") if f"random.{name}" in tensors})
        with torch.no_grad():
            for name, weight in unmerged(model).items():
                weight.copy_(tensors[f"weight.{name}"])
    except (OSError, safetensors.SafetensorError, KeyError) as error:
        raise UserError(f"{folder} holds no training state to go on from: {error}") from None
    for name, weight in model.named_parameters():
        keys = [key for key in ("step", "exp_avg", "exp_avg_sq") if f"{name}.{key}" in tensors]
        optimizer.state[weight] = {key: tensors[f"{name}.{key}"].to(weight.device) for key in keys}
    return counters


def load_counters(folder: Path) -> Counters:
    """Where the training stood that wrote `folder`; raises UserError."""
    try:
        return Counters.model_validate_json((folder / COUNTERS).read_bytes())
    except (OSError, ValidationError) as error:
        raise UserError(f"{folder} holds no training state to go on from: {error}") from None


def random_states() -> dict[str, Tensor]:
    """torch's random state of the processor and, where there is one, of the GPU, as uint8."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def set_random_states(states: dict[str, Tensor]) -> None:
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
