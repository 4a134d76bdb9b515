"""Writing on after a prompt, with a decoder that learned a language."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

from tfmcore.config import UserError
from tfmcore.data.tokenizers import Tokenizer
from tfmcore.inference.decoding import Step, finish, write_batch
from tfmcore.inference.pieces import check_ids, continued
from tfmcore.inference.sampling import Sampling
from tfmcore.inference.writing import Ending, Hypothesis, Manner, Reason, write_ids
from tfmcore.models import DecoderOnlyTransformer, Model


@dataclass(frozen=True)
class Written:
    """`text` is what the model wrote after the prompt; `reason` why it stopped; `notice` what it did not see. All
    `hypotheses` of a beam search are there with their texts, best first; none where many prompts were written on at
    once."""

    text: str
    prompt_ids: list[int]
    ids: list[int]
    reason: Reason
    hypotheses: list[tuple[str, Hypothesis]]
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
    min_p: float = 0.0,
    repetition_penalty: float = 1.0,
    length_penalty: float = 1.0,
) -> str:
    """What the model writes after `prompt`. Raises UserError for a model that does not write on."""
    sampling = Sampling(temperature, top_k, top_p, min_p, repetition_penalty, seed)
    manner = Manner(max_new_tokens, sampling, beams, length_penalty, tuple(stop))
    return finish(write(model, tokenizer, prompt, manner)).text


def write_many(
    model: Model, tokenizer: Tokenizer, prompts: Sequence[str], manner: Manner | None = None, batch_size: int = 64
) -> list[Written]:
    """What the model writes after each prompt, computed in batches of prompts of about one length; beams are searched
    for one prompt at a time. The context holds all that is written greedily or by drawing: fewer new tokens where the
    prompts are long. Raises UserError."""
    writer, manner = _writer(model), manner or Manner()
    if manner.beams > 1:
        return [finish(write(model, tokenizer, prompt, manner)) for prompt in prompts]
    found = dict[int, Written]()
    context, generator = model.config.context_length, manner.sampling.generator()
    starts = [_start(tokenizer, prompt, (), model.vocab_size) for prompt in prompts]
    order = sorted(range(len(prompts)), key=lambda number: len(starts[number]))
    for first in range(0, len(order), batch_size):
        numbers = order[first : first + batch_size]
        seen = [starts[number][-_room(context, manner.max_new_tokens) :] for number in numbers]
        limit = min(manner.max_new_tokens, max(1, context - max(map(len, seen))))
        endings = [Ending(tokenizer, {tokenizer.eos_id}, manner.stop, before) for before in seen]
        written = write_batch(
            writer, seen, max_new_tokens=limit, sampling=manner.sampling, ends=endings, generator=generator
        )
        for number, before, ending, ids in zip(numbers, seen, endings, written, strict=True):
            reason = ending.reason(ids) or "length"
            ids = ids[: len(ids) - (reason == "end")]
            text = ending.cut(continued(tokenizer, before, ids))
            notice = _notice(len(starts[number]), len(before), len(ids), context)
            found[number] = Written(text, starts[number], ids, reason, [], notice)
    return [found[number] for number in range(len(prompts))]


def write(
    model: Model,
    tokenizer: Tokenizer,
    prompt: str,
    manner: Manner | None = None,
    *,
    continuation: Sequence[int] = (),
    num_alternatives: int = 0,
) -> Generator[Step | None, None, Written]:
    """Yields each token after `prompt` and `continuation` (with several beams: None for each token searched, then the
    best beam's); returns the whole. Raises UserError."""
    writer, manner = _writer(model), manner or Manner()
    context, limit = model.config.context_length, manner.max_new_tokens
    prompt_ids = _start(tokenizer, prompt, continuation, model.vocab_size)
    seen = prompt_ids[-(context if manner.beams == 1 else _room(context, limit)) :]
    if manner.beams > 1:
        manner = replace(manner, max_new_tokens=min(limit, max(1, context - len(seen))))
    ending = Ending(tokenizer, {tokenizer.eos_id}, manner.stop, seen)
    found = yield from write_ids(writer, seen, manner, ending, num_alternatives=num_alternatives)
    best = found[0]
    if manner.beams > 1:
        yield from (Step(id, share, []) for id, share in zip(best.ids, best.probabilities, strict=True))
    hypotheses = [(ending.cut(continued(tokenizer, seen, each.ids)), each) for each in found]
    notice = _notice(len(prompt_ids), len(seen), len(best.ids), context)
    return Written(hypotheses[0][0], prompt_ids, best.ids, best.reason, hypotheses, notice)


def _writer(model: Model) -> DecoderOnlyTransformer:
    if not isinstance(model, DecoderOnlyTransformer):
        raise UserError("this model cannot continue a prompt: that takes a decoder trained on language modelling")
    return model


def _start(tokenizer: Tokenizer, prompt: str, continuation: Sequence[int], vocab_size: int) -> list[int]:
    """What the model writes on after: of nothing, the end token, which stands before every text but the first, unless
    the tokenizer begins texts with another."""
    ids = [*tokenizer.framing.prompt, *tokenizer.encode(prompt), *continuation] or [tokenizer.eos_id]
    check_ids(ids, tokenizer, vocab_size)
    return ids


def _room(context: int, max_new_tokens: int) -> int:
    """Of a context that must hold all that is written: so many tokens of the prompt, at least half of it."""
    return max(context - max_new_tokens, context // 2, 1)


def _notice(prompt: int, seen: int, written: int, context: int) -> str:
    """What the model did not see of its own text."""
    if seen < prompt:
        return f"The prompt has {prompt} tokens: the model read the last {seen} of them."
    if seen + written > context:
        return f"The text is longer than the context of {context} tokens: the model continued from the latest of them."
    return ""
