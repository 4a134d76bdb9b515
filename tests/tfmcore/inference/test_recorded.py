"""A step that was recorded comes to what the step comes to, whatever kernels it calls."""

import subprocess
import sys

import pytest
import torch
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from tests.tfmcore.inference.test_decoding import model_of
from tfmcore.config import ModelConfig
from tfmcore.inference.recorded import SHARED, RecordedStep
from tfmcore.nn.cache import Cache, KeyValueCache
from tfmcore.nn.kernels.attention import scaled_dot_product
from tfmcore.nn.mask import CAUSAL
from tfmcore.nn.probe import Hooks, probes

WEIGHTS = torch.arange(40.0).view(10, 4).sin()
COUNTED: list[int] = []


def views(ids):
    x = F.embedding(ids, WEIGHTS)
    return (x.transpose(1, 2).reshape(2, 2).t().flatten() * 2).unsqueeze(0)[..., 1:]


def several_results(ids):
    values, places = F.embedding(ids, WEIGHTS).topk(2)
    return values + places


def changed_in_place(ids):
    x = torch.zeros(3)
    x.add_(ids.flatten())
    return F.embedding(ids, WEIGHTS).clone().mul_(2).masked_fill_(ids[..., None] > 4, 7.0).sum() + x


def other_types(ids):
    x = F.embedding(ids, WEIGHTS).bfloat16()
    return (F.layer_norm(x.float(), (4,)) + x).double() / (ids + 1)


def chosen(ids):
    return WEIGHTS[ids] + torch.where(ids > 3, 1.0, WEIGHTS[0, :1])


def attention(ids):
    q = F.embedding(ids, WEIGHTS).view(1, 2, 1, 2)
    return F.scaled_dot_product_attention(q, q * 2, q + 1, torch.zeros(1, 1))


def random_numbers(ids):
    return torch.rand(3) + ids


def asks(ids):
    return F.embedding(ids, WEIGHTS) * ids.item()


def finds(ids):
    return WEIGHTS[WEIGHTS[:, 0] > ids.item()]


def selects(ids):
    return WEIGHTS.flatten()[WEIGHTS.flatten() > ids.flatten()]


def empty_cache() -> Cache:
    return Cache([KeyValueCache(torch.empty(1, 2, 16, 4))], 1, 16, torch.device("cpu"))


@torch.inference_mode()
@pytest.mark.parametrize(
    "step", [views, several_results, changed_in_place, other_types, chosen, attention], ids=lambda step: step.__name__
)
def test_it_is_taken_again(step):
    recorded = RecordedStep(empty_cache(), step)
    for id in (3, 9, 0, 5):
        torch.testing.assert_close(recorded.take(torch.tensor([[id]])), step(torch.tensor([[id]])), atol=0, rtol=0)


@torch.inference_mode()
@pytest.mark.parametrize("step", [random_numbers, asks, finds, selects], ids=lambda step: step.__name__)
def test_what_another_token_would_change_otherwise_is_not_recorded(step):
    recorded, threads = RecordedStep(empty_cache(), step), torch.get_num_threads()
    with pytest.raises(RuntimeError):
        recorded.take(torch.tensor([[3]]))
    assert torch.get_num_threads() == threads


@torch.library.custom_op("tests::num_threads", mutates_args=())
def num_threads(x: torch.Tensor) -> torch.Tensor:
    return torch.full((1,), float(torch.get_num_threads()))


@torch.inference_mode()
def test_small_kernels_are_called_with_one_thread():
    few, many = torch.zeros(1), torch.zeros(SHARED)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        step = RecordedStep(empty_cache(), lambda ids: torch.cat([num_threads(few), num_threads(many)]) + ids)
        assert step.take(torch.tensor([[3]])).tolist() == [[4.0, 5.0]]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@torch.library.custom_op("tests::counted", mutates_args=())
def counted(x: torch.Tensor) -> torch.Tensor:
    COUNTED.append(x.item())
    return x * 2


@torch.inference_mode()
def test_what_nobody_reads_is_not_made_again():
    def step(ids):
        x = F.embedding(ids, WEIGHTS)
        (counted(ids) + 1).neg()
        return x + counted(ids + 1)

    recorded = RecordedStep(empty_cache(), step)
    for id in (3, 9, 0):
        COUNTED.clear()
        assert recorded.take(torch.tensor([[id]])).equal(WEIGHTS[id][None, None] + 2 * (id + 1))
    assert COUNTED == [1]


