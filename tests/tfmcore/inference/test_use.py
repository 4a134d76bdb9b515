"""The small functions of the Python face: they read as training does and answer like the model itself."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

import tfmcore
from tfmcore.config import DataConfig, TokenizerConfig, UserError
from tfmcore.data.entities import entities
from tfmcore.data.tasks import Item
from tfmcore.data.tokenizer_training import train_tokenizer
from tfmcore.inference.answer import MOST_TOKENS, answer
from tfmcore.inference.classify import classify
from tfmcore.inference.decoding import finish
from tfmcore.inference.fill import fill
from tfmcore.inference.generate import generate, write, write_many
from tfmcore.inference.opened import open_model
from tfmcore.inference.pieces import continued
from tfmcore.inference.sampling import GREEDY, Sampling
from tfmcore.inference.tag import tag
from tfmcore.inference.translate import translate, translate_many
from tfmcore.inference.writing import Ending, Manner

TEXTS = ["The dog", "fox", "", "jumps over the lazy dog. " * 4, "árvíztűrő"]


ROLES = {
    "classifier": ("text", "pair"),
    "translator": ("source", "target"),
    "reader": ("question", "context"),
}


@pytest.mark.parametrize("kind", ["classifier", "translator", "reader"])
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("pair", ["", "brown fox"])
def test_a_text_is_read_as_it_was_in_training(model_folder, kind, text, pair):
    opened = open_model(model_folder(kind))
    roles = dict(zip(ROLES[kind], (text, pair), strict=True))
    ids = {
        role: np.array(opened.tokenizer.encode(part), np.uint32)
        for role, part in roles.items()
        if part or role != "pair"
    }
    item = Item(ids, marks={"answer": np.array([-1, -1])})
    trained = opened.task.collate([item], opened.tokenizer, opened.context, np.random.default_rng(0)).inputs
    encoded = opened.encode(text, "" if kind == "translator" else pair)
    for name, row in encoded.arguments.items():
        assert row == trained[name][0].tolist()
    if kind == "translator":
        assert opened.encode_target(pair).ids == trained["decoder_input_ids"][0].tolist()
    assert bool(encoded.notice) == (len(text) + len(pair) * (kind != "translator") > 64)


def test_generate_from_python(model_folder, own_folders):
    model, tokenizer = tfmcore.load(model_folder("decoder"))
    text = tfmcore.generate(model, tokenizer, "The", max_new_tokens=15, temperature=0)
    ids = tokenizer.encode("The")
    with torch.inference_mode():
        for _ in range(15):
            ids.append(int(model(torch.tensor([ids], device=model.device)).logits[0, -1].argmax()))
    assert text == tokenizer.decode(ids[3:])
    assert tfmcore.generate(model, tokenizer, "", max_new_tokens=3, seed=1) is not None


def test_each_says_what_a_model_cannot_do(model_folder):
    decoder, masked = open_model(model_folder("decoder")), open_model(model_folder("masked"))
    both = ((classify, decoder), (fill, decoder), (translate, masked), (classify, masked), (tag, decoder))
    for verb, opened in both:
        with pytest.raises(UserError, match=f"cannot {verb.__name__}: it learned to"):
            verb(opened, "The dog")
    with pytest.raises(UserError, match="cannot answer: it learned to"):
        answer(decoder, "Who?", "The dog")
    with pytest.raises(UserError, match="cannot continue a prompt"):
        generate(masked.model, masked.tokenizer, "The")


def test_labels_are_those_of_the_logits(model_folder):
    opened = open_model(model_folder("classifier"))
    found = classify(opened, "The dog")
    with torch.inference_mode():
        logits = opened.model(**opened.encode("The dog").inputs(opened.device)).logits[0]
    assert found.labels[0] == opened.saved.labels[int(logits.argmax())]
    assert found.probabilities[0] == pytest.approx(float(logits.softmax(-1).max()))


def test_many_translations_are_those_of_each(model_folder):
    opened = open_model(model_folder("translator"))
    found = translate_many(opened, TEXTS, max_new_tokens=20, batch_size=2)
    manner = Manner(20, GREEDY)
    assert found == [translate(opened, text, manner).hypotheses[0][0] for text in TEXTS]
    assert translate_many(opened, []) == []


def test_the_likeliest_candidates_are_put_in(model_folder):
    opened = open_model(model_folder("masked"))
    found = fill(opened, "The [MASK]og", 4)
    [gap] = found.gaps
    assert gap.position == 5
    assert len(gap.candidates) == 4
    best = gap.candidates[0]
    assert found.text == f"The {'' if best.special else best.text}og"


def test_what_is_added_to_a_text_is_told_apart_from_it(model_folder):
    tokenizer = open_model(model_folder("decoder")).tokenizer
    before, after = tokenizer.encode("The quick brown fox"), tokenizer.encode(" jumps")
    assert continued(tokenizer, before, after) == " jumps"
    assert continued(tokenizer, [], after) == " jumps"
    assert continued(tokenizer, before, []) == ""


def test_of_nothing_a_text_begins_after_the_end_of_another(model_folder):
    opened = open_model(model_folder("decoder"))
    written = finish(write(opened.model, opened.tokenizer, "", Manner(3, GREEDY)))
    assert written.prompt_ids == [opened.tokenizer.eos_id]


def test_the_same_prompt_is_written_on_otherwise_in_each_batch(model_folder):
    opened = open_model(model_folder("decoder"))
    drawn = write_many(opened.model, opened.tokenizer, ["The"] * 6, Manner(12, Sampling(2.0, seed=1)), batch_size=3)
    assert len({each.text for each in drawn}) == 6


@pytest.mark.parametrize("manner", [
    Manner(12, GREEDY, stop=("e",)),
    Manner(12, Sampling(0.0, repetition_penalty=1.4), stop=("e",)),
    Manner(6, beams=3, stop=("e",)),
])  # fmt: skip
def test_many_prompts_are_written_on_like_each(model_folder, manner):
    opened = open_model(model_folder("decoder"))
    prompts = [text[:40] for text in TEXTS]
    alone = [finish(write(opened.model, opened.tokenizer, prompt, manner)) for prompt in prompts]
    found = write_many(opened.model, opened.tokenizer, prompts, manner, batch_size=3)
    for many, one in zip(found, alone, strict=True):
        assert (many.text, many.prompt_ids, many.ids, many.reason) == (one.text, one.prompt_ids, one.ids, one.reason)
        assert many.hypotheses == (one.hypotheses if manner.beams > 1 else [])
    assert any(each.text for each in found)
    assert not any("e" in each.text for each in found)
    assert write_many(opened.model, opened.tokenizer, [], manner) == []


def test_prompts_that_do_not_fit_keep_their_ends_and_say_so(model_folder):
    opened = open_model(model_folder("decoder"))
    long, short = "The lazy dog. " * 10, "The"
    found = write_many(opened.model, opened.tokenizer, [long, short], Manner(40, GREEDY))
    assert found[0].text == generate(opened.model, opened.tokenizer, long[-32:], 32, temperature=0)
    assert found[0].notice == "The prompt has 140 tokens: the model read the last 32 of them."
    assert found[1].text == generate(opened.model, opened.tokenizer, short, 32, temperature=0)
    assert (found[1].notice, len(found[1].ids)) == ("", 32)


def test_a_batch_of_one_context_is_not_outgrown(model_folder):
    opened = open_model(model_folder("decoder"))
    prompts = ["d" * length for length in (1, 20, 60, 64)]
    for prompt, each in zip(
        prompts, write_many(opened.model, opened.tokenizer, prompts, Manner(500, GREEDY)), strict=True
    ):
        assert min(len(prompt), 32) + len(each.ids) <= 64


@pytest.mark.parametrize("kind", ["word", "wordpiece", "bpe", "unigram", "byte_bpe", "char"])
def test_a_stop_may_begin_with_the_space_before_the_first_word(kind):
    tokenizer = train_tokenizer(TokenizerConfig(kind=kind, vocab_size=200), ["the cat sat on the mat " * 20])
    before, whole = tokenizer.encode("the cat"), tokenizer.encode("the cat sat")
    ending = Ending(tokenizer, {tokenizer.eos_id}, (" s",), before)
    assert ending.reason(whole[len(before) :]) == "stop"


def test_a_beam_search_stops_before_a_stop_and_gives_all_it_found(model_folder):
    opened = open_model(model_folder("decoder"))
    plain = finish(write(opened.model, opened.tokenizer, "The", Manner(20, beams=4)))
    stop = plain.text[5:7]
    found = finish(write(opened.model, opened.tokenizer, "The", Manner(20, beams=4, stop=(stop,))))
    assert len(plain.hypotheses) == len(found.hypotheses) == 4
    scores = [hypothesis.score for _, hypothesis in found.hypotheses]
    assert scores == sorted(scores, reverse=True)
    for text, hypothesis in found.hypotheses:
        assert stop not in text
        assert hypothesis.reason in ("stop", "length")
    assert any(hypothesis.reason == "stop" for _, hypothesis in found.hypotheses)


def test_a_prefix_takes_the_place_of_the_one_that_was_learned(model_folder):
    opened = open_model(model_folder("translator"))
    learned = replace(opened, saved=opened.saved.model_copy(update={"data": DataConfig(prefix="dog: ")}))
    assert learned.encode("fox").ids == opened.encode("dog: fox").ids
    assert learned.encode("fox", prefix="lazy ").ids == opened.encode("lazy fox").ids
    assert learned.encode("fox", prefix="").ids == opened.encode("fox").ids
    translated = translate(learned, "fox", Manner(5, GREEDY))
    assert translated.hypotheses == translate(opened, "fox", Manner(5, GREEDY), prefix="dog: ").hypotheses


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_a_translation_may_be_drawn_and_stopped(model_folder, temperature):
    opened = open_model(model_folder("translator"))
    manner = Manner(20, Sampling(temperature, seed=3))
    [(text, hypothesis)] = translate(opened, "The dog", manner).hypotheses
    assert translate(opened, "The dog", manner).hypotheses == [(text, hypothesis)]
    [(cut, stopped)] = translate(opened, "The dog", replace(manner, stop=(text[4:6],))).hypotheses
    assert cut == text[: text.index(text[4:6])]
    assert stopped.reason == "stop"


@pytest.mark.parametrize("text", ["The quick  brown fox,\njumps (over) the lazy dog!", "", "  \n ", "dog " * 60, "?"])
def test_tags_are_the_likeliest_labels_of_each_word(model_folder, text):
    opened = open_model(model_folder("tagger"))
    found = tag(opened, text)
    assert ("was read in" in found.notice) == (len(text) > 62)
    expected, seen = [], []
    for window in opened.task.windows(text, opened.tokenizer, opened.context):
        with torch.inference_mode():
            shares = opened.model(**opened.tensors(window.inputs)).logits[0].softmax(-1)
        for place, (start, end) in zip(window.places, window.words, strict=True):
            token = opened.tokenizer.tokens([int(window.inputs["input_ids"][0, place])])[0]
            assert token == "[UNK]" or text[start:end].startswith(token)
            seen.append((start, end))
            expected.append((opened.saved.labels[int(shares[place].argmax())], float(shares[place].max())))
    assert "".join(text[start:end] for start, end in seen) == "".join(text.split())
    runs = entities([label for label, _ in expected])
    assert [(span.start, span.end, span.label) for span in found.spans] == [
        (seen[first][0], seen[end - 1][1], label) for first, end, label in runs
    ]
    for span, (first, end, _) in zip(found.spans, runs, strict=True):
        assert span.probability == pytest.approx(min(share for _, share in expected[first:end]), abs=1e-5)


def test_answers_are_the_likeliest_spans_of_the_context(model_folder):
    opened, question, context = open_model(model_folder("reader")), "fox?", "The dog jumps"
    found = answer(opened, question, context, num_answers=200)
    with torch.inference_mode():
        logits = opened.model(**opened.encode(question, context).inputs(opened.device)).logits[0].double()
    first = 2 + len(question)
    scores = {
        (start, end): float(logits[first + start, 0] + logits[first + end - 1, 1])
        for start in range(len(context))
        for end in range(start + 1, len(context) + 1)
        if context[start] != " " and context[end - 1] != " "
    }
    best = sorted(scores, key=lambda span: -scores[span])
    assert [(each.start, each.end) for each in found.answers][:5] == best[:5]
    assert {(each.start, each.end) for each in found.answers} == set(scores)
    nothing = float(logits[0].sum())
    shares = torch.tensor([*(each.score for each in found.answers), nothing], dtype=torch.float64).softmax(-1)
    assert [each.probability for each in found.answers] == pytest.approx(shares[:-1].tolist())
    assert found.no_answer == pytest.approx(float(shares[-1]))
    assert found.answers[0].score == pytest.approx(scores[best[0]])
    assert all(each.text == context[each.start : each.end] for each in found.answers)
    assert (found.num_windows, found.notice) == (1, "")


class OnMPS(torch.Tensor):
    """As a tensor of Apple's GPUs, which know no float64."""

    def double(self):
        raise TypeError("Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64.")

    def cpu(self):
        return self.as_subclass(torch.Tensor)


