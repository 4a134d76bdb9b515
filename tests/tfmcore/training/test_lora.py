"""LoRA: small updates that learn in place of the model's own weights, and that are merged into them in the end."""

import copy

import pytest
import torch

from tests.tfmcore.training.bases import FIRST, LORA, begin, steps, trainer_of, weights_of
from tfmcore.models import load_model
from tfmcore.nn.low_rank import AdaptedLinear, LowRank, merged
from tfmcore.training.finetuning import choose_trained, low_rank_targets
from tfmcore.training.optimizers import make_optimizer


def adapted(base, kind: str, task: str, **fields):
    """A model as it is, and the same with updates of rank 2 that have learned something."""
    model, _ = load_model(base(kind, task, **fields))
    plain = copy.deepcopy(model)
    torch.manual_seed(1)
    choose_trained(model, begin(base(kind, task, **fields), task, **LORA).training)
    return plain, model


def answers(model, kind: str):
    ids = torch.randint(7, model.vocab_size, (2, 9), generator=torch.Generator().manual_seed(3))
    more = {"decoder_input_ids": ids.flip(1)} if kind == "encoder_decoder" else {}
    return model(ids, **more).logits


@pytest.mark.parametrize(("kind", "task"), FIRST)
def test_lora_begins_as_the_model_and_learns_only_its_factors(base, kind, task):
    plain, model = adapted(base, kind, task)
    assert torch.equal(answers(model, kind), answers(plain, kind))
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert trained == {name for name, _ in model.named_parameters() if ".low_rank." in name}
    targets = low_rank_targets(plain, LORA["lora_targets"])
    assert targets == [name for name, m in model.named_modules() if isinstance(m, AdaptedLinear)]
    count = 0
    for name in targets:
        linear = plain.get_submodule(name)
        parts = len(getattr(linear, "sizes", "1"))
        count += 2 * (parts * linear.in_features + linear.out_features)
    assert model.num_parameters(trainable=True) == count > 0


@pytest.mark.parametrize(("kind", "task"), FIRST)
def test_lora_merged_answers_as_unmerged_and_the_model_s_own_weights_stay(base, tmp_path, kind, task):
    trainer = trainer_of(begin(base(kind, task), task, **LORA), tmp_path / "run")
    before = weights_of(trainer.model)
    steps(trainer, 3)
    trainer.model.eval()
    after = dict(trainer.model.named_parameters())
    new = set(trainer.counters.new)
    for name, weight in before.items():
        assert torch.equal(after[name], weight) != (".low_rank." in name or name in new), name
    expected = answers(trainer.model, kind)
    with merged(trainer.model):
        torch.testing.assert_close(answers(trainer.model, kind), expected, rtol=0, atol=1e-6)
    folder = tmp_path / "saved"
    folder.mkdir()
    trainer._fill(folder)
    opened, _ = load_model(folder)
    torch.testing.assert_close(answers(opened, kind), expected, rtol=0, atol=1e-6)
    assert not torch.equal(answers(opened, kind), answers(load_model(base(kind, task))[0], kind))


def test_lora_leaves_out_what_is_frozen_and_what_is_not_named(base, tmp_path):
    config = begin(base("encoder", "classification"), "classification", lora_rank=1, freeze=["layers.0"])
    trainer = trainer_of(config, tmp_path / "run")
    having = {name for name, module in trainer.model.named_modules() if isinstance(module, LowRank)}
    assert having == {f"encoder.layers.1.self_attention.{name}.low_rank" for name in ("query_key_value", "output")}
    others = {name for name, w in trainer.model.named_parameters() if w.requires_grad and "low_rank" not in name}
    assert others == set(trainer.counters.new)


def test_updates_are_learned_at_their_layer_s_rate(base):
    _, model = adapted(base, "encoder", "classification")
    config = begin(base("encoder", "classification"), "classification", layer_decay=0.5, **LORA)
    optimizer = make_optimizer(model, config.training)
    scales = {group["rate_scale"] for group in optimizer.param_groups if group["params"]}
    assert scales == {0.25, 0.5}
