"""Without anything to compile, torch's compiler is not loaded; where there is, it is the real one."""

import subprocess
import sys

import pytest

from tests.tfmcore.conftest import choices

PROGRAM = """
import sys
import torch
from tests.bench.training_speed import SETTINGS, batch_of, our_config
from tfmcore.config import SavedModel
from tfmcore.models import build
from tfmcore.training.batches import to_device
from tfmcore.training.learner import Learner

torch.manual_seed(0)
s = SETTINGS["XS"]._replace(num_layers=1, d_model=16, context=8, batch=2)
config = our_config(s, "fp32")
training = config.training.model_copy(update={"optimizer": sys.argv[1], "ema_decay": 0.5})
learner = Learner(build(SavedModel(task=s.task, vocab_size=65, model=config.model)).train(), s.task, training)
batch = to_device(batch_of(s), torch.device("cpu"))

def step():
    loss, _ = learner.gradient([batch])
    learner.update(1e-3)
    return loss

losses = [step() for _ in range(5)]
learner.optimizer.load_state_dict(learner.optimizer.state_dict())
left_alone = torch._dynamo.disable(lambda x: x * 3)
assert left_alone(2) == 6
print("torch._dynamo.eval_frame" in sys.modules)

kernels = []

def note(graph, inputs):
    kernels.extend(node.target.__name__ for node in graph.graph.nodes if node.op == "call_function")
    return graph.forward

assert torch.compile(lambda x: left_alone(x + x) - 1, backend=note)(torch.ones(2)).tolist() == [5.0, 5.0]
losses.append(step())
assert losses == sorted(losses, reverse=True)
print("torch._dynamo.eval_frame" in sys.modules, type(sys.modules["torch._dynamo"]).__name__, *kernels)
"""


@pytest.mark.parametrize("optimizer", choices("training.optimizer"))
def test_it_is_loaded_when_something_is_compiled(optimizer):
    told = subprocess.check_output([sys.executable, "-W", "error", "-c", PROGRAM, optimizer], text=True)
    assert told.splitlines() == ["False", "True module add sub"]
