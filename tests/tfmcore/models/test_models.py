"""The three architectures, with every switch: fused = eager, padded = alone, cached = whole, resumable and learning."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.tfmcore.conftest import ARCHITECTURES, VARIANTS, choices
from tfmcore.config import ModelConfig, SavedModel, UserError
from tfmcore.models import DecoderOnlyTransformer, build
from tfmcore.nn.initialization import initialize

TASK = {"encoder": "masked_language_modeling", "decoder": "language_modeling", "encoder_decoder": "translation"}
V = 29


def make(config: ModelConfig, task: str | None = None, labels: int = 0) -> Any:
    """A model with large weights, biases and norms included: what is wrong must show."""
    torch.manual_seed(1)
    saved = SavedModel(task=task or TASK[config.architecture], vocab_size=V, model=config, labels=["x"] * labels)
    model = build(saved).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    return model


def batch(config: ModelConfig, lengths: tuple[int, ...] = (7, 7), left: bool = False) -> dict[str, Tensor]:
    """Random ids of those lengths; padding, with its masks, only where the lengths differ."""
    generator = torch.Generator().manual_seed(2)
    longest = max(lengths)
    ids = torch.randint(1, V, (len(lengths), longest), generator=generator)
    real = torch.arange(longest)[None] < torch.tensor(lengths)[:, None]
    real = real.flip(1) if left else real
    named = {"input_ids": ids, "token_type_ids": ids % 2}
    if config.architecture == "encoder_decoder":
        named["decoder_input_ids"] = ids.flip(1)
    if min(lengths) < longest:
        named["attention_mask"] = real.long()
        if config.architecture == "encoder_decoder":
            named["decoder_attention_mask"] = real
    return named


def close(a: Tensor, b: Tensor, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(a, b, atol=tolerance, rtol=tolerance)


def test_what_computes_something_of_its_own_has_every_choice() -> None:
    def choices(name: str) -> set[tuple[str, str]]:
        return {(field, str(value)) for model in VARIANTS[name]().values() for field, value in model}

    assert choices("computed") == choices("variant")
    assert choices("writer") <= choices("variant")
    assert {model.architecture for model in VARIANTS["computed"]().values()} == set(ARCHITECTURES)


@torch.no_grad()
def test_fused_equals_eager(computed: ModelConfig) -> None:
    model = make(computed)
    for lengths, left in (((7, 7), False), ((7, 4), False), ((7, 4), True)):
        inputs = batch(computed, lengths, left)
        fused, eager = model(**inputs), model(**inputs, return_attention=True)
        close(fused.logits, eager.logits)
        close(fused.hidden, eager.hidden)
        assert fused.attentions is None
        assert eager.logits.shape == (2, 7, V)
        for weights in (eager.attentions, eager.encoder_attentions, eager.cross_attentions):
            for layer in weights or ():
                assert layer.shape == (2, computed.num_heads, 7, 7)
                sums = layer.sum(-1)
                close(sums, (sums > 0.5).float())  # 1, or 0 for a query that may look nowhere


@torch.no_grad()
def test_padding_changes_nothing(computed: ModelConfig) -> None:
    model = make(computed)
    for left in (False, True):
        inputs = batch(computed, (8, 5), left)
        both = model(**inputs).logits
        assert both.isfinite().all()
        start = 3 if left else 0
        masks = ("attention_mask", "decoder_attention_mask")
        alone = {name: ids[1:, start : start + 5] for name, ids in inputs.items() if name not in masks}
        close(both[1:, start : start + 5], model(**alone).logits)


@torch.no_grad()
def test_cached_equals_whole(writer: ModelConfig) -> None:
    model, inputs = make(writer), batch(writer)
    name = "decoder_input_ids" if writer.architecture == "encoder_decoder" else "input_ids"
    whole = model(**inputs).logits
    cache, parts = model.new_cache(2, 9), []
    for start, end in ((0, 3), (3, 4), (4, 5), (5, 7)):
        new = inputs | {name: inputs[name][:, start:end]}
        if name == "input_ids":
            new["token_type_ids"] = inputs["token_type_ids"][:, start:end]
        elif start:
            new["input_ids"] = None  # the source is read once
        parts.append(model(**new, cache=cache).logits)
    close(torch.cat(parts, 1), whole)


@pytest.mark.parametrize("position", ["learned", "sinusoidal", "rotary", "relative_buckets", "none"])
@pytest.mark.parametrize("window", [None, 3])
@pytest.mark.parametrize("left", [False, True])
def test_cached_decoding_of_a_padded_batch(position: Any, window: int | None, left: bool) -> None:
    config = ModelConfig(
        d_model=24, num_layers=2, num_heads=4, num_kv_heads=2, position=position, attention_window=window
    )
    model = make(config)
    inputs = batch(config, (6, 4), left)
    prompt, mask = inputs["input_ids"], inputs["attention_mask"]
    new = torch.tensor([[3, 5, 7], [4, 6, 8]])
    cache = model.new_cache(2, 10)
    model(prompt, mask, cache=cache)
    got = torch.cat([model(new[:, i : i + 1], cache=cache).logits for i in range(3)], 1)
    for i, (length, start) in enumerate(((6, 0), (4, 2 if left else 0))):
        alone = torch.cat([prompt[i, start : start + length], new[i]])[None]
        close(got[i], model(alone).logits[0, -3:])


def test_reordered_cache_follows_its_sequences() -> None:
    config = ModelConfig(architecture="encoder_decoder", d_model=24, num_layers=2, num_heads=4)
    model, inputs = make(config), batch(config, (6, 4))
    del inputs["decoder_attention_mask"]
    target, order = inputs.pop("decoder_input_ids"), torch.tensor([1, 1, 0])
    cache = model.new_cache(2, 8)
    memory, _ = model.encode(inputs["input_ids"], inputs["attention_mask"])
    model.decode(target[:, :3], memory, inputs["attention_mask"], cache=cache)
    cache.reorder(order)
    new = torch.tensor([[9], [10], [11]])
    got = model.decode(new, cache=cache).hidden
    ids = torch.cat([target[order, :3], new], 1)
    close(got[:, 0], model.decode(ids, memory[order], inputs["attention_mask"][order]).hidden[:, -1])


def test_a_full_cache_and_a_short_context_say_so() -> None:
    model = make(ModelConfig(d_model=24, num_layers=1, position="learned", context_length=8))
    ids = torch.ones(1, 9, dtype=torch.long)
    with pytest.raises(UserError, match="9 tokens are too many: this model has positions for 8"):
        model(ids)
    with pytest.raises(UserError, match="9 tokens are too many"):
        model.new_cache(1, 9)
    with pytest.raises(UserError, match="9 tokens do not fit: this cache holds 8"):
        model(ids, cache=model.new_cache(1, 8))


@torch.no_grad()
def test_decoders_never_look_ahead(writer: ModelConfig) -> None:
    model, inputs = make(writer), batch(writer)
    before = model(**inputs).logits
    name = "decoder_input_ids" if writer.architecture == "encoder_decoder" else "input_ids"
    inputs[name] = torch.cat([inputs[name][:, :-1], (inputs[name][:, -1:] + 1) % V], 1)
    after = model(**inputs).logits
    close(before[:, :-1], after[:, :-1])
    assert not torch.allclose(before[:, -1], after[:, -1])


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_checkpointed_gradients_are_the_same(computed: ModelConfig, dropout: float) -> None:
    model, inputs, gradients = (
        make(computed.model_copy(update={"dropout": dropout})).train(),
        batch(computed, (7, 5)),
        [],
    )
    for on in (False, True):
        model.set_gradient_checkpointing(on)
        torch.manual_seed(3)
        out = model(**inputs)
        loss = F.cross_entropy(out.logits.flatten(0, 1), inputs["input_ids"].flatten())
        if out.next_sentence_logits is not None:
            loss = loss + out.next_sentence_logits.square().sum()
        gradients.append(torch.autograd.grad(loss, list(model.parameters())))
    for plain, checkpointed in zip(*gradients, strict=True):
        close(plain, checkpointed)


@pytest.mark.parametrize("pooling", choices("model.pooling"))
@pytest.mark.parametrize("architecture", ["encoder", "decoder"])
def test_classifiers_respect_padding(architecture: Any, pooling: Any) -> None:
    config = ModelConfig(architecture=architecture, d_model=24, num_layers=1, pooling=pooling)
    model = make(config, "classification", 5)
    for left in (False, True):
        inputs = batch(config, (8, 5), left)
        logits = model(**inputs).logits
        assert logits.shape == (2, 5)
        close(logits[1:], model(inputs["input_ids"][1:, 3:] if left else inputs["input_ids"][1:, :5]).logits)


@torch.no_grad()
def test_features_are_the_model_without_its_head(computed: ModelConfig) -> None:
    model, inputs = make(computed), batch(computed)
    features, out = model.features(**inputs), model(**inputs)
    close(model.head(features.hidden), out.logits)
    assert model.num_parameters() == sum(weight.numel() for weight in model.parameters())


def test_tied_matrices_are_one(variant: ModelConfig) -> None:
    model = make(variant)
    shapes = [tuple(weight.shape) for weight in model.parameters()]
    assert shapes.count((V, variant.d_model)) == (1 if variant.tie_embeddings else 2)


def test_autocast_runs_every_switch(computed: ModelConfig) -> None:
    model = make(computed).train()
    with torch.autocast("cpu", torch.bfloat16):
        out = model(**batch(computed, (7, 5)))
    answers = [out.logits] if out.next_sentence_logits is None else [out.logits, out.next_sentence_logits]
    sum(answer.float().square().mean() for answer in answers).backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())


@torch.no_grad()
@pytest.mark.parametrize("scheme", choices("model.initialization"))
def test_initialization(scheme: Any) -> None:
    torch.manual_seed(0)
    config = ModelConfig(d_model=128, num_layers=2, initialization=scheme, attention_bias=True, activation="relu")
    model = DecoderOnlyTransformer(config, 500)
    layer = model.decoder.layers[1]
    wide = 128**-0.5 if scheme in ("xavier", "t5") else 0.02
    q, k, _ = layer.self_attention.query_key_value.weight.split(128)
    uniform = (6 / 256) ** 0.5 / 3**0.5
    expected = {"normal": (0.02, 0.02), "scaled_normal": (0.02, 0.01), "xavier": (uniform,) * 2, "t5": (wide, wide)}
    inside, out = expected[scheme]
    assert float(q.std()) == pytest.approx(inside, rel=0.05)
    assert float(k.std()) == pytest.approx(inside, rel=0.05)
    assert float(layer.self_attention.output.weight.std()) == pytest.approx(out, rel=0.05)
    assert float(model.embedding.tokens.weight.std()) == pytest.approx(wide, rel=0.05)
    assert float(layer.self_attention.output.bias.abs().max()) == 0.0


@torch.no_grad()
def test_t5_scores_begin_with_the_same_spread_at_any_scale() -> None:
    for scale in (None, 1.0):
        config = ModelConfig(d_model=128, num_layers=1, attention_scale=scale, initialization="t5", position="none")
        model = DecoderOnlyTransformer(config, 50)
        attention = model.decoder.layers[0].self_attention
        q, k, _ = attention.query_key_value(torch.randn(1, 200, 128)).split(128, -1)
        scores = q[..., :32] @ k[..., :32].transpose(1, 2) * attention.scale
        assert float(scores.std()) == pytest.approx(1.0, rel=0.25)


LOSSES: dict[Any, list[float]] = {
    "encoder": [3.282918, 2.884318, 2.624077],
    "decoder": [2.80133, 2.604879, 2.355908],
    "encoder_decoder": [3.308717, 2.982442, 2.94352],
}


@pytest.mark.parametrize("architecture", LOSSES)
def test_seeded_losses_stay_the_same(architecture: Any) -> None:
    """A change of the code that is not meant to change the mathematics must reproduce these numbers."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = ModelConfig(architecture=architecture, d_model=32, num_layers=2)
    model = build(SavedModel(task=TASK[architecture], vocab_size=V, model=config)).train()
    inputs = batch(config, (9, 6))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(3):
        loss = F.cross_entropy(model(**inputs).logits.flatten(0, 1), inputs["input_ids"].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    torch.set_num_threads(threads)
    assert losses == pytest.approx(LOSSES[architecture], abs=1e-5)


def test_initialize_is_seeded() -> None:
    model = make(ModelConfig(d_model=24, num_layers=1))
    copies = []
    for _ in range(2):
        torch.manual_seed(5)
        initialize(model, "normal", 24, 1)
        copies.append(torch.cat([weight.detach().flatten() for weight in model.parameters()]).clone())
    assert torch.equal(*copies)
