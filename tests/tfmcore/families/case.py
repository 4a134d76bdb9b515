"""A small model of `transformers` to compare with, of any family."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

VOCABULARY = 60
TINY = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 256,
}
LABELS = {"id2label": {0: "bad", 1: "so so", 2: "good"}, "label2id": {"bad": 0, "so so": 1, "good": 2}}


def nothing(model: Any) -> None:
    """Most models are as their config makes them."""


@dataclass(frozen=True)
class Case:
    """`prefix` begins the names of their classes (`Bert`), and that of their config unless `config_prefix` does;
    `config` are the keys of their config, `classes` the ends of the names of those with a head; `change` is done to a
    model that a config alone cannot make.

    `left`: padding on the left changes nothing, once they are told the positions if `told_positions`. `padded`: nor
    does it on the right. `norms`: what their weights of norms lie around. `unheard` are switches whose wrong value
    changes nothing in this very model, each with the reason.
    """

    prefix: str
    config: Mapping[str, Any]
    classes: tuple[str, ...]
    left: bool = False
    told_positions: bool = False
    padded: bool = True
    norms: float = 1.0
    config_prefix: str = ""
    change: Callable[[Any], None] = nothing
    unheard: Mapping[str, str] = field(default_factory=dict)

    def settings(self, ending: str) -> Any:
        """Their config."""
        import transformers

        labels = LABELS if "Classification" in ending else {}
        config = getattr(transformers, f"{self.config_prefix or self.prefix}Config")(**self.config, **labels)
        config._attn_implementation = "eager"
        return config

    def make(self, ending: str, seed: int = 0) -> Any:
        """The model in evaluation mode, with tame weights, and biases and norms that are not 0 and 1."""
        import transformers

        config = self.settings(ending)
        torch.manual_seed(seed)
        model = getattr(transformers, f"{self.prefix}{ending}")(config).eval()
        self.change(model)
        with torch.no_grad():
            for name, weight in [*model.named_parameters(), *model.named_buffers()]:
                if weight.requires_grad or name == "final_logits_bias":
                    perturb(name, weight, self.norms)
        return model


def perturb(name: str, weight: torch.Tensor, norms: float) -> None:
    """Norms around `norms`, all else around 0."""
    is_norm = weight.ndim == 1 and re.search(r"norm|ln_", name, re.IGNORECASE) is not None
    mean = norms if is_norm and name.endswith("weight") else 0.0
    weight.copy_(mean + (0.08 if weight.ndim > 1 else 0.2) * torch.randn_like(weight))
