"""Decoding with a cache writes what the whole model would, for every switch; sampling and beams keep their word."""

import gc
import itertools
import math
import weakref
from functools import partial

import pytest
import torch

from tfmcore.config import ModelConfig, SavedModel, UserError
from tfmcore.inference import reading
from tfmcore.inference.beams import search_beams
from tfmcore.inference.decoding import Window, finish, pad_left, write_batch, write_on
from tfmcore.inference.reading import read_source
from tfmcore.inference.recorded import RecordedStep
from tfmcore.inference.sampling import GREEDY, Sampling, choose, draw, penalize
from tfmcore.inference.writing import Manner
from tfmcore.models import build
from tfmcore.nn import cache
from tfmcore.nn.probe import probes

VOCAB = 11
SOURCE = torch.tensor([[5, 6, 7, 8, 9]])


def model_of(config: ModelConfig):
    torch.manual_seed(0)
    task = "translation" if config.architecture == "encoder_decoder" else "language_modeling"
    model = build(SavedModel(task=task, vocab_size=VOCAB, model=config)).eval()
    for weight in model.parameters():  # fresh weights nearly always answer with the token they read
        torch.nn.init.normal_(weight, 0.0, 0.4)
    return model


def at(end):
    return lambda ids: ids[-1] == end


def up_to(ids, end):
    return ids[: ids.index(end) + 1] if end in ids else ids


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


@torch.inference_mode()
def check_every_position(window, model):
    """What a window reads greedily, to the end of the context, is what the model makes of all of it."""
    ids = [2, 3, 1]
    logits = window.read(ids)
    while True:
        torch.testing.assert_close(logits, whole(model, ids), atol=1e-5, rtol=1e-4)
        if len(ids) == model.config.context_length:
            return
        ids.append(int(logits.argmax()))
        logits = window.read(ids[-1:])


def test_cached_is_uncached_at_every_position(writer):
    model = model_of(writer)
    check_every_position(Window(model, writer.context_length, source_of(model)), model)


def record_early(monkeypatch, kind=RecordedStep) -> list[RecordedStep]:
    """Steps are recorded after two, and anew for the fourth token, the eighth and so on; the result will be those."""
    made = []

    def make(*given):
        made.append(kind(*given))
        return made[-1]

    monkeypatch.setattr(reading, "RecordedStep", make)
    monkeypatch.setattr(reading, "ALONE_BEFORE", 2)
    monkeypatch.setattr(cache, "ROOM", 4)
    return made


def recording(model, length, monkeypatch, kind=RecordedStep) -> Window:
    record_early(monkeypatch, kind)
    return Window(model, length, source_of(model))


def test_a_recorded_step_is_the_step(writer, monkeypatch):
    """Its tensors have always the same shapes, for each kind of position and mask."""
    model = model_of(writer)
    window = recording(model, writer.context_length, monkeypatch)
    check_every_position(window, model)
    assert window.reader.recorded


def test_what_was_read_stays_as_it_was(monkeypatch):
    model = model_of(ModelConfig(d_model=16, num_layers=2, num_heads=2, context_length=30))
    window = recording(model, 30, monkeypatch)
    with torch.inference_mode():
        window.read([1, 2])
        found = [window.read([id]) for id in range(10)]
        torch.testing.assert_close(found[4], whole(model, [1, 2, *range(5)]), atol=1e-5, rtol=1e-4)


def test_while_somebody_looks_into_the_model_no_recorded_step_is_taken(monkeypatch):
    model = model_of(ModelConfig(d_model=16, num_layers=2, num_heads=2, context_length=30))
    window, ids, seen = recording(model, 30, monkeypatch), [1, 2], []
    probe, hook = next(iter(probes(model).values())), None
    with torch.inference_mode():
        window.read(ids)
        for number in range(20):
            if number == 6:
                assert window.reader.recorded
                hook = probe.register_forward_hook(lambda _module, _inputs, result: seen.append(result.shape))
            if number == 12:
                hook.remove()
            ids.append(number % VOCAB)
            logits = window.read(ids[-1:])
            torch.testing.assert_close(logits, whole(model, ids[:]), atol=1e-5, rtol=1e-4)
            assert bool(window.reader.recorded) is (number >= 2)
            assert window.reader.cache.length == len(ids)
    assert len(seen) == 2 * 6, "here and in `whole`"


