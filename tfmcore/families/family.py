"""What a family of the literature is: how its checkpoints' configs and tensors say what our switches and tensors say.

A family is data: a table of config keys, a table of tensor names, and the heads that its checkpoints come with. Import
reads the tables from right to left, export from left to right, so that one is the other's inverse.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tfmcore.config import ModelConfig, UserError
from tfmcore.families.storage import SAME, Storage

NEEDED: Any = object()
"""The default of a key that a config must have."""


def same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Key:
    """A key of their config.json, and the field of ModelConfig (or `vocab_size`) that says the same. `default` is what
    `transformers` takes where the key is missing; `older` are the names it had before. Two keys may share a field: a
    checkpoint in which they differ is refused."""

    name: str
    ours: str
    default: Any = NEEDED
    read: Callable[[Any], Any] = same
    write: Callable[[Any], Any] = same
    older: tuple[str, ...] = ()


def choice(name: str, ours: str, values: Mapping[Any, Any], default: Any = NEEDED) -> Key:
    """A key with few values: theirs → ours. Where two of theirs mean the same, the first is written."""

    def read(value: Any) -> Any:
        if not isinstance(value, str | int | bool | None) or value not in values:
            raise UserError(
                f"{name} is {value!r:.80}, and the only supported values are {', '.join(map(repr, values))}"
            )
        return values[value]

    def write(value: Any) -> Any:
        return next((theirs for theirs, mine in values.items() if mine == value), None)

    return Key(name, ours, default, read, write)


ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}
"""Activations of a feed-forward layer without a gate."""

GATED_ACTIVATIONS = {
    "silu": "swiglu",
    "swish": "swiglu",
    "gelu": "geglu",
    "gelu_pytorch_tanh": "geglu_tanh",
    "gelu_new": "geglu_tanh",
    "relu": "reglu",
}
"""The same names where the feed-forward layer has a gate."""


@dataclass(frozen=True)
class Required:
    """A key that may have these values only, since nothing here does what others mean; the first is written. `default`
    is what `transformers` takes where the key is missing (the first value unless given)."""

    name: str
    values: tuple[Any, ...]
    default: Any = NEEDED


@dataclass(frozen=True)
class Rule:
    """`ours` is a module (or one of its tensors) with {} for numbers, such as `encoder.layers.{}.feed_forward.output`;
    `theirs` are the modules that hold the same, with {} for the same numbers. Their tensors end as ours do: weight or
    bias. A name that ends in `.weight` or `.bias` itself is a tensor's whole name."""

    ours: str
    theirs: tuple[str, ...]
    storage: Storage = SAME

    def names(self, tensor: str) -> tuple[str, ...] | None:
        """Their names of our tensor, None for a tensor of which this rule says nothing."""
        pattern = re.escape(self.ours).replace(r"\{\}", r"(\d+)")
        whole = self.ours.endswith((".weight", ".bias"))
        if not (match := re.fullmatch(pattern if whole else rf"{pattern}(\.weight|\.bias)", tensor)):
            return None
        *numbers, ending = (*match.groups(), "") if whole else match.groups()
        return tuple(name.format(*numbers) + ending for name in self.theirs)


def rule(ours: str, *theirs: str, storage: Storage = SAME) -> Rule:
    return Rule(ours, theirs, storage)


SAME_HEAD = ("translation", "span_corruption", "denoising")
"""Tasks of an encoder-decoder that all write tokens."""


