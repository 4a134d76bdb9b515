"""Writing on after a prompt, with a decoder that learned a language."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tfmcore.config import UserError
from tfmcore.data.tokenizers import Tokenizer
from tfmcore.inference.decoding import Sampling, Step, finish, search_beams, write_on
from tfmcore.inference.pieces import BEFORE, check_ids, continued
from tfmcore.models import DecoderOnlyTransformer, Model


@dataclass(frozen=True)
class Written:
    """`text` is what the model wrote after the prompt; `reason` why it stopped; `notice` what it did not see."""

    text: str
    prompt_ids: list[int]
    ids: list[int]
    reason: Literal["length", "end", "stop"]
    notice: str = ""


def generate(
    model: Model,
    tokenizer: Tokenizer,
    prompt: str,
    max_new_tokens: int = 200,
    temperature: float = 0.8,
    top_k: int = 0,
    top_p: float = 1.0,
    beams: int = 1,
    seed: int | None = None,
    stop: Sequence[str] = (),
) -> str:
    """What the model writes after `prompt`. Raises UserError for a model that does not write on."""
    sampling = Sampling(temperature, top_k, top_p, seed)
    steps = write(model, tokenizer, prompt, max_new_tokens=max_new_tokens, sampling=sampling, beams=beams, stop=stop)
    return finish(steps).text


def write(
    model: Model,
    tokenizer: Tokenizer,
    prompt: str,
    *,
    continuation: Sequence[int] = (),
    max_new_tokens: int = 200,
    sampling: Sampling | None = None,
    beams: int = 1,
    stop: Sequence[str] = (),
    num_alternatives: int = 0,
) -> Generator[Step | None, None, Written]:
    """Yields each token after `prompt` and `continuation` (with several beams: None for each token searched, then the
    best beam's); returns the whole. Raises UserError."""
    if not isinstance(model, DecoderOnlyTransformer):
        raise UserError("this model does not write on after a prompt: that takes a decoder that learned a language")
    context = model.config.context_length
    prompt_ids = [*tokenizer.encode(prompt), *continuation] or [tokenizer.bos_id]
    check_ids(prompt_ids, tokenizer, model.vocab_size)
    seen = prompt_ids[-(context if beams == 1 else max(context - max_new_tokens, context // 2, 1)) :]
    if beams == 1:
        chosen, end = sampling or Sampling(), tokenizer.eos_id
        steps: Iterator[Step | None] = write_on(
            model, seen, max_new_tokens=max_new_tokens, sampling=chosen, end_id=end, num_alternatives=num_alternatives
        )
    else:
        steps = _best_beam(model, seen, beams, min(max_new_tokens, max(1, context - len(seen))), tokenizer.eos_id)
    reason: Literal["length", "end", "stop"] = "length"
    ids = list[int]()
    for step in steps:
        if step and step.id == tokenizer.eos_id:
            reason = "end"
            break
        yield step
        ids += [step.id] if step else []
        if step and _stops(stop, tokenizer, ids):
            reason = "stop"
            break
    text = continued(tokenizer, seen, ids)
    text = text[: min((at for word in stop if (at := text.find(word)) >= 0), default=len(text))]
    return Written(text, prompt_ids, ids, reason, _notice(len(prompt_ids), len(seen), len(ids), context))


def _best_beam(
    model: DecoderOnlyTransformer, prompt: Sequence[int], num_beams: int, max_new_tokens: int, end_id: int
) -> Iterator[Step | None]:
    """None for each token searched, then the tokens of the best hypothesis."""
    search = search_beams(model, prompt, num_beams=num_beams, max_new_tokens=max_new_tokens, end_id=end_id)
    best = (yield from search)[0]
    for id, probability in zip(best.ids, best.probabilities, strict=True):
        yield Step(id, probability, [])


def _stops(stop: Sequence[str], tokenizer: Tokenizer, ids: Sequence[int]) -> bool:
    """Whether a stop stands in what was written last; a letter has at most four tokens."""
    newest = ids[-4 * max(map(len, stop), default=0) - BEFORE :]
    return bool(stop) and any(word and word in tokenizer.decode(newest) for word in stop)


def _notice(prompt: int, seen: int, written: int, context: int) -> str:
    """What the model did not see of its own text."""
    if seen < prompt:
        return f"The prompt has {prompt} tokens: the model read the last {seen} of them."
    if seen + written > context:
        return f"The text has outgrown the context of {context} tokens: the model wrote on from the newest of them."
    return ""
