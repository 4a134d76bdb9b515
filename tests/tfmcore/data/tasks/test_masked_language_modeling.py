"""Masking as in BERT: how much, in which three ways, whole words, and pairs of sentences that follow or do not."""

import numpy as np
import pytest

from tests.tfmcore.data.tasks.conftest import WORDS
from tfmcore.data import IGNORED, Example, prepare
from tfmcore.data.tasks import Item

NEXT = "next_sentence_logits"


def random(seed=0):
    return np.random.default_rng(seed)


def test_masking_hides_fifteen_per_cent_in_three_ways(letters, task_of):
    ids = letters.encode_arrays(["the quick brown fox jumps over the lazy dog " * 50])[0]
    batch = task_of("masked_language_modeling").collate([Item({"text": ids})] * 8, letters, 2048, random())
    read, chosen = batch.inputs["input_ids"], batch.labels != IGNORED
    now, was = read[chosen], batch.labels[chosen]
    assert abs(chosen.mean() - 0.15) < 0.01
    assert abs((now == letters.mask_id).mean() - 0.8) < 0.02
    assert abs((now == was).mean() - 0.1) < 0.02
    assert not np.isin(now[now != letters.mask_id], list(letters.special_ids)).any()
    untouched = np.array([letters.cls_id, *ids[:2046].tolist(), letters.sep_id])
    assert all((read[n][~chosen[n]] == untouched[~chosen[n]]).all() for n in range(8))
    assert (was == np.broadcast_to(untouched, read.shape)[chosen]).all()


@pytest.mark.parametrize("whole", [False, True])
def test_a_short_text_has_something_to_predict(whole, task_of, collated):
    for seed in range(20):
        task = task_of("masked_language_modeling", whole_word_masking=whole)
        labels = collated(task, [Example(text="ab")], seed=seed).labels
        assert (labels != IGNORED).sum() >= 1 + whole


def test_whole_words_are_hidden_or_not(pieces, task_of):
    text = " ".join(WORDS * 20)
    ids = pieces.encode_arrays([text])[0]
    read = pieces.tokens(ids.tolist())
    task = task_of("masked_language_modeling", whole_word_masking=True)
    batch = task.collate([Item({"text": ids})] * 20, pieces, 4096, random())
    chosen = (batch.labels != IGNORED)[:, 1:-1]
    assert chosen.shape[1] == len(ids)
    words, new = list[list[int]](), True  # the places of each word's tokens; a space alone belongs to none
    for place, token in enumerate(read):
        if token.strip():
            words += [[]] if new or token.startswith(" ") else []
            words[-1].append(place)
        new = not token.strip() or token.endswith(" ")
    assert len(words) == len(WORDS) * 20
    assert max(map(len, words)) > 1
    shares = np.array([chosen[:, places].mean(1) for places in words])
    assert set(shares.ravel().tolist()) == {0.0, 1.0}
    assert abs(shares.mean() - 0.15) < 0.02


def test_single_pieces_are_hidden_where_words_need_not_be_whole(pieces, task_of):
    ids = pieces.encode_arrays(["unbelievably " * 100])[0]
    batch = task_of("masked_language_modeling").collate([Item({"text": ids})], pieces, 4096, random())
    assert 0 < (batch.labels != IGNORED).mean() < 0.2


def halves(tokenizer, row):
    """The two texts between [CLS] and the two [SEP]."""
    text = "".join(tokenizer.tokens([id for id in row.tolist() if id != tokenizer.pad_id]))
    first, second, rest = text.removeprefix("[CLS]").split("[SEP]")
    assert rest == ""
    return first, second


@pytest.fixture
def pairing(task_of):
    return task_of("masked_language_modeling", next_sentence_prediction=True)


