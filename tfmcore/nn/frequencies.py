"""How fast each pair of features is rotated, also in texts longer than those a model was trained on."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True)
class Stretch:
    """How a model of `original_length` tokens reads texts `factor` times as long. linear: every angle ÷ factor
    (https://arxiv.org/abs/2306.15595); dynamic: a larger base, by the length at hand; llama3: long waves only
    (https://arxiv.org/abs/2407.21783); yarn: features that turn fewer than `beta_slow` times in the original length,
    gradually up to `beta_fast` times, and a factor on queries and keys (https://arxiv.org/abs/2309.00071)."""

    kind: Literal["linear", "dynamic", "llama3", "yarn"]
    factor: float
    original_length: int
    low_frequency_factor: float = 1.0
    high_frequency_factor: float = 4.0
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    attention_factor: float | None = None

    @property
    def magnitude(self) -> float:
        """What rotated queries and keys are multiplied by."""
        if self.kind != "yarn":
            return 1.0
        return 0.1 * math.log(self.factor) + 1.0 if self.attention_factor is None else self.attention_factor

    def frequencies(self, width: int, theta: float, positions: Tensor) -> Tensor:
        """Positions (B or 1, T) → frequencies (width/2,), or (B or 1, 1, width/2) where they depend on the length."""
        plain = inverse_frequencies(width, theta, positions.device)
        match self.kind:
            case "linear":
                return plain / self.factor
            case "dynamic":
                return self._dynamic(width, theta, positions)
            case "llama3":
                return self._llama3(plain)
            case "yarn":
                return self._yarn(width, theta, plain)

    def _dynamic(self, width: int, theta: float, positions: Tensor) -> Tensor:
        """Each text by its own length, whatever it shares a batch with; nothing changes up to the original length."""
        length = (positions.amax(-1)[:, None, None] + 1).clamp(min=self.original_length)
        base = theta * (self.factor * length / self.original_length - (self.factor - 1)) ** (width / (width - 2))
        exponents: Tensor = torch.arange(0, width, 2, device=positions.device, dtype=torch.float32) / width
        return base**-exponents

    def _llama3(self, plain: Tensor) -> Tensor:
        turns = self.original_length * plain / (2 * math.pi)
        low, high = self.low_frequency_factor, self.high_frequency_factor
        kept = ((turns - low) / (high - low)).clamp(0, 1)
        return (1 - kept) * plain / self.factor + kept * plain

    def _yarn(self, width: int, theta: float, plain: Tensor) -> Tensor:
        def feature(turns: float) -> float:
            """Which feature turns that often in the original length."""
            return width * math.log(self.original_length / (turns * 2 * math.pi)) / (2 * math.log(theta))

        first = max(math.floor(feature(self.beta_fast)), 0)
        last = min(math.ceil(feature(self.beta_slow)), width - 1)
        steps = torch.arange(width // 2, device=plain.device, dtype=torch.float32)
        stretched = ((steps - first) / (last - first or 0.001)).clamp(0, 1)
        return plain / self.factor * stretched + plain * (1 - stretched)


def inverse_frequencies(width: int, theta: float, device: torch.device) -> Tensor:
    """theta^(-2i/width) for i = 0 … ⌈width/2⌉ - 1."""
    return theta ** (-torch.arange(0, width, 2, device=device, dtype=torch.float32) / width)
