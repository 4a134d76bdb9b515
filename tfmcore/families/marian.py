"""Marian: the translators of OPUS-MT, the open weights of the Transformer of 2017; all its sines stand before the
cosines, where the paper alternates them."""

from tfmcore.families.bart import COPIES, KEYS, OFF_SWITCHES, OTHERS, SWITCHES, rules
from tfmcore.families.family import Family, Head, Key, Required

MARIAN = Family(
    name="marian",
    title="Marian",
    paper="https://arxiv.org/abs/1804.00344",
    model_type="marian",
    architecture="encoder_decoder",
    switches=SWITCHES | {"position": "sinusoidal", "sinusoid_layout": "halves"},
    keys=(
        Key("vocab_size", "vocab_size", 58101),
        Key("decoder_vocab_size", "vocab_size", None),
        *KEYS,
    ),
    rules=rules,
    heads=(Head(("MarianMTModel",), "translation"),),
    bare=("MarianModel",),
    base="model.",
    required=(*OFF_SWITCHES, Required("share_encoder_decoder_embeddings", (True,))),
    ignored=OTHERS,
    copies=COPIES,
    buffers=r"(model\.)?(encoder|decoder)\.embed_positions\.weight",
)