@pytest.mark.parametrize("size", [1, 2, 64])
def test_half_of_the_seconds_are_of_another_place(size, pairing, letters, monkeypatch):
    monkeypatch.setattr(type(pairing), "_hide", lambda self, ids, tokenizer, random: np.full_like(ids, IGNORED))
    item = Item({"text": letters.encode_arrays(["aaaa. AAAA."])[0]}, other=letters.encode_arrays(["bbbb. BBBB."])[0])
    labels = []
    for seed in range(2048 // size):
        batch = pairing.collate([item] * size, letters, 64, random(seed))
        labels += batch.further[NEXT].tolist()
        for row, label in zip(batch.inputs["input_ids"], batch.further[NEXT].tolist(), strict=True):
            assert halves(letters, row) == ("aaaa.", " BBBB." if label else " AAAA.")
    assert np.mean(labels) == pytest.approx(0.5, abs=0.04)  # 0: it follows


def test_without_another_place_a_text_goes_on(pairing, letters):
    item = Item({"text": letters.encode_arrays(["aaaa. AAAA."])[0]})
    assert pairing.collate([item] * 50, letters, 64, random()).further[NEXT].tolist() == [0] * 50


def test_the_two_texts_are_told_apart_and_fit(pairing, letters):
    item = Item({"text": letters.encode_arrays(["Some words. " * 10])[0]})
    for context in (8, 21, 64):
        batch = pairing.collate([item] * 4, letters, context, random())
        assert batch.inputs["input_ids"].shape == (4, context)
        for row, kinds in zip(batch.inputs["input_ids"], batch.inputs["token_type_ids"], strict=True):
            border = row.tolist().index(letters.sep_id) + 1
            assert kinds.tolist() == [0] * border + [1] * (context - border)
            assert 2 < border < context - 1  # neither is empty


def test_texts_are_cut_where_a_sentence_begins(pairing, letters, monkeypatch):
    monkeypatch.setattr(type(pairing), "_hide", lambda self, ids, tokenizer, random: np.full_like(ids, IGNORED))
    item = Item({"text": letters.encode_arrays(["One is 1.5 here. Two is there! Three? Four."])[0]})
    batch = pairing.collate([item] * 100, letters, 64, random())
    seconds = {halves(letters, row)[1] for row in batch.inputs["input_ids"]}
    assert seconds == {" Two is there! Three? Four.", " Three? Four."}  # in the middle half


@pytest.mark.parametrize("size", [1, 8])
def test_running_text_has_pairs_of_both_kinds_in_batches_of_any_size(size, config, file):
    text = "".join(f"Line {n} of a text, which goes on. " for n in range(2000))
    fields = {"data__path": str(file("a.txt", text)), "model__context_length": 48, "model__next_sentence_head": True}
    made = config("file", "masked_language_modeling", data__next_sentence_prediction=True, **fields)
    dataset = prepare(made)
    split, labels = dataset.train, []
    for step in range(400 // size):
        batch = split.batch(step, size, 0)
        labels += batch.further[NEXT].tolist()
    assert len(labels) == 400
    assert np.mean(labels) == pytest.approx(0.5, abs=0.1)
    window = split.window
    for starts in (np.arange(0, len(split.text), 7), np.array([0, len(split.text) - 1])):
        others = np.array(split._others(starts, random()))
        assert (abs(others - starts) >= window).all()  # they share nothing
        assert ((others >= 0) & (others <= len(split.text) - window)).all()
    once = [label for batch in dataset.validation.once(size) for label in batch.further[NEXT].tolist()]
    assert len(once) == len(dataset.validation)
    assert 0 < np.mean(once) < 1


def test_how_a_text_is_read_changes_nothing_of_what_is_stored(config, file):
    path = str(file("a.txt", "".join(f"Line {n} of a text. " for n in range(500))))
    made = config(
        "file", "masked_language_modeling", data__path=path, model__context_length=32, model__next_sentence_head=True
    )
    plain = prepare(made).train
    paired = prepare(made.replaced(data__next_sentence_prediction=True, data__whole_word_masking=True)).train
    assert paired.stored.folder == plain.stored.folder
    assert (plain.window, paired.window) == (30, 29)
    assert plain.batch(0, 4, 0).further == {}


def test_a_text_of_one_window_has_no_other_place(config, file):
    path = str(file("a.txt", "Line of a text, which is short. " * 3))
    made = config(
        "file", "masked_language_modeling", data__path=path, model__context_length=80, model__next_sentence_head=True
    )
    split = prepare(made.replaced(data__next_sentence_prediction=True)).validation
    assert len(split) == 1
    assert split._others(np.array([0]), random()) == []
    (batch,) = split.once(4)
    assert batch.further[NEXT].tolist() == [0]