class Called(TorchDispatchMode):
    """The names of the functions that are called."""

    def __enter__(self):
        self.names = []
        return super().__enter__()

    def __torch_dispatch__(self, function, types, inputs=(), options=None):
        self.names.append(function.name())
        return function(*inputs, **options or {})


@torch.inference_mode()
def test_what_is_read_only_to_be_copied_goes_where_the_copy_does():
    def once(ids):
        return F.layer_norm(F.embedding(ids, WEIGHTS), (4,)).bfloat16() * 2

    def twice(ids):
        x = F.layer_norm(F.embedding(ids, WEIGHTS), (4,))
        return x.bfloat16() * x

    def turned(ids):
        x = F.layer_norm(F.embedding(torch.cat([ids, ids + 1], 1), WEIGHTS), (4,))
        return x.transpose(1, 2).double() * 2

    copies = []
    for step in (once, twice, turned):
        recorded = RecordedStep(empty_cache(), step)
        recorded.take(torch.tensor([[3]]))
        with Called() as called:
            found = recorded.take(torch.tensor([[5]]))
        assert found.equal(step(torch.tensor([[5]])))
        copies.append(called.names[called.names.index("aten::native_layer_norm") :].count("aten::copy_"))
    assert copies == [1, 2, 2]


@torch.inference_mode()
@pytest.mark.parametrize("num_kv_heads", [4, 2])
@pytest.mark.parametrize("band", [CAUSAL, (3, 0)])
@pytest.mark.parametrize("bias", [None, torch.randn(1, 4, 1, 16)])
def test_only_what_is_stored_is_looked_at(num_kv_heads, band, bias):
    cache = Cache([KeyValueCache(torch.randn(1, num_kv_heads, 16, 8))], 1, 16, torch.device("cpu"))
    cache.length = 5
    cache.fix()
    cache.layers[0].keys[:, :, 6:] = torch.nan  # what is read of it spoils the result
    cache.layers[0].values[:] = cache.layers[0].keys + 1
    timeline, q = cache.advance(torch.zeros(1, 1), None), torch.randn(1, 4, 1, 8)
    k, v = cache.layers[0].keys, cache.layers[0].values
    added, nearest = torch.zeros(1, 4, 1, 6) if bias is None else bias[..., :6].clone(), 0 if band == CAUSAL else 2
    added[..., :nearest] = -torch.inf
    added = None if bias is None and band == CAUSAL else added
    seen = F.scaled_dot_product_attention(q, k[:, :, :6], v[:, :, :6], added, enable_gqa=True)
    mask = timeline.mask(band, bias)
    assert scaled_dot_product(q, k, v, mask, 0.0, 8**-0.5).equal(seen)
    assert mask.allowed(torch.zeros(1, 4, 1, 16)).expand(1, 4, 1, 16)[0, 0, 0].tolist() == [
        nearest <= place < 6 for place in range(16)
    ]


@torch.inference_mode()
def test_the_room_grows_with_the_text():
    cache, keys = empty_cache(), torch.ones(1, 2, 5, 4)
    cache.advance(torch.zeros(1, 5), None)
    cache.layers[0].append(keys, keys)
    cache.fix()
    assert cache.room == 16, "there is no more"
    timeline = cache.advance(torch.zeros(1, 1), None)
    assert timeline.queries.tolist() == [[5]]
    assert timeline.real.tolist() == [[True] * 6 + [False] * 10]
    k, v = cache.layers[0].append(keys[:, :, :1] * 3, keys[:, :, :1] * 4)
    assert k[0, 0, :, 0].tolist() == [1.0] * 5 + [3.0] + [0.0] * 10
    assert v[0, 1, :, 0].tolist() == [1.0] * 5 + [4.0] + [0.0] * 10


def test_hooks_of_any_module_are_seen():
    model = model_of(ModelConfig(d_model=16, num_layers=2, num_heads=2, context_length=30))
    hooks = Hooks(model.modules())
    assert not hooks
    for module in (model, model.decoder.layers[1].feed_forward, *probes(model).values()):
        for register in (module.register_forward_hook, module.register_forward_pre_hook):
            hook = register(lambda *_: None)
            assert hooks
            hook.remove()
            assert not hooks


def test_the_compiler_is_not_loaded_for_it():
    program = """
import sys
from tests.tfmcore.inference.test_decoding import ModelConfig, model_of, Window, torch
window = Window(model_of(ModelConfig(d_model=16, num_layers=2, num_heads=2, context_length=30)), 30)
with torch.inference_mode():
    window.read([1, 2])
    for id in range(10):
        window.read([id])
assert window.reader.recorded
print("torch._dynamo" in sys.modules)
"""
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "False"
