"""Decoding with a cache writes what the whole model would, for every switch; sampling and beams keep their word."""

import itertools
import math

import pytest
import torch

from tfmcore.config import ModelConfig, SavedModel, UserError
from tfmcore.inference.decoding import (
    GREEDY,
    Sampling,
    Window,
    draw,
    finish,
    read_source,
    search_beams,
    write_batch,
    write_on,
)
from tfmcore.models import build

VOCAB = 11
SOURCE = torch.tensor([[5, 6, 7, 8, 9]])


def model_of(config: ModelConfig):
    torch.manual_seed(0)
    task = "translation" if config.architecture == "encoder_decoder" else "language_modeling"
    model = build(SavedModel(task=task, vocab_size=VOCAB, model=config)).eval()
    for weight in model.parameters():  # fresh weights nearly always answer with the token they read
        torch.nn.init.normal_(weight, 0.0, 0.4)
    return model


@torch.inference_mode()
def whole(model, ids):
    """Logits (V,) after `ids`, without a cache."""
    ids = torch.tensor([ids])
    if model.config.architecture == "encoder_decoder":
        return model(SOURCE, decoder_input_ids=ids).logits[0, -1]
    return model(ids).logits[0, -1]


@torch.inference_mode()
def source_of(model):
    return read_source(model, SOURCE) if model.config.architecture == "encoder_decoder" else None


def test_cached_is_uncached_at_every_position(variant):
    if variant.architecture == "encoder":
        variant = variant.model_copy(update={"architecture": "decoder"})
    model, length = model_of(variant), variant.context_length
    window = Window(model, length, source_of(model))
    ids = [2, 3, 1]
    with torch.inference_mode():
        logits = window.read(ids)
        while True:
            torch.testing.assert_close(logits, whole(model, ids), atol=1e-5, rtol=1e-4)
            if len(ids) == length:
                return
            ids.append(int(logits.argmax()))
            logits = window.read(ids[-1:])


@pytest.mark.parametrize("context", [1, 2, 5, 8])
def test_beyond_the_context_the_window_slides_and_computes_what_it_holds(context):
    model = model_of(ModelConfig(d_model=16, num_layers=2, num_heads=2, context_length=context))
    prompt = list(range(1, 8))[-context:]
    with torch.inference_mode():
        window = Window(model, 40)
        window.read(prompt)
        for id in range(10):
            logits = window.read([id])
            held = window.ids[-window.cache.length :]
            assert len(held) <= context
            assert held[-1] == id
            torch.testing.assert_close(logits, whole(model, held), atol=1e-5, rtol=1e-4)
    assert len(list(write_on(model, prompt, max_new_tokens=30))) == 30


def test_greedy_takes_the_likeliest_and_tells_its_probability():
    model = model_of(ModelConfig(d_model=16, num_layers=2, num_heads=2, context_length=12))
    steps = list(write_on(model, [1, 2], max_new_tokens=6, num_alternatives=3))
    ids = [1, 2]
    for step in steps:
        probabilities = whole(model, ids).softmax(-1)
        assert step.id == int(probabilities.argmax())
        assert step.probability == pytest.approx(float(probabilities.max()), rel=1e-4)
        assert [id for id, _ in step.alternatives] == probabilities.topk(3).indices.tolist()
        ids.append(step.id)
    end = steps[2].id
    stopped = list(write_on(model, [1, 2], max_new_tokens=6, end_id=end))
    assert stopped[-1].id == end
    assert len(stopped) <= 3


def test_a_seed_writes_the_same_again_and_leaves_the_global_state_alone():
    model = model_of(ModelConfig(d_model=16, num_layers=1, num_heads=2, context_length=32))
    torch.manual_seed(5)
    before = torch.get_rng_state()
    texts = [
        [step.id for step in write_on(model, [1], max_new_tokens=20, sampling=Sampling(2.0, seed=s))] for s in (1, 1, 2)
    ]
    assert texts[0] == texts[1] != texts[2]
    list(write_on(model, [1], max_new_tokens=3, sampling=Sampling(2.0)))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("sampling", "possible"),
    [
        (Sampling(1.0), {0, 1, 2, 3}),
        (Sampling(1.0, top_k=2), {0, 1}),
        (Sampling(1.0, top_k=99), {0, 1, 2, 3}),
        (Sampling(1.0, top_p=0.45), {0}),
        (Sampling(1.0, top_p=0.55), {0, 1}),
        (Sampling(1.0, top_p=0.85), {0, 1, 2}),
        (Sampling(1.0, top_k=1, top_p=0.9), {0}),
        (Sampling(1e-9), {0}),
    ],
)
def test_top_k_and_top_p_keep_the_likeliest(sampling, possible):
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log() + 7
    generator = torch.Generator().manual_seed(0)
    assert {draw(logits, sampling, generator) for _ in range(300)} == possible


