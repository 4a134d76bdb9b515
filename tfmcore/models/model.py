"""What the three architectures have in common, and what they answer."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tfmcore.config.model import ModelConfig
from tfmcore.nn.initialization import initialize
from tfmcore.nn.stacks import Stack, Weights


@dataclass(kw_only=True)
class Features:
    """The last layer's vectors, `hidden` (B, T, D), and per layer the attention (B, H, T, S) where it was asked for.

    Beside an encoder, `attentions` are the decoder's own, `encoder_attentions` the encoder's.
    """

    hidden: Tensor
    attentions: Weights = None
    encoder_attentions: Weights = None
    cross_attentions: Weights = None


@dataclass(kw_only=True)
class ModelOutput(Features):
    """Features and the head's answer: `logits` (B, T, V), or (B, C) from a classifier; `next_sentence_logits` (B, 2)
    from a model that has this head too."""

    logits: Tensor
    next_sentence_logits: Tensor | None = None


class Model(nn.Module):
    """A transformer with a head. `features` goes as far as the last layer; calling the model goes on to the logits."""

    head: nn.Module
    features: Callable[..., Features]

    def __init__(self, config: ModelConfig, vocab_size: int) -> None:
        super().__init__()
        self.config, self.vocab_size = config, vocab_size
        self.next_sentence_head: nn.Module | None = None

    def initialize(self) -> None:
        """Set all weights anew, by the config's scheme and torch's random state."""
        initialize(self, self.config.initialization, self.config.d_model, self.config.num_layers)

    def answer(self, features: Features, attention_mask: Tensor | None) -> ModelOutput:
        return ModelOutput(
            logits=self.head(features.hidden, attention_mask),
            next_sentence_logits=self.next_sentence(features.hidden, attention_mask),
            **vars(features),
        )

    def next_sentence(self, hidden: Tensor, attention_mask: Tensor | None) -> Tensor | None:
        """The answer (B, 2) of the head that has it, if there is one."""
        return None if self.next_sentence_head is None else self.next_sentence_head(hidden, attention_mask)

    def num_parameters(self, trainable: bool = False) -> int:
        """Number of weights, shared ones counted once; of those that are trained only, if `trainable`."""
        return sum(weight.numel() for weight in self.parameters() if weight.requires_grad or not trainable)

    def set_gradient_checkpointing(self, on: bool) -> None:
        """Keep only each layer's input in training and compute the rest again (https://arxiv.org/abs/1604.06174)."""
        for module in self.modules():
            if isinstance(module, Stack):
                module.gradient_checkpointing = on

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device
