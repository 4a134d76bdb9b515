"""The families of encoders, small."""

from tests.tfmcore.families.case import TINY, Case

ENCODERS = ("ForMaskedLM", "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering")
NORMED = {"embedding_scale": "a norm follows at once"}
DEBERTA = {
    **TINY,
    "relative_attention": True,
    "position_biased_input": False,
    "pos_att_type": "c2p|p2c",
    "pad_token_id": 0,
}


ENCODER_CASES = {
    "bert": Case("Bert", TINY, ("ForPreTraining", *ENCODERS)),
    "bert-untied": Case("Bert", {**TINY, "tie_word_embeddings": False, "hidden_act": "gelu_new"}, ("ForMaskedLM",)),
    "roberta": Case("Roberta", {**TINY, "type_vocab_size": 1, "layer_norm_eps": 1e-5}, ENCODERS, left=True),
    "deberta": Case("Deberta", {**DEBERTA, "max_relative_positions": 150, "type_vocab_size": 2}, ENCODERS),
    "deberta-c2p": Case(
        "Deberta", {**DEBERTA, "pos_att_type": ["c2p"], "position_biased_input": True}, ("ForMaskedLM",)
    ),
    "deberta-v3": Case(
        "DebertaV2",
        {
            **DEBERTA,
            "position_buckets": 32,
            "share_att_key": True,
            "norm_rel_ebd": "layer_norm",
            "max_relative_positions": -1,
        },
        ENCODERS,
        unheard=NORMED,
    ),
    "deberta-v2": Case(
        "DebertaV2",
        {
            **DEBERTA,
            "position_buckets": 32,
            "share_att_key": True,
            "norm_rel_ebd": "layer_norm",
            "conv_kernel_size": 3,
            "conv_act": "gelu",
        },
        ("ForMaskedLM",),
        unheard=NORMED,
    ),
    "deberta-v2-apart": Case("DebertaV2", {**DEBERTA, "max_relative_positions": 40}, ("ForMaskedLM",), unheard=NORMED),
    "modernbert": Case(
        "ModernBert",
        {
            **TINY,
            "num_hidden_layers": 5,
            "local_attention": 8,
            "pad_token_id": 0,
            "eos_token_id": 1,
            "bos_token_id": 2,
            "cls_token_id": 2,
            "sep_token_id": 1,
        },
        ENCODERS,
        left=True,
        told_positions=True,
        unheard=NORMED,
    ),
    "modernbert-stretched": Case(
        "ModernBert",
        {
            **TINY,
            "local_attention": 8,
            "pad_token_id": 0,
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "rope_theta": 100.0, "factor": 4.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 50.0},
            },
            "eos_token_id": 1,
            "bos_token_id": 2,
            "cls_token_id": 2,
            "sep_token_id": 1,
        },
        ("ForMaskedLM",),
        unheard=NORMED,
    ),
    "modernbert-mean": Case(
        "ModernBert",
        {
            **TINY,
            "local_attention": 8,
            "pad_token_id": 0,
            "classifier_pooling": "mean",
            "classifier_bias": True,
            "norm_bias": True,
            "attention_bias": True,
            "mlp_bias": True,
            "eos_token_id": 1,
            "bos_token_id": 2,
            "cls_token_id": 2,
            "sep_token_id": 1,
        },
        ("ForSequenceClassification", "ForTokenClassification"),
        unheard=NORMED,
    ),
}