@dataclass(frozen=True)
class Head:
    """What stands on top, by the names of their classes, of which the first is written; `switches` are fields of
    ModelConfig that it sets."""

    classes: tuple[str, ...]
    task: str
    rules: Sequence[Rule] = ()
    switches: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks whose models have such a head."""
        return SAME_HEAD if self.task in SAME_HEAD else (self.task,)


def no_fields(theirs: Mapping[str, Any]) -> dict[str, Any]:
    return {}


def no_keys(model: ModelConfig) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Family:
    """`model_type` and `bare` (the classes without a head) are theirs. `switches` are the fields that all its models
    share; `keys`, `required` and `ignored` are the keys of their config.json, to which `read_more` and `write_more` add
    what no single key says: fields of ours from the keys `more`, and keys of theirs from our config.

    `rules` make the tensors' names for a config; `base` is the prefix that their bare classes lack. `copies` are
    tensors that repeat another: its name → theirs; `tied_copies` do so where embeddings are tied. `buffers` is
    a pattern of tensors that say nothing; `by_tensors` are switches that the tensors decide, not the config.
    """

    name: str
    title: str
    paper: str
    model_type: str
    architecture: str
    switches: Mapping[str, Any]
    keys: Sequence[Key]
    rules: Callable[[ModelConfig], Sequence[Rule]]
    heads: Sequence[Head]
    bare: tuple[str, ...] = ()
    base: str = ""
    required: Sequence[Required] = ()
    ignored: frozenset[str] = frozenset()
    more: tuple[str, ...] = ()
    read_more: Callable[[Mapping[str, Any]], dict[str, Any]] = no_fields
    write_more: Callable[[ModelConfig], dict[str, Any]] = no_keys
    copies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tied_copies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    buffers: str = ""
    by_tensors: frozenset[str] = frozenset()

    def head(self, name: str) -> Head | None:
        """The head of their class, None for one that is not known; a bare class has the first, with fresh weights."""
        if name in self.bare:
            return self.heads[0]
        return next((head for head in self.heads if name in head.classes), None)

    def all_rules(self, model: ModelConfig, head: Head) -> list[Rule]:
        return [*self.rules(model), *head.rules]


WORDS = """
_name_or_path name_or_path architectures model_type transformers_version torch_dtype dtype use_cache return_dict
output_hidden_states output_attentions torchscript use_bfloat16 gradient_checkpointing id2label label2id num_labels
problem_type finetuning_task task_specific_params prefix initializer_range initializer_factor
initializer_cutoff_factor init_std pad_token_id bos_token_id eos_token_id sep_token_id cls_token_id mask_token_id
unk_token_id decoder_start_token_id forced_bos_token_id forced_eos_token_id bad_words_ids is_encoder_decoder
chunk_size_feed_forward tokenizer_class pretraining_tp deterministic_flash_attn sparse_prediction
sparse_pred_ignore_index encoder_layerdrop decoder_layerdrop activation_dropout classifier_dropout classif_dropout
pooler_dropout embedding_dropout mlp_dropout hidden_dropout resid_pdrop resid_dropout embd_pdrop attn_pdrop
summary_first_dropout summary_type summary_use_proj summary_activation summary_proj_to_labels n_ctx max_length
min_length do_sample early_stopping num_beams num_beam_groups diversity_penalty temperature top_k top_p typical_p
repetition_penalty length_penalty no_repeat_ngram_size encoder_no_repeat_ngram_size num_return_sequences
output_scores return_dict_in_generate remove_invalid_values exponential_decay_length_penalty suppress_tokens
begin_suppress_tokens tf_legacy_loss force_bos_token_to_be_generated _num_labels directionality pooler_fc_size
pooler_num_attention_heads pooler_num_fc_layers pooler_size_per_head pooler_type
"""
IGNORED = frozenset(WORDS.split())
"""Keys that change no result: bookkeeping, training, and decoding, which the user sets here."""

REQUIRED = (
    Required("pruned_heads", ({}, None)),
    Required("is_decoder", (False,)),
    Required("add_cross_attention", (False,)),
    Required("cross_attention_hidden_size", (None,)),
    Required("tie_encoder_decoder", (False,)),
    Required("auto_map", (None, {})),
    Required("quantization_config", (None,)),
)
"""Keys that every family may have, with nothing but these values; none of them is written."""