@pytest.mark.parametrize("error", [RuntimeError, TypeError])
def test_a_step_that_cannot_be_recorded_is_taken_as_it_is(error, monkeypatch):
    class Impossible(RecordedStep):
        def __init__(self, cache, step, batch_size):
            super().__init__(cache, step, batch_size)
            raise error("operation not permitted when stream is capturing")

    model = model_of(ModelConfig(d_model=16, num_layers=2, num_heads=2, context_length=30))
    window, ids = recording(model, 30, monkeypatch, Impossible), [1, 2]
    with torch.inference_mode():
        window.read(ids)
        for number in range(8):
            ids.append(number)
            torch.testing.assert_close(window.read(ids[-1:]), whole(model, ids), atol=1e-5, rtol=1e-4)
    assert not window.reader.recorded


def written_in_a_window(model):
    window = Window(model, 30)
    window.read([1, 2])
    for id in range(10):
        window.read([id])


@torch.inference_mode()
@pytest.mark.parametrize(
    "write",
    [
        written_in_a_window,
        lambda model: finish(search_beams(model, [1, 2], num_beams=3, max_new_tokens=12)),
        lambda model: write_batch(model, [[1], [2]], max_new_tokens=12),
    ],
    ids=["window", "beams", "batch"],
)
def test_what_a_step_was_recorded_with_is_freed_when_the_text_is_done(write, monkeypatch):
    """At once, and not when Python looks for circles the next time: a cache is large."""
    model, caches = model_of(ModelConfig(d_model=16, num_layers=2, num_heads=2, context_length=30)), []
    made, new_cache = record_early(monkeypatch), model.new_cache

    def note(*sizes):
        cache = new_cache(*sizes)
        caches.append(weakref.ref(cache))
        return cache

    monkeypatch.setattr(model, "new_cache", note)
    gc.disable()
    try:
        write(model)
        assert made
        made.clear()
        assert [cache() for cache in caches] == [None] * len(caches) != []
    finally:
        gc.enable()


def test_one_thread_reads_what_is_little_work(monkeypatch):
    model, seen = model_of(ModelConfig(d_model=16, num_layers=2, num_heads=2, context_length=30)), []
    monkeypatch.setattr(reading, "PRODUCTS_ALONE", 10 * 16**2)
    model.decoder.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with torch.inference_mode():
            for length in (1, 9, 10, 20):
                Window(model, 30).read([1] * length)
        assert seen == [1, 1, 2, 2]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("context", [1, 2, 5, 8])
@pytest.mark.parametrize("records", [False, True])
def test_beyond_the_context_the_window_slides_and_computes_what_it_holds(context, records, monkeypatch):
    model = model_of(ModelConfig(d_model=16, num_layers=2, num_heads=2, context_length=context))
    prompt = list(range(1, 8))[-context:]
    with torch.inference_mode():
        window = recording(model, 40, monkeypatch) if records else Window(model, 40)
        window.read(prompt)
        for id in range(10):
            logits = window.read([id])
            held = window.ids[-window.reader.cache.length :]
            assert len(held) <= context
            assert held[-1] == id
            torch.testing.assert_close(logits, whole(model, held), atol=1e-5, rtol=1e-4)
    assert len(list(write_on(model, prompt, max_new_tokens=30))) == 30