def test_temperature_changes_how_often():
    logits, generator = torch.tensor([0.7, 0.3]).log(), torch.Generator().manual_seed(0)
    for temperature in (0.5, 1.0, 2.0):
        expected = float((logits / temperature).softmax(-1)[0])
        found = sum(draw(logits, Sampling(temperature), generator) == 0 for _ in range(3000)) / 3000
        assert found == pytest.approx(expected, abs=0.03)


def sequences(model, prompt, end, length):
    """Every hypothesis of at most `length` tokens with the sum of its log-probabilities."""
    for size in range(1, length + 1):
        for ids in itertools.product(range(VOCAB), repeat=size):
            if end not in ids[:-1] and (size == length or ids[-1] == end):
                totals = (whole(model, [*prompt, *ids[:i]]).log_softmax(-1)[id] for i, id in enumerate(ids))
                yield list(ids), float(sum(totals))


@pytest.mark.parametrize("architecture", ["decoder", "encoder_decoder"])
@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 2.0])
def test_wide_beams_find_the_best_of_all(architecture, length_penalty):
    config = ModelConfig(architecture=architecture, d_model=16, num_layers=1, num_heads=2, context_length=12)
    model, length, end = model_of(config), 2, 3
    search = search_beams(
        model, [1], num_beams=VOCAB, max_new_tokens=length, end_id=end, length_penalty=length_penalty,
        source=source_of(model),
    )  # fmt: skip
    beams = finish(search)
    best = sorted(sequences(model, [1], end, length), key=lambda found: -found[1] / len(found[0]) ** length_penalty)
    assert len(beams) == VOCAB
    for beam, (ids, total) in list(zip(beams, best, strict=False))[:3]:
        assert beam.ids == ids
        assert beam.total == pytest.approx(total, abs=1e-4)
        assert beam.total == pytest.approx(sum(map(math.log, beam.probabilities)), abs=1e-4)
        assert beam.score(length_penalty) == pytest.approx(total / len(ids) ** length_penalty, abs=1e-4)


def test_one_beam_is_greedy():
    model = model_of(ModelConfig(d_model=16, num_layers=2, num_heads=2, context_length=32))
    [beam] = finish(search_beams(model, [1, 2], num_beams=1, max_new_tokens=12))
    assert beam.ids == [step.id for step in write_on(model, [1, 2], max_new_tokens=12, sampling=GREEDY)]


def test_a_batch_is_written_like_its_texts_alone():
    config = ModelConfig(architecture="encoder_decoder", d_model=16, num_layers=2, num_heads=2, context_length=16)
    model, end = model_of(config), 3
    texts = [[5, 6], [7, 8, 9, 10, 4], [4]]
    ids = torch.tensor([[*text, *[0] * (5 - len(text))] for text in texts])
    mask = torch.tensor([[True] * len(text) + [False] * (5 - len(text)) for text in texts])
    together = write_batch(model, ids, mask, start_id=2, end_id=end, max_new_tokens=9)
    for text, written in zip(texts, together, strict=True):
        with torch.inference_mode():
            source = read_source(model, torch.tensor([text]))
        alone = [step.id for step in write_on(model, [2], max_new_tokens=9, end_id=end, source=source)]
        assert written == [id for id in alone if id != end]


@pytest.mark.parametrize("num_beams", [1, 3])
def test_damaged_weights_are_said(num_beams):
    model = model_of(ModelConfig(d_model=16, num_layers=1, num_heads=2, context_length=8))
    torch.nn.init.constant_(model.embedding.tokens.weight, math.nan)
    with pytest.raises(UserError, match="not a number"):
        list(write_on(model, [1], max_new_tokens=2, sampling=Sampling(1.0)))
    with pytest.raises(UserError, match="not a number"):
        finish(search_beams(model, [1], num_beams=num_beams, max_new_tokens=2))
