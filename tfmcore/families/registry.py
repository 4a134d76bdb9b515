"""The families by name, and which of them a checkpoint belongs to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfmcore.config import UserError
from tfmcore.families.bart import BART
from tfmcore.families.bert import BERT
from tfmcore.families.bloom import BLOOM
from tfmcore.families.deberta import DEBERTA
from tfmcore.families.deberta_v2 import DEBERTA_V2
from tfmcore.families.family import Family, Head
from tfmcore.families.gemma import GEMMA, GEMMA2, GEMMA3
from tfmcore.families.gpt import GPT, GPT2
from tfmcore.families.gpt_neo import GPT_NEO
from tfmcore.families.llama import LLAMA, MISTRAL, QWEN2, QWEN3
from tfmcore.families.marian import MARIAN
from tfmcore.families.modernbert import MODERNBERT
from tfmcore.families.neox import NEOX
from tfmcore.families.roberta import ROBERTA
from tfmcore.families.t5 import MT5, T5

ENCODERS = (BERT, ROBERTA, DEBERTA, DEBERTA_V2, MODERNBERT)
DECODERS = (GPT, GPT2, GPT_NEO, LLAMA, MISTRAL, QWEN2, QWEN3, GEMMA, GEMMA2, GEMMA3, NEOX, BLOOM)
ALL = (*ENCODERS, *DECODERS, T5, MT5, BART, MARIAN)
FAMILIES: dict[str, Family] = {family.name: family for family in ALL}


def find_family(theirs: Mapping[str, Any], path: Path) -> tuple[Family, Head, bool]:
    """The family and head of a foreign config, and whether it is a bare class, which has no head of its own. Raises
    UserError for what this program has no family for."""
    kind, classes = theirs.get("model_type"), theirs.get("architectures")
    name = classes[0] if isinstance(classes, list) and classes and isinstance(classes[0], str) else ""
    fitting = [
        family
        for family in FAMILIES.values()
        if kind == family.model_type or (kind is None and family.head(name) is not None)
    ]
    if not fitting:
        known = ", ".join(sorted({family.model_type for family in FAMILIES.values()}))
        raise UserError(f"{path}: no supported family has the model_type {kind!r:.80}; known are {known}")
    family = fitting[0]
    if not name:
        return family, family.heads[0], True
    if (head := family.head(name)) is None:
        known = ", ".join(class_name for head in family.heads for class_name in head.classes)
        raise UserError(f"{path}: the head of {name!r:.80} is not supported; those of {family.title} are {known}")
    return family, head, name in family.bare
