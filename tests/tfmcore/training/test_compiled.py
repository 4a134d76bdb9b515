"""Compiled layers compute what the layers compute, in steps alone."""

import itertools
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
import torch._dynamo

from tests.tfmcore.gpu import needs_gpu
from tests.tfmcore.training.compilers import count_compiled_calls, needs_compiler, of_torch_itself
from tfmcore.config import SavedModel, compilers
from tfmcore.config.compilers import missing_compiler
from tfmcore.models import build
from tfmcore.training.batches import to_device
from tfmcore.training.compiled import CompiledLayers
from tfmcore.training.examination import Examination
from tfmcore.training.finetuning import choose_trained
from tfmcore.training.ingredients import dataset_of
from tfmcore.training.learner import Learner
from tfmcore.training.losses import Objective
from tfmcore.training.state import Way
from tfmcore.workspace import cache_folder

pytestmark = pytest.mark.timeout(500)  # a busy machine compiles for long
NUM_STEPS = 20
CHECKPOINTED = ["training.gradient_checkpointing=true", "training.lora_rank=2", "training.finetune_from=another"]
PADDED = ["model.num_layers=1", "model.dropout=0.1", "training.batch_size=4"]


def learner_of(config, dataset, way: Way) -> Learner:
    torch.manual_seed(0)
    tokens, labels = dataset.tokenizer.vocab_size, dataset.labels
    model = build(SavedModel(task=config.data.task, vocab_size=tokens, model=config.model, labels=labels))
    choose_trained(model, config.training)
    model.train().set_gradient_checkpointing(config.training.gradient_checkpointing)
    learner = Learner(model, config.data.task, config.training)
    if way != "no":
        learner.compiled.begin(way)
    return learner


def losses_of(config, dataset, way: Way) -> list[tuple[float, float]]:
    """Loss and norm of some steps, of two batches each; those of sentences differ in length."""
    learner, found = learner_of(config, dataset, way), []
    torch.manual_seed(1)
    batches = (to_device(batch, torch.device("cpu")) for batch in dataset.train.batches(4, 0))
    for _ in range(NUM_STEPS):
        loss, norm = learner.gradient(list(itertools.islice(batches, 2)))
        learner.update(1e-3)
        found.append((loss, norm))
    return found


@needs_compiler
def test_a_compiler_of_windows_is_named_by_its_path(monkeypatch):
    monkeypatch.setattr(compilers, "sys", SimpleNamespace(platform="win32", modules=sys.modules))
    monkeypatch.setenv("CXX", place := r"C:\Program Files\LLVM\bin\clang-cl.exe")
    monkeypatch.setattr(compilers.shutil, "which", lambda name: name if name == place else None)
    assert not missing_compiler("cpu").startswith("no C++ compiler")


@of_torch_itself
@pytest.mark.parametrize(
    ("way", "preset", "more"),
    [
        ("layers", "tell-languages", CHECKPOINTED),
        ("stacks", "reverse", ["data.min_length=9", "data.max_length=9", "model.num_decoder_layers=2"]),
    ],
    ids=["checkpointed classifier with low-rank updates", "two stacks"],
)
def test_the_loss_is_the_same_step_by_step(tiny, make_run, way, preset, more):
    run = make_run(preset, *PADDED, *more)
    config = run.config()
    dataset, _ = dataset_of(config, run, None, lambda *_: None)
    breaks = torch._dynamo.utils.counters["graph_break"]
    breaks.clear()
    plain, new = (losses_of(config, dataset, each) for each in ("no", way))
    assert not breaks  # each layer, or stack, is compiled as one
    torch.testing.assert_close(torch.tensor(new), torch.tensor(plain), atol=1e-5, rtol=1e-5)
    assert any((cache_folder() / "headers").glob("*.h.*"))  # where nothing empties it when the machine starts


def test_what_is_compiled_is_kept_in_the_cache(tmp_path):
    """Not where torch has it, which is emptied when the machine starts."""
    program = """
import os
from tfmcore.training import compiled
compiled._set_up()
from torch._inductor.runtime.cache_dir_utils import cache_dir
print(cache_dir())
"""
    environment = {name: value for name, value in os.environ.items() if name != "TORCHINDUCTOR_CACHE_DIR"}
    environment["TFM_CACHE"] = str(tmp_path)
    told = subprocess.check_output([sys.executable, "-c", program], text=True, env=environment)
    assert told.strip() == str(tmp_path / "compiled")


