"""Imported models write what `transformers` writes, greedily and by beams, and a cache changes nothing."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.tfmcore.families.case import VOCABULARY, Case
from tests.tfmcore.families.cases import CASES
from tests.tfmcore.families.comparison import FIRST, LENGTH, batch, farthest
from tfmcore.families.importing import read_model
from tfmcore.inference.beams import search_beams
from tfmcore.inference.decoding import Ends, finish, never, write_batch
from tfmcore.inference.reading import Writer, read_source
from tfmcore.models import EncoderDecoderTransformer

NEW, BEAMS, START, PAD = 20, 4, 0, 1
HARSH = 4.0
WRITING = ("LMHeadModel", "ForCausalLM", "ForConditionalGeneration", "MTModel")
WRITERS = [name for name, case in CASES.items() if case.classes[0] in WRITING]
SAME_DEPTH = {**CASES["t5"].config, "num_decoder_layers": CASES["t5"].config["num_layers"]}
"""Their cache counts the layers of T5's encoder, and fails where the decoder has more."""
COMPARED: dict[str, Case] = {
    **{name: CASES[name] for name in ("gpt2", "gpt-neo", "llama3", "mistral", "gemma3", "bloom", "bart", "marian")},
    "t5": Case("T5", SAME_DEPTH, CASES["t5"].classes),
}
every_writer = pytest.mark.parametrize("name", COMPARED)


class Pair:
    """The same model twice, and two texts of different lengths to write on after, or to translate."""

    def __init__(self, case: Case, folder: Path) -> None:
        from transformers import GenerationConfig

        self.theirs = case.make(case.classes[0])
        with torch.no_grad():
            for weight in self.theirs.parameters():  # tame ones nearly always answer with the token they read
                if weight.requires_grad and weight.ndim > 1 and len(weight) != VOCABULARY:
                    weight.mul_(HARSH)
        self.theirs.save_pretrained(folder)
        self.theirs.generation_config = GenerationConfig(  # no forced tokens
            pad_token_id=PAD, decoder_start_token_id=START, max_new_tokens=NEW
        )
        model = read_model(folder).model
        assert isinstance(model, Writer)
        self.model: Writer = model
        generator = torch.Generator().manual_seed(5)
        self.texts = [torch.randint(FIRST, VOCABULARY, (size,), generator=generator).tolist() for size in (11, 6)]

    @property
    def translates(self) -> bool:
        return isinstance(self.model, EncoderDecoderTransformer)

    def padded(self, texts: list[list[int]]) -> tuple[Tensor, Tensor]:
        """Ids and mask, padded where each kind of model wants it: on the right of a source, on the left of a prompt."""
        width = max(map(len, texts))
        rows = [([PAD] * (width - len(text)), [0] * (width - len(text)), text, [1] * len(text)) for text in texts]
        if self.translates:
            return torch.tensor([text + pad for pad, _, text, _ in rows]), torch.tensor([o + z for _, z, _, o in rows])
        return torch.tensor([pad + text for pad, _, text, _ in rows]), torch.tensor([z + o for _, z, _, o in rows])

    def written_by_them(self, texts: list[list[int]], **more: Any) -> tuple[list[list[int]], Any]:
        """New tokens of each text, and whatever else generate said."""
        ids, mask = self.padded(texts)
        out = self.theirs.generate(ids, attention_mask=mask, return_dict_in_generate=True, output_scores=True, **more)
        start = 1 if self.translates else ids.shape[1]
        return out.sequences[:, start:].tolist(), out

    def source(self, texts: list[list[int]]) -> Any:
        return read_source(self.model, *self.padded(texts)) if self.translates else None

    def prompts(self, texts: list[list[int]]) -> list[list[int]]:
        return [[START]] * len(texts) if self.translates else texts


@every_writer
@torch.inference_mode()
def test_greedily(name: str, tmp_path: Path) -> None:
    """In a batch, without an end and with one."""
    pair = Pair(COMPARED[name], tmp_path)
    wanted, _ = pair.written_by_them(pair.texts)
    prompts, source = pair.prompts(pair.texts), pair.source(pair.texts)
    assert write_batch(pair.model, prompts, max_new_tokens=NEW, source=source) == wanted

    end = wanted[0][7]
    wanted, _ = pair.written_by_them(pair.texts, eos_token_id=end)
    found = write_batch(pair.model, prompts, max_new_tokens=NEW, ends=[at(end)] * len(prompts), source=source)
    assert found == [up_to(ids, end) for ids in wanted]
    assert len(found[0]) <= 8


@every_writer
@torch.inference_mode()
def test_by_beams(name: str, tmp_path: Path) -> None:
    """All hypotheses, with their scores, of each text; without an end and with one that some come to."""
    pair = Pair(COMPARED[name], tmp_path)
    free, _ = pair.written_by_them(pair.texts[:1], num_beams=BEAMS)
    for text, end in ((pair.texts[0], None), (pair.texts[0], free[0][4]), (pair.texts[1], free[0][9])):
        wanted, out = pair.written_by_them([text], num_beams=BEAMS, num_return_sequences=BEAMS, eos_token_id=end)
        found = finish(
            search_beams(
                pair.model,
                pair.prompts([text])[0],
                num_beams=BEAMS,
                max_new_tokens=NEW,
                ends=never if end is None else at(end),
                source=pair.source([text]),
            )
        )
        assert [beam.ids for beam in found] == [up_to(ids, end) for ids in wanted]
        assert [beam.score(1.0) for beam in found] == pytest.approx(out.sequences_scores.tolist(), abs=1e-4)


def at(end: int) -> Ends:
    return lambda ids: ids[-1] == end


def up_to(ids: list[int], end: int | None) -> list[int]:
    return ids[: ids.index(end) + 1] if end in ids else ids


@pytest.mark.parametrize("name", WRITERS)
@torch.inference_mode()
def test_a_cache_changes_nothing(name: str, tmp_path: Path) -> None:
    """A long beginning, then a few tokens and single ones, in a padded batch; no more than the context holds, beyond
    which dynamic angles turn what is kept, too."""
    case = CASES[name]
    case.make(case.classes[0]).save_pretrained(tmp_path)
    model = read_model(tmp_path).model
    assert isinstance(model, Writer)
    inputs, real = batch(model)
    prefix = "decoder_" if isinstance(model, EncoderDecoderTransformer) else ""
    ids, mask = prefix + "input_ids", prefix + "attention_mask"
    length = min(LENGTH, model.config.context_length, inputs[ids].shape[1])
    inputs |= {key: inputs[key][:, :length] for key in (ids, mask)}
    cache, found = model.new_cache(len(inputs[ids]), length), list[Tensor]()
    for start, end in pairwise([0, length - 13, length - 12, length - 11, length - 4, length - 1, length]):
        piece = {key: inputs[key][:, start:end] for key in (ids, mask)}
        found.append(model(**inputs | piece, cache=cache).logits)
    assert farthest(torch.cat(found, 1), model(**inputs).logits, real["answer"][:, :length]) < 1e-5