def test_beyond_the_context_recorded_steps_are_taken_again(writer, monkeypatch):
    """For the same cache holds what is read anew."""
    model, made = model_of(writer), record_early(monkeypatch)
    window = Window(model, writer.context_length, source_of(model))
    with torch.inference_mode():
        window.read([2, 3, 1])
        for number in range(3 * writer.context_length):
            logits = window.read([number % VOCAB])
            held = window.ids[-window.reader.cache.length :]
            torch.testing.assert_close(logits, whole(model, held), atol=1e-5, rtol=1e-4)
    rooms = [step.room for step in made]
    assert rooms == sorted(set(rooms))


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
        (Sampling(1.0, min_p=0.61), {0}),
        (Sampling(1.0, min_p=0.59), {0, 1}),
        (Sampling(1.0, min_p=0.09), {0, 1, 2, 3}),
        (Sampling(0.5, min_p=0.37), {0}),
        (Sampling(1.0, min_p=1.0), {0}),
        (Sampling(1e-9), {0}),
    ],
)
def test_top_k_top_p_and_min_p_keep_the_likeliest(sampling, possible):
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log() + 7
    rows = torch.stack([logits, logits.flip(0)]).repeat(300, 1)
    drawn = draw(rows, sampling, torch.Generator().manual_seed(0)).view(300, 2)
    assert set(drawn[:, 0].tolist()) == possible == {3 - id for id in drawn[:, 1].tolist()}


def test_temperature_changes_how_often():
    logits, generator = torch.tensor([0.7, 0.3]).log(), torch.Generator().manual_seed(0)
    for temperature in (0.5, 1.0, 2.0):
        expected = float((logits / temperature).softmax(-1)[0])
        drawn = draw(logits.expand(3000, 2), Sampling(temperature), generator)
        found = float((drawn == 0).float().mean())
        assert found == pytest.approx(expected, abs=0.03)


def test_what_was_seen_is_made_less_likely_as_transformers_does():
    from transformers import RepetitionPenaltyLogitsProcessor

    scores = torch.tensor([[2.0, -1.0, 0.5, 0.0], [1.0, 1.0, -3.0, 4.0]])
    seen = [[0, 1, 1], [3, 2, 3]]
    expected = RepetitionPenaltyLogitsProcessor(1.7)(torch.tensor(seen), scores.clone())
    torch.testing.assert_close(penalize(scores, seen, 1.7), expected)
    assert penalize(scores, seen, 1.0) is scores
    assert choose(scores, seen, Sampling(0.0, repetition_penalty=9.0), torch.Generator()) == [2, 0]


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
        model, [1], num_beams=VOCAB, max_new_tokens=length, ends=at(end), length_penalty=length_penalty,
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


@pytest.mark.parametrize("penalty", [1.0, 1.5])
@pytest.mark.parametrize("records", [False, True])
def test_beams_copy_what_differs_and_compute_what_the_whole_model_does(penalty, records, monkeypatch):
    """Many beams that change places often: the probabilities are still those without a cache."""
    made = record_early(monkeypatch) if records else []
    model = model_of(ModelConfig(d_model=16, num_layers=2, num_heads=2, context_length=32))
    beams = finish(search_beams(model, [1, 2], num_beams=8, max_new_tokens=20, repetition_penalty=penalty))
    assert len({beam.ids[0] for beam in beams}) < len(beams) == len({tuple(beam.ids) for beam in beams})
    for beam in beams:
        for place, (id, probability) in enumerate(zip(beam.ids, beam.probabilities, strict=True)):
            shares = whole(model, [1, 2, *beam.ids[:place]]).softmax(-1)
            assert probability == pytest.approx(float(shares[id]), rel=1e-3)
    assert bool(made) is records


def test_beams_are_recorded_for_each_kind_of_writer(writer, monkeypatch):
    model = model_of(writer)
    search = partial(
        search_beams, model, [1, 2], num_beams=3, max_new_tokens=writer.context_length - 1, source=source_of(model)
    )
    plain, made = finish(search()), record_early(monkeypatch)
    assert [beam.ids for beam in finish(search())] == [beam.ids for beam in plain]
    assert made


TEXTS = [[5, 6], [7, 8, 9, 10, 4], [4]]


