"""Denoising as in BART: spans behind single masks, sentences in another order, and all of the text as the target."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from tfmcore.data import Example
from tfmcore.data.tasks.denoising import infilled

SENTENCES = ["One fish is here.", " Two came later!", " Was the third one red?", " The last, blue one sank."]
TEXT = "".join(SENTENCES)
MASK = 1_000_000


def test_the_decoder_writes_the_text_as_it_was(letters, task_of, collated):
    batch = collated(task_of("denoising"), [Example(text=TEXT)], 128)
    expected = letters.encode(TEXT)
    assert batch.labels[0].tolist() == [*expected, letters.eos_id]
    assert batch.inputs["decoder_input_ids"][0].tolist() == [letters.bos_id, *expected]
    assert batch.inputs["input_ids"][0, -1] == letters.eos_id
    assert letters.mask_id in batch.inputs["input_ids"][0]


@pytest.mark.parametrize("rate", [0.0, 0.15, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("mean", [1.0, 3.0, 10.0])
def test_so_much_is_hidden_and_the_rest_stays_in_its_order(rate, mean):
    text = np.arange(200, dtype=np.uint32)
    for seed in range(30):
        made = infilled(text, MASK, rate, mean, np.random.default_rng(seed))
        kept = [id for id in made if id != MASK]
        assert kept == sorted(set(kept))
        assert (MASK in made) == (rate > 0)
        assert all(pair != (MASK, MASK) for pair in pairwise(made))
        if rate <= 0.3 or (rate <= 0.6 and mean >= 3):  # else there are not places enough for so many masks
            assert len(kept) == 200 - round(rate * 200)


@pytest.mark.parametrize("mean", [1.0, 3.0])
def test_spans_have_poisson_lengths_and_may_be_empty(mean):
    text, lengths = np.arange(100_000, dtype=np.uint32), Counter[int]()
    made = infilled(text, MASK, 0.3, mean, np.random.default_rng(0))
    before = -1
    for place, id in enumerate(made):
        if id == MASK:
            after = made[place + 1] if place + 1 < len(made) else len(text)
            lengths[after - before - 1] += 1
        else:
            before = id
    total = lengths.total()
    assert sum(length * count for length, count in lengths.items()) == 30_000
    assert 30_000 / total == pytest.approx(mean, rel=0.02)
    assert lengths[0] / total == pytest.approx(np.exp(-mean), rel=0.1)
    assert lengths[1] / total == pytest.approx(mean * np.exp(-mean), rel=0.1)


@pytest.mark.parametrize("length", range(5))
def test_the_shortest_texts(length):
    text = np.arange(length, dtype=np.uint32)
    for rate, seed in ((rate, seed) for rate in (0.0, 0.3, 0.9) for seed in range(20)):
        made = infilled(text, MASK, rate, 3.0, np.random.default_rng(seed))
        kept = [id for id in made if id != MASK]
        assert kept == sorted(set(kept))
        assert len(made) <= 2 * length + 1


def test_sentences_come_in_every_order_and_stay_whole(letters, task_of, collated):
    task, seen = task_of("denoising", infilling_rate=0.0), Counter[str]()
    for seed in range(400):
        read = collated(task, [Example(text=TEXT)], 128, seed).inputs["input_ids"][0].tolist()
        text = letters.decode(read)
        seen[text] += 1
        assert sum(text.count(sentence.strip()) for sentence in SENTENCES) == 4
        assert len(text) == len(TEXT)
    assert len(seen) == 24
    assert 0 < seen[TEXT] < 40
    plain = task_of("denoising", infilling_rate=0.0, permute_sentences=False)
    read = collated(plain, [Example(text=TEXT)], 128).inputs["input_ids"][0].tolist()
    assert letters.decode(read) == TEXT


def test_sentences_are_found_among_pieces_of_words(pieces, task_of, collated):
    text = "The quick fox jumps. A dog runs away! It was unbelievably fast, and it came."
    task, firsts = task_of("denoising", infilling_rate=0.0), set[str]()
    whole = pieces.decode(pieces.encode(text))
    for seed in range(40):
        read = collated(task, [Example(text=text)], 512, seed, tokenizer=pieces).inputs["input_ids"][0].tolist()
        assert Counter(read[:-1]) == Counter(pieces.encode(text))
        firsts.add(pieces.decode(read[:3]).strip()[:3].lower())
    assert len(firsts) == 3, whole