def test_a_device_without_float64_answers_too(model_folder):
    opened = open_model(model_folder("reader"))
    expected = answer(opened, "fox?", "The dog jumps")
    opened.model.register_forward_hook(lambda *call: replace(call[-1], logits=call[-1].logits.as_subclass(OnMPS)))
    assert answer(opened, "fox?", "The dog jumps") == expected


def test_long_contexts_are_read_in_windows_and_every_answer_told_once(model_folder):
    opened, context = open_model(model_folder("reader")), "The quick brown fox jumps over the lazy dog. " * 5
    found = answer(opened, "dog?", context, num_answers=10_000)
    assert found.num_windows > 3
    assert "windows of 64 tokens" in found.notice
    spans = [(each.start, each.end) for each in found.answers]
    assert len(set(spans)) == len(spans)
    assert max(end for _, end in spans) == len(context.rstrip())
    assert min(start for start, _ in spans) == 0
    assert max(end - start for start, end in spans) == MOST_TOKENS
    assert sum(each.probability for each in found.answers) + found.no_answer == pytest.approx(1)
    assert [each.score for each in found.answers] == sorted((each.score for each in found.answers), reverse=True)


@pytest.mark.parametrize("context", ["", " \n"])
def test_an_empty_context_has_no_answer(model_folder, context):
    found = answer(open_model(model_folder("reader")), "Who?", context)
    assert (found.answers, found.no_answer) == ([], 1.0)


@pytest.mark.parametrize(
    ("kind", "ask"),
    [
        ("tagger", tag),
        ("reader", lambda opened, text: answer(opened, text, text)),
        ("classifier", classify),
        ("masked", fill),
    ],
)
def test_damaged_weights_are_said(model_folder, kind, ask):
    opened = open_model(model_folder(kind))
    with torch.no_grad():
        next(opened.model.parameters()).fill_(math.nan)
    with pytest.raises(UserError, match="outputs NaN"):
        ask(opened, "The [MASK] dog")