@pytest.fixture
def counted(monkeypatch):
    """Layers that say when a compiled one is called, though nothing is compiled."""
    return count_compiled_calls(monkeypatch)


@pytest.fixture
def model():
    from tfmcore.config import ModelConfig

    config = ModelConfig(architecture="encoder_decoder", d_model=16, num_heads=2, num_layers=2, context_length=8)
    return build(SavedModel(task="translation", vocab_size=12, model=config))


@pytest.mark.parametrize(("way", "parts"), [("layers", 4), ("stacks", 2)])
def test_layers_are_compiled_in_steps_alone(model, counted, way, parts):
    ids = torch.ones(1, 4, dtype=torch.long)
    names, layers = list(model.state_dict()), CompiledLayers(Objective(model, "translation"), 1)
    for begin, times in ((False, 0), (True, parts)):
        if begin:
            layers.begin(way)
        with layers.in_step():
            model(ids, decoder_input_ids=ids)
        assert len(counted) == times
    model(ids, decoder_input_ids=ids)
    assert len(counted) == parts
    assert list(model.state_dict()) == names
    layers.end()
    with layers.in_step():
        model(ids, decoder_input_ids=ids)
    assert len(counted) == parts


def test_a_look_into_the_layers_takes_them_as_they_are(model, counted):
    ids = torch.ones(1, 4, dtype=torch.long)
    layers = CompiledLayers(Objective(model, "translation"), 1)
    layers.begin("stacks")
    look = Examination(model)
    with layers.in_step():
        model(ids, decoder_input_ids=ids)
    assert not counted
    look.stop()
    with layers.in_step():
        model(ids, decoder_input_ids=ids)
    assert len(counted) == 2


def test_after_an_error_the_layers_are_as_they_were(model, counted):
    ids, layers = torch.ones(1, 4, dtype=torch.long), CompiledLayers(Objective(model, "translation"), 1)
    layers.begin("layers")
    with pytest.raises(RuntimeError, match="wrong"), layers.in_step():
        raise RuntimeError("wrong")
    model(ids, decoder_input_ids=ids)
    assert not counted


def test_what_is_missing_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", "no-such-compiler -O2")
    assert missing_compiler("cpu") == "no C++ compiler was found (no-such-compiler -O2)"
    monkeypatch.delenv("CXX")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert missing_compiler("cpu").startswith("no C++ compiler was found (")
    assert missing_compiler("mps") == "layers are compiled for the CPU and CUDA only"
    monkeypatch.setattr(compilers.shutil, "which", lambda name: name)
    monkeypatch.setattr(compilers.sysconfig, "get_path", lambda name: str(tmp_path))
    assert "Python.h" in missing_compiler("cpu")
    (tmp_path / "Python.h").touch()
    assert missing_compiler("cpu") == ""
    monkeypatch.setattr(compilers.importlib.util, "find_spec", lambda name: None)
    assert missing_compiler("cuda") == "triton is not installed"


@of_torch_itself
@needs_compiler
@needs_gpu
@pytest.mark.parametrize("way", ["layers", "graphs"])
def test_on_a_gpu_the_loss_is_the_same(tiny, make_run, way):
    run = make_run("nano-decoder", "model.num_layers=2", "training.device=cuda")
    config, device = run.config(), torch.device("cuda")
    dataset, _ = dataset_of(config, run, None, lambda *_: None)
    found = []
    for on in (False, True):
        learner = learner_of(config, dataset, "no")
        learner.objective.to(device)
        if on:
            learner.compiled.begin(way)
        batches = (to_device(batch, device) for batch in dataset.train.batches(4, 0))
        losses = []
        for batch in itertools.islice(batches, NUM_STEPS):
            loss, _ = learner.gradient([batch])
            learner.update(1e-3)
            losses.append(loss)
        found.append(losses)
    torch.testing.assert_close(torch.tensor(found[1]), torch.tensor(found[0]), atol=1e-4, rtol=1e-4)
