"""Dropout (https://jmlr.org/papers/v15/srivastava14a.html), of random numbers that a thread may have to itself."""

from torch import Tensor, nn
from torch.nn import functional as F

from tfmcore.nn.kernels.dropout import MOST, dropout_on_cpu


def dropout(x: Tensor, p: float, training: bool = True) -> Tensor:
    """Zeros with probability `p`, the rest divided by 1 - p; `x` itself where nothing is trained."""
    return dropout_on_cpu(x, p) if training and 0 < p <= MOST and x.is_cpu else F.dropout(x, p, training)


class Dropout(nn.Dropout):
    """`dropout` as a layer."""

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.p, self.training)
