"""Span corruption as in T5: what is taken out, what stands for it, and how much it is."""

import numpy as np
import pytest

from tests.tfmcore.data.tasks.conftest import SENTINELS, WORDS
from tfmcore.config import UserError
from tfmcore.data import IGNORED, Example
from tfmcore.data.tasks import Item
from tfmcore.data.tasks.span_corruption import noise_mask, sentinels

TEXT = " ".join(WORDS)


def pieces_of(text):
    """A text cut at its sentinels: what stands before the first, then after each."""
    for sentinel in SENTINELS:
        text = text.replace(sentinel, "\0")
    return text.split("\0")


@pytest.mark.parametrize("seed", range(20))
def test_the_target_holds_what_the_source_lacks(letters, task_of, collated, seed):
    batch = collated(task_of("span_corruption"), [Example(text=TEXT)], 128, seed)
    read = "".join(letters.tokens(batch.inputs["input_ids"][0].tolist()))
    target = "".join(letters.tokens(batch.labels[0].tolist()))
    assert read.endswith("[EOS]")
    assert target.endswith("[EOS]")
    kept, taken = pieces_of(read.removesuffix("[EOS]")), pieces_of(target.removesuffix("[EOS]"))
    assert taken[0] == ""  # the target begins with a sentinel, and no sentinel closes it
    assert kept[0] != ""  # T5's mask begins with what is kept
    assert all(taken[1:])
    assert len(kept) == len(taken)
    assert "".join(before + between for before, between in zip(kept, [*taken[1:], ""], strict=True)) == TEXT
    marks = sentinels(letters)[: len(taken) - 1]
    for row in (batch.inputs["input_ids"][0], batch.labels[0]):
        assert [id for id in row.tolist() if id in sentinels(letters)] == marks
    assert batch.inputs["decoder_input_ids"][0].tolist() == [letters.bos_id, *batch.labels[0].tolist()[:-1]]


@pytest.mark.parametrize(("density", "mean"), [(0.15, 3.0), (0.15, 1.0), (0.5, 3.0), (0.3, 10.0)])
@pytest.mark.parametrize("length", [100, 568])
def test_so_much_is_taken_out_in_spans_of_such_a_length(density, mean, length, task_of):
    task, random = task_of("span_corruption", noise_density=density, mean_span_length=mean), np.random.default_rng(0)
    noise, spans = task._noise(length)
    masks = np.stack([noise_mask(length, noise, spans, random) for _ in range(400)]).astype(int)
    assert masks.sum(1).tolist() == [noise] * 400
    assert noise == round(density * length)
    assert (np.diff(masks, axis=1, prepend=0).clip(0).sum(1) == spans).all()
    assert noise / spans == pytest.approx(mean, rel=0.1)
    assert not masks[:, 0].any()
    assert masks[:, -1].all()
    if spans > 10:  # with few, the first part is kept and the last taken out too often
        middle = masks[:, length // 4 : -length // 4].mean(0)
        assert middle.mean() == pytest.approx(density, abs=0.02)
        assert middle.std() < 1.5 * (density * (1 - density) / 400) ** 0.5  # no place is preferred


@pytest.mark.parametrize(("context", "window", "target"), [(512, 568, 114), (256, 284, 58), (128, 141, 29)])
def test_windows_are_as_long_as_in_t5_s_own_code(context, window, target, task_of):
    """`random_spans_helper(512, 0.15, 1, 1, 3.0)` is (568, 114)."""
    task = task_of("span_corruption")
    assert task.window(context) == window
    noise, spans = task._noise(window)
    assert noise + spans + 1 == target
    assert len(task.extra_tokens(context)) == spans


@pytest.mark.parametrize("density", [0.01, 0.15, 0.5, 0.9])
@pytest.mark.parametrize("context", [4, 9, 64, 500])
def test_a_window_fills_the_context_and_fits_into_it(density, context, letters, task_of):
    task = task_of("span_corruption", noise_density=density)
    window = task.window(context)
    item = Item({"text": np.full(window, letters.encode("a")[0], np.uint32)})
    if len(task.extra_tokens(context)) > len(SENTINELS):
        with pytest.raises(UserError, match=rf"has {len(SENTINELS)} sentinels .* but \d+ spans are removed"):
            task.collate([item], letters, context, np.random.default_rng(0))
        return
    batch = task.collate([item], letters, context, np.random.default_rng(0))
    widths = [batch.inputs[name].shape[1] for name in ("input_ids", "decoder_input_ids")]
    assert max(widths) == context
    assert (batch.labels == letters.eos_id).sum() == 1
    assert batch.inputs["input_ids"][0].tolist().count(letters.encode("a")[0]) + (
        batch.labels == letters.encode("a")[0]
    ).sum() == window  # nothing is cut  # fmt: skip


@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_the_shortest_texts_have_something_to_predict(length, letters, task_of):
    item = Item({"text": np.array(letters.encode("abc")[:length], np.uint32)})
    batch = task_of("span_corruption").collate([item], letters, 16, np.random.default_rng(0))
    labels = [id for id in batch.labels[0].tolist() if id != IGNORED]
    assert len(labels) == (3 if length else 1)
    assert labels[-1] == letters.eos_id


def test_what_is_written_shows_its_sentinels_and_no_other_special_token(letters, task_of):
    marks = sentinels(letters)
    ids = [letters.bos_id, marks[0], *letters.encode("ab"), marks[1], *letters.encode("c"), letters.eos_id]
    assert task_of("span_corruption").written(ids, letters) == "<extra_id_0>ab<extra_id_1>c"
    assert task_of("denoising").written(ids, letters) == "abc"