@pytest.mark.parametrize("sampling", [GREEDY, Sampling(0.0, repetition_penalty=1.5)])
@pytest.mark.parametrize("records", [False, True])
def test_a_batch_of_sources_is_written_like_its_texts_alone(sampling, records, monkeypatch):
    """Texts that are done are left out, and what goes on is recorded anew."""
    made = record_early(monkeypatch) if records else []
    config = ModelConfig(architecture="encoder_decoder", d_model=16, num_layers=2, num_heads=2, context_length=16)
    model, end = model_of(config), 3
    ids = torch.tensor([[*text, *[0] * (5 - len(text))] for text in TEXTS])
    mask = torch.tensor([[True] * len(text) + [False] * (5 - len(text)) for text in TEXTS])
    with torch.inference_mode():
        source = read_source(model, ids, mask)
    together = write_batch(model, [[2]] * 3, max_new_tokens=9, sampling=sampling, ends=[at(end)] * 3, source=source)
    for text, written in zip(TEXTS, together, strict=True):
        with torch.inference_mode():
            source = read_source(model, torch.tensor([text]))
        alone = [step.id for step in write_on(model, [2], max_new_tokens=9, sampling=sampling, source=source)]
        assert written == up_to(alone, end)
    assert bool(made) is records


def test_a_batch_of_prompts_is_written_like_its_texts_alone(decoder, monkeypatch):
    """Padding on the left changes nothing, whatever tells the order of tokens, but that no step can be recorded; texts
    that end early are left out."""
    model = model_of(decoder)
    prompts = [*TEXTS, [1, 2, 3]]
    alone = [[step.id for step in write_on(model, prompt, max_new_tokens=7)] for prompt in prompts]
    end, made = alone[0][1], record_early(monkeypatch)
    assert write_batch(model, prompts, max_new_tokens=7, ends=[at(end)] * len(prompts)) == [
        up_to(ids, end) for ids in alone
    ]
    assert not made


def test_a_batch_is_drawn_by_its_seed():
    model = model_of(ModelConfig(d_model=16, num_layers=1, num_heads=2, context_length=32))
    first, again, other = (
        write_batch(model, TEXTS, max_new_tokens=20, sampling=Sampling(2.0, seed=seed)) for seed in (1, 1, 2)
    )
    assert first == again != other
    assert [len(ids) for ids in first] == [20] * 3


def test_padding_is_on_the_left():
    ids, real = pad_left([[1, 2, 3], [4]], torch.device("cpu"))
    assert ids.tolist() == [[1, 2, 3], [0, 0, 4]]
    assert real.tolist() == [[True] * 3, [False, False, True]]
    assert pad_left([[1], [2]], torch.device("cpu"))[1] is None


@pytest.mark.parametrize("num_beams", [1, 3])
def test_damaged_weights_are_said(num_beams):
    model = model_of(ModelConfig(d_model=16, num_layers=1, num_heads=2, context_length=8))
    torch.nn.init.constant_(model.embedding.tokens.weight, math.nan)
    with pytest.raises(UserError, match="outputs NaN"):
        list(write_on(model, [1], max_new_tokens=2, sampling=Sampling(1.0)))
    with pytest.raises(UserError, match="outputs NaN"):
        finish(search_beams(model, [1], num_beams=num_beams, max_new_tokens=2))
    with pytest.raises(UserError, match="outputs NaN"):
        write_batch(model, [[1], [2, 3]], max_new_tokens=2)


@pytest.mark.parametrize(
    ("name", "value"),
    [("temperature", -1.0), ("top_k", -1), ("top_p", 0.0), ("min_p", 1.5), ("repetition_penalty", 0.0),
     ("temperature", math.nan)],
)  # fmt: skip
def test_what_nothing_can_be_drawn_by_is_refused(name, value):
    with pytest.raises(UserError, match=f"{name} must be .*, not {value}"):
        Sampling(**{name: value})


@pytest.mark.parametrize(("name", "value"), [("max_new_tokens", 0), ("beams", 0), ("length_penalty", -1.0)])
def test_what_nothing_can_be_written_by_is_refused(name, value):
    with pytest.raises(UserError, match=f"{name} must be at least .*, not {value}"):
        Manner(**{name: value})
