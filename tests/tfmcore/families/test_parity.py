"""Imported models compute what `transformers` computes, and export gives it back."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tfmcore.families.cases import CASES, HEADS
from tests.tfmcore.families.comparison import answers, attentions, batch, farthest
from tfmcore.data.foreign_tokenizers import FRAMES
from tfmcore.data.progress import silent
from tfmcore.families.exporting import find_place, write_model
from tfmcore.families.importing import read_model
from tfmcore.families.registry import FAMILIES

IMPORTED, EXPORTED = 1e-5, 1e-6
every_head = pytest.mark.parametrize(("name", "ending"), HEADS, ids=[f"{name}-{ending}" for name, ending in HEADS])
every_case = pytest.mark.parametrize("name", CASES)


def test_every_family_has_a_case() -> None:
    made = {case.settings(case.classes[0]).model_type for case in CASES.values()}
    assert made == {family.model_type for family in FAMILIES.values()}


def test_it_is_known_what_stands_around_the_texts_of_a_family_with_an_encoder() -> None:
    types = {family.model_type for family in FAMILIES.values()}
    assert (
        {family.model_type for family in FAMILIES.values() if family.architecture != "decoder"} <= set(FRAMES) <= types
    )


@every_head
def test_logits_and_the_way_back(name: str, ending: str, tmp_path: Path) -> None:
    theirs = CASES[name].make(ending)
    theirs.save_pretrained(tmp_path / "theirs")
    ours = read_model(tmp_path / "theirs")
    assert ours.added == []
    inputs, real = batch(ours.model, padded=CASES[name].padded)
    wanted = answers(theirs, inputs)
    assert farthest(answers(ours.model, inputs), wanted, real) < IMPORTED

    family, head = find_place(ours.saved)
    assert (family, head.classes[0]) == (ours.family, type(theirs).__name__)
    (tmp_path / "back").mkdir()
    write_model(ours.model, ours.saved, family, head, tmp_path / "back", special_ids(theirs), silent)
    again, info = type(theirs).from_pretrained(
        tmp_path / "back", output_loading_info=True, attn_implementation="eager", local_files_only=True
    )
    assert not any(info[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"))
    assert farthest(answers(again.eval(), inputs), wanted, real) < EXPORTED


def special_ids(theirs: Any) -> dict[str, int]:
    """What a tokenizer would say."""
    names = ("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id")
    return {name: id for name in names if (id := getattr(theirs.config, name, None)) is not None}


@every_case
def test_attentions(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    theirs = case.make(case.classes[0])
    theirs.save_pretrained(tmp_path)
    ours = read_model(tmp_path).model
    inputs, real = batch(ours, padded=case.padded)
    wanted = attentions(theirs, inputs)
    found = attentions(ours, inputs)
    assert found.keys() == wanted.keys()
    for kind, layers in wanted.items():
        assert len(found[kind]) == len(layers)
        for mine, reference in zip(found[kind], layers, strict=True):
            assert farthest(mine.transpose(1, 2), reference.transpose(1, 2), real[kind]) < IMPORTED


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.left])
def test_padding_on_the_left(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    theirs = case.make(case.classes[0])
    theirs.save_pretrained(tmp_path)
    ours = read_model(tmp_path).model
    inputs, real = batch(ours, left=True)
    told = {"position_ids": positions(inputs["attention_mask"])} if case.told_positions else {}
    assert farthest(answers(ours, inputs), answers(theirs, inputs | told), real) < IMPORTED


def positions(mask: torch.Tensor) -> torch.Tensor:
    return (mask.cumsum(-1) - 1).clamp(min=0)
