"""Imported models write what `transformers` writes with them, from prompts that their tokenizers frame."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import processors

from tests.tfmcore.families.cases import CASES
from tests.tfmcore.families.conftest import word_tokenizer
from tfmcore.families.importing import import_model
from tfmcore.inference.decoding import finish
from tfmcore.inference.generate import write, write_many
from tfmcore.inference.opened import OpenedModel, open_model
from tfmcore.inference.sampling import GREEDY
from tfmcore.inference.translate import translate, translate_many
from tfmcore.inference.writing import Manner
from tfmcore.models import EncoderDecoderTransformer

BEGIN, END = ("[CLS]", 2), ("[SEP]", 3)
IDS = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
PROMPT = "word3 word1 word4"


def imported(name: str, ending: str, post_processor: Any, folder: Path, **ids: int) -> tuple[OpenedModel, Any, Any]:
    """Our model, theirs and their tokenizer."""
    theirs = CASES[name].make(ending)
    for key, id in (IDS | ids).items():
        setattr(theirs.generation_config, key, id)
        if key != "forced_bos_token_id":
            setattr(theirs.config, key, id)
    theirs.save_pretrained(folder / "hf")
    library = word_tokenizer()
    library.post_processor = post_processor
    library.save(str(folder / "hf" / "tokenizer.json"))
    import_model(folder / "hf", folder / "ours")
    return open_model(folder / "ours"), theirs, library


@pytest.mark.parametrize("beams", [1, 3])
def test_bart_begins_its_target_as_its_source(beams: int, tmp_path: Path) -> None:
    """`forced_bos_token_id` is what its tokenizer begins every text with."""
    frame = processors.RobertaProcessing(END, BEGIN)
    special = {"decoder_start_token_id": 3, "forced_bos_token_id": 2}
    opened, theirs, library = imported("bart", "ForConditionalGeneration", frame, tmp_path, **special)
    source = library.encode(PROMPT).ids
    assert opened.encode(PROMPT).ids == source
    manner = Manner(12, GREEDY, beams)
    with torch.no_grad():
        wanted = theirs.generate(
            torch.tensor([source]), max_new_tokens=13, num_beams=beams, do_sample=False, length_penalty=1.0,
            forced_eos_token_id=None, early_stopping=False,
        )[0].tolist()  # fmt: skip
    assert wanted[:2] == [3, 2]
    found = translate(opened, PROMPT, manner)
    assert found.hypotheses[0][1].ids == [id for id in wanted[2:] if id != 3]
    assert found.alignment.shape == (len(found.hypotheses[0][1].ids), len(source))


def test_a_full_context_can_be_written(tmp_path: Path) -> None:
    """Learned positions end with the context: no search may ask for one more."""
    opened, _, _ = imported("bart", "ForConditionalGeneration", processors.RobertaProcessing(END, BEGIN), tmp_path)
    assert isinstance(opened.model, EncoderDecoderTransformer)
    opened.model.head.bias.data[3] = -100.0  # never an end
    for beams in (1, 2):
        (_, best), *_ = translate(opened, PROMPT, Manner(1000, GREEDY, beams)).hypotheses
        assert len(best.ids) == opened.context - 1
    assert translate_many(opened, [PROMPT], 1000) == [translate(opened, PROMPT, Manner(1000, GREEDY)).hypotheses[0][0]]


def test_llama_begins_with_bos(tmp_path: Path) -> None:
    frame = processors.TemplateProcessing("[CLS] $A", "[CLS] $A [CLS]:1 $B:1", [BEGIN])
    opened, theirs, library = imported("llama", "ForCausalLM", frame, tmp_path)
    prompt = library.encode(PROMPT).ids
    with torch.no_grad():
        wanted = theirs.generate(torch.tensor([prompt]), max_new_tokens=12, do_sample=False)[0].tolist()
    found = finish(write(opened.model, opened.tokenizer, PROMPT, Manner(12, GREEDY)))
    assert found.prompt_ids == prompt
    assert [*prompt, *found.ids] == [id for id in wanted if id != 3]
    assert finish(write(opened.model, opened.tokenizer, "", Manner(3, GREEDY))).prompt_ids == [2]
    [many] = write_many(opened.model, opened.tokenizer, [PROMPT], Manner(12, GREEDY))
    assert many.text == found.text


def test_what_we_frame_their_tokenizer_frames_after_export(model_folder: Callable[..., Path], tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    from tests.tfmcore.families.test_exporting import switches
    from tfmcore.families.exporting import export_model

    folder = model_folder("masked", **switches("bert-mini"))
    export_model(folder, tmp_path / "hf")
    theirs = AutoTokenizer.from_pretrained(tmp_path / "hf", local_files_only=True)
    opened = open_model(folder)
    assert theirs("The dog").input_ids == opened.encode("The dog").ids
    both = theirs("The", "dog")
    assert both.input_ids == opened.encode("The", "dog").ids
    import_model(tmp_path / "hf", tmp_path / "back")
    assert open_model(tmp_path / "back").encode("The", "dog").arguments == opened.encode("The", "dog").arguments
