"""Every family, each in some variants: what the loops of this folder run over."""

from tests.tfmcore.families.case import Case
from tests.tfmcore.families.decoder_cases import DECODER_CASES
from tests.tfmcore.families.encoder_cases import ENCODER_CASES
from tests.tfmcore.families.seq2seq_cases import SEQ2SEQ_CASES

CASES: dict[str, Case] = {**ENCODER_CASES, **DECODER_CASES, **SEQ2SEQ_CASES}
HEADS = [(name, ending) for name, case in CASES.items() for ending in case.classes]
"""Every case with every head."""
