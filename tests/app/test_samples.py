"""Samples by prompt: what is right of them is a mark on what the model wrote."""

from app.samples import SamplesByPrompt, mark_of, sample_words
from tfmcore.messages import Sampled


def test_the_mark_stands_at_what_the_model_wrote() -> None:
    right = Sampled(step=1200, prompt="abc", text="cba ", expected="cba")
    assert sample_words(right) == "── step 1,200 ──\n▸ abc\n✓ cba"
    wrong = right.model_copy(update={"text": "cab"})
    assert sample_words(wrong) == "── step 1,200 ──\n▸ abc\n✗ cab\nexpected: cba"
    nothing = right.model_copy(update={"text": ""})
    assert "\n✗\nexpected: cba" in sample_words(nothing)
    free = Sampled(step=1, prompt="The ", text="value", expected="")
    assert (mark_of(free), sample_words(free)) == ("", "── step 1 ──\n▸ The \nvalue")


def test_prompts_that_are_alike_stay_apart() -> None:
    found = SamplesByPrompt()
    for step in (10, 20):
        found.add([Sampled(step=step, prompt="a", text=f"{step} {n}") for n in range(2)])
    texts = [[each.text for each in answers] for answers in found.answers.values()]
    assert texts == [
        ["10 0", "20 0"],
        ["10 1", "20 1"],
    ]
