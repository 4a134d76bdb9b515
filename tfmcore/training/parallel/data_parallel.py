"""Data parallel: every rank has a slice of each batch, and all of the model (DDP) or a shard of it (FSDP2)."""

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor
from torch.distributed.tensor._utils import compute_local_shape_and_global_offset
from torch.nn.parallel import DistributedDataParallel

from tfmcore.models import ModelOutput
from tfmcore.nn.stacks import Stack
from tfmcore.training.losses import Objective


def apply_ddp(objective: Objective, group: dist.ProcessGroup, unused: bool) -> DistributedDataParallel:
    """DDP (https://arxiv.org/abs/2006.15704): gradients are averaged while the backward pass goes on, in the buckets
    where they stay, so that there is one copy of them. `unused` says that some weights never get one."""
    ids = [objective.model.device.index] if objective.model.device.type == "cuda" else None
    return DistributedDataParallel(
        objective, ids, process_group=group, find_unused_parameters=unused, gradient_as_bucket_view=True
    )


def apply_fsdp(objective: Objective, mesh: DeviceMesh) -> None:
    """FSDP2 (https://arxiv.org/abs/2304.11277): each rank keeps a shard of every weight; a layer's are gathered when
    the layer is computed. On a mesh of two dimensions it is HSDP: sharded within the second, replicated across the
    first."""
    for module in objective.modules():
        if isinstance(module, Stack):
            for layer in module.layers:
                fully_shard(layer, mesh=mesh)
    fully_shard(objective, mesh=mesh)
    register_fsdp_forward_method(objective, "answer")


def answer(objective: nn.Module, **inputs: Tensor) -> ModelOutput:
    """A sharded model's answer to what it is only asked about. No backward pass follows, after which the outermost
    weights would become shards again."""
    assert isinstance(objective, Objective)
    assert isinstance(objective, FSDPModule)
    with torch.inference_mode(False), torch.no_grad():  # a step will gather into the same tensors
        output = objective.answer(**inputs)
    objective.reshard()
    return output


def set_gradient_sync(module: nn.Module, on: bool) -> None:
    """Whether the next backward pass reduces gradients over all ranks."""
    if isinstance(module, DistributedDataParallel):
        module.require_backward_grad_sync = on
    elif isinstance(module, FSDPModule):
        module.set_requires_gradient_sync(on)


def local_tensor(tensor: Tensor) -> Tensor:
    """What of a tensor is here."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def local_rows(tensor: Tensor) -> range | None:
    """Which rows of a sharded tensor are here; None where it is not sharded."""
    if not isinstance(tensor, DTensor):
        return None
    shape, offset = compute_local_shape_and_global_offset(tensor.shape, tensor.device_mesh, tensor.placements)
    return range(offset[0], offset[0] + shape[0])


def shard_like(values: Tensor, tensor: Tensor) -> Tensor:
    """`values`, sharded as `tensor` is."""
    if not isinstance(tensor, DTensor):
        return values
    placed = (tensor.device_mesh, tensor.placements)
    return DTensor.from_local(values, *placed, run_check=False, shape=tensor.shape, stride=tensor.stride())
