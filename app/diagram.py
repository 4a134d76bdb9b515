"""From a config to the block diagram: the blocks of each column, with their shapes, and the options behind them."""

from collections.abc import Callable, Iterator

from app.forms.numbers import number_text
from app.widgets.block_layout import Block, Column
from tfmcore.config import TASKS, Config, ModelConfig

ACTIVATIONS = {
    "relu": "ReLU",
    "gelu": "GELU",
    "gelu_tanh": "GELU",
    "silu": "SiLU",
    "tanh": "tanh",
    "reglu": "ReGLU",
    "geglu": "GEGLU",
    "geglu_tanh": "GEGLU",
    "swiglu": "SwiGLU",
}
NORMS = {"layer": "Layer norm", "rms": "RMS norm"}
POOLINGS = {"first": "the first token", "mean": "the mean of all tokens", "last": "the last token"}
POOLERS = {"none": (), "tanh": ("dense, tanh",), "gelu": ("dense, GELU",), "dense_norm": ("dense, {activation}, norm",)}
SCALINGS = {"linear": "linear", "dynamic": "dynamic", "llama3": "Llama 3", "yarn": "YaRN"}
TERMS = {"content_to_position": "q·p", "position_to_content": "k·p"}

BLOCK_OPTIONS = {
    "input": ("context_length",),
    "embedding": ("d_model", "embedding_scale", "num_token_types", "dropout", "tie_embeddings"),
    "position": ("position", "context_length", "sinusoid_layout", "learned_positions_beside"),
    "embedding_norm": ("embedding_norm", "norm"),
    "attention": (
        "num_heads", "num_kv_heads", "head_dim", "attention_window", "layer_pattern", "query_key_norm",
        "attention_scale", "attention_scale_by_layer", "attention_softcap", "attention_dropout", "attention_bias",
        "attention_output_bias", "key_bias", "position", "rotary_share", "rope_theta", "rope_theta_local",
        "rope_scaling", "rope_factor", "rope_original_length", "rope_low_frequency_factor",
        "rope_high_frequency_factor", "rope_beta_fast", "rope_beta_slow", "rope_attention_factor",
        "num_position_buckets", "max_position_distance", "max_relative_positions", "num_relative_buckets",
        "position_terms", "share_position_projections", "relative_norm",
    ),
    "cross_attention": (
        "num_heads", "num_kv_heads", "head_dim", "query_key_norm", "attention_scale", "attention_softcap",
        "attention_dropout", "attention_bias",
    ),
    "feed_forward": ("d_ff", "activation", "feed_forward_bias"),
    "convolution": ("convolution", "convolution_activation", "convolution_groups"),
    "norm": ("norm", "norm_placement", "norm_eps", "norm_bias", "skip_first_norm"),
    "final_norm": ("final_norm", "norm", "norm_eps"),
    "pooling": ("pooling", "pooler"),
    "head": (
        "tie_embeddings", "output_scale", "output_bias", "logit_softcap", "head_activation", "head_bias",
        "next_sentence_head", "pooling", "pooler", "classifier_bias",
    ),
    "layers": ("num_layers", "num_decoder_layers", "initialization"),
}  # fmt: skip


def options_of(key: str) -> tuple[str, ...]:
    """The paths of the options that shape the block `key` of the diagram."""
    return tuple(f"model.{name}" for name in BLOCK_OPTIONS[key.partition("/")[2]])


def columns(config: Config, vocab_size: int, num_labels: int | None = None) -> list[Column]:
    """The diagram's columns, an encoder left of its decoder; `num_labels` None: not known yet."""
    model = config.model
    titles = {"encoder": "Encoder", "decoder": "Decoder"}
    stacks = [(titles[name], _stack(model, vocab_size, name)) for name in _names(model)]
    labels = "labels" if num_labels is None else f"{num_labels:,}"
    head = tuple(HEADS[TASKS[config.data.task].verb](model, f"{_names(model)[-1]}/head", vocab_size, labels))
    return [
        Column(title, (*blocks, *(head if index == len(stacks) - 1 else ())))
        for index, (title, blocks) in enumerate(stacks)
    ]


def _names(model: ModelConfig) -> tuple[str, ...]:
    return ("encoder", "decoder") if model.architecture == "encoder_decoder" else (model.architecture,)


# ── stacks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _stack(model: ModelConfig, vocab_size: int, name: str) -> tuple[Block, ...]:
    """Tokens, embeddings and layers of an encoder or a decoder, from the bottom up."""
    crossed = name == "decoder" and model.architecture == "encoder_decoder"
    words = "tokens so far" if name == "decoder" else "tokens"
    scaled = f" · × √{model.d_model}" if model.embedding_scale else ""
    types = f" + {model.num_token_types} types" if model.num_token_types and not crossed else ""
    shape = _shape(model, model.d_model)
    blocks = [
        Block(f"{name}/input", f"{words}, at most {model.context_length:,}", kind="input", shape=_shape(model)),
        Block(
            f"{name}/embedding",
            "Token embedding",
            f"{vocab_size:,} × {model.d_model:,}{types}{scaled}",
            "embedding",
            shape=shape,
        ),
    ]
    blocks += _added_positions(model, name)
    if model.embedding_norm:
        blocks.append(_norm(model, f"{name}/embedding_norm"))
    repeat = model.decoder_layers if crossed else model.num_layers
    blocks.append(Block(f"{name}/layers", repeat=repeat, children=_layer(model, name, crossed), shape=shape))
    if model.has_final_norm:
        blocks.append(_norm(model, f"{name}/final_norm"))
    return tuple(blocks)


def _added_positions(model: ModelConfig, name: str) -> Iterator[Block]:
    """The vectors that tell each token its place, where such are added."""
    size = f"{model.context_length:,} × {model.d_model:,}"
    if model.has_learned_positions:
        yield Block(f"{name}/position", "+ learned positions", size, "position")
    elif model.position == "sinusoidal":
        halves = " · sines, then cosines" if model.sinusoid_layout == "halves" else ""
        yield Block(f"{name}/position", "+ sinusoidal positions", size + halves, "position")


def _layer(model: ModelConfig, name: str, crossed: bool) -> tuple[Block, ...]:
    """The sublayers, with their norms where the placement puts them."""
    own = "Masked self-attention" if name == "decoder" else "Self-attention"
    notes = (*_position_notes(model), *_window_notes(model), *_score_notes(model))
    sublayers = [Block(f"{name}/attention", own, _heads(model), "attention", notes=notes)]
    if crossed:
        notes = tuple(_score_notes(model))
        sublayers.append(
            Block(f"{name}/cross_attention", "Cross-attention", _heads(model), "cross_attention", notes=notes)
        )
    widths = f"{model.d_model:,} → {model.ff_width:,} → {model.d_model:,}"
    words = f"{widths} · {ACTIVATIONS[model.activation]}"
    sublayers.append(Block(f"{name}/feed_forward", "Feed-forward", words, "feed_forward"))
    norm = _norm(model, f"{name}/norm")
    first = _norm(model, f"{name}/norm", "not in the first layer") if model.skip_first_norm else norm
    norms = [first] + [norm] * (len(sublayers) - 1)
    parts = tuple(PLACEMENTS[model.norm_placement](sublayers, norms))
    if model.convolution and name == "encoder":
        parts = (*parts, _convolution(model, name))
    return parts


def _before(sublayers: list[Block], norms: list[Block]) -> Iterator[Block]:
    """x + f(norm(x))"""
    for sublayer, norm in zip(sublayers, norms, strict=True):
        yield Block(sublayer.key, children=(norm, sublayer), residual=True)


def _after(sublayers: list[Block], norms: list[Block]) -> Iterator[Block]:
    """norm(x + f(x))"""
    for sublayer, norm in zip(sublayers, norms, strict=True):
        yield Block(sublayer.key, children=(sublayer,), residual=True)
        yield norm


def _sandwich(sublayers: list[Block], norms: list[Block]) -> Iterator[Block]:
    """x + norm_after(f(norm(x)))"""
    for sublayer, norm in zip(sublayers, norms, strict=True):
        yield Block(sublayer.key, children=(norm, sublayer, norms[-1]), residual=True)


def _parallel(sublayers: list[Block], norms: list[Block]) -> Iterator[Block]:
    """x + f(norm(x)) + g(norm(x)); cross-attention stands on the encoder's side."""
    pairs = sorted(zip(sublayers, norms, strict=True), key=lambda pair: pair[0].kind != "cross_attention")
    branches = tuple(Block(sublayer.key, children=(norm, sublayer)) for sublayer, norm in pairs)
    yield Block(sublayers[0].key, children=branches, residual=True, parallel=True)


PLACEMENTS: dict[str, Callable[[list[Block], list[Block]], Iterator[Block]]] = {
    "pre": _before,
    "post": _after,
    "sandwich": _sandwich,
    "parallel": _parallel,
}


def _convolution(model: ModelConfig, name: str) -> Block:
    groups = f" · {model.convolution_groups} groups" if model.convolution_groups > 1 else ""
    words = f"{model.convolution} tokens · {ACTIVATIONS[model.convolution_activation]}{groups}"
    notes = ("beside the first layer only",)
    return Block(f"{name}/convolution", "+ Convolution", words, "feed_forward", notes=notes)


# ── what an attention says of itself ─────────────────────────────────────────────────────────────────────────────────


def _heads(model: ModelConfig) -> str:
    shared = f" ({model.kv_heads} key/value)" if model.kv_heads != model.num_heads else ""
    return f"{model.num_heads} × {model.width_per_head}{shared}"


def _position_notes(model: ModelConfig) -> Iterator[str]:
    """How this attention tells places apart."""
    match model.position:
        case "rotary":
            share = f" on {100 * model.rotary_share:.3g} %" if model.rotary_share < 1 else ""
            yield f"rotary positions{share}"
            if scaling := SCALINGS.get(model.rope_scaling):
                yield f"stretched: {scaling} × {number_text(model.rope_factor)}"
        case "relative_buckets":
            yield f"biases of {model.num_position_buckets} distances"
        case "alibi":
            yield "ALiBi distance biases"
        case "disentangled":
            yield "disentangled: " + " + ".join(["q·k", *(TERMS[term] for term in model.position_terms)])


def _window_notes(model: ModelConfig) -> Iterator[str]:
    if model.attention_window:
        local = sum(model.window_of(layer) is not None for layer in range(model.num_layers))
        some = f" in {local} of {model.num_layers} layers" if local < model.num_layers else ""
        yield f"window {model.attention_window:,}{some}"


def _score_notes(model: ModelConfig) -> Iterator[str]:
    """What is done to queries, keys and scores."""
    if model.query_key_norm:
        yield f"{NORMS[model.norm]} of queries and keys"
    if model.attention_scale is not None or model.attention_scale_by_layer:
        scale = model.attention_scale
        words = f"1/√{model.width_per_head}" if scale is None else number_text(round(scale, 4))
        yield f"scores × {words}" + (" ÷ layer" if model.attention_scale_by_layer else "")
    if model.attention_softcap is not None:
        yield f"scores capped at ±{number_text(model.attention_softcap)}"


# ── heads ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _output_layer(model: ModelConfig, key: str, vocab_size: int, labels: str) -> Iterator[Block]:
    yield _vocabulary(model, key, "Output layer", vocab_size, model.output_bias)
    yield Block(key, "next-token probabilities", kind="output_text")


def _masked_head(model: ModelConfig, key: str, vocab_size: int, labels: str) -> Iterator[Block]:
    notes: tuple[str, ...] = (f"dense, {ACTIVATIONS[model.head_activation]}, norm before it",)
    if model.next_sentence_head:
        notes += (f"and next sentence: {model.d_model:,} × 2",)
    yield _vocabulary(model, key, "Masked-token head", vocab_size, False, notes)
    yield Block(key, "hidden-token probabilities", kind="output_text")


def _vocabulary(
    model: ModelConfig, key: str, title: str, vocab_size: int, bias: bool, notes: tuple[str, ...] = ()
) -> Block:
    """From vectors to a logit for each token."""
    words = f"{model.d_model:,} × {vocab_size:,}"
    facts = (("tied", model.tie_embeddings), ("bias", bias), (f"× 1/√{model.d_model}", model.output_scale))
    words = " · ".join([words, *(word for word, holds in facts if holds)])
    if model.logit_softcap is not None:
        notes += (f"logits capped at ±{number_text(model.logit_softcap)}",)
    return Block(key, title, words, "head", notes=notes, shape=_shape(model, vocab_size))


def _classifier(model: ModelConfig, key: str, vocab_size: int, labels: str) -> Iterator[Block]:
    pooling = key.replace("/head", "/pooling")
    notes = _pooler_notes(model)
    yield Block(pooling, "Pooling", POOLINGS[model.pooling], "output", notes=notes, shape=f"(B, {model.d_model:,})")
    yield Block(key, "Classifier", f"{model.d_model:,} × {labels}", "head", shape=f"(B, {labels})")
    yield Block(key, "label probabilities", kind="output_text")


def _tagger(model: ModelConfig, key: str, vocab_size: int, labels: str) -> Iterator[Block]:
    shape = f"(B, {model.context_length:,}, {labels})"
    words = f"{model.d_model:,} × {labels} · of each token"
    yield Block(key, "Classifier", words, "head", notes=_token_notes(model), shape=shape)
    yield Block(key, "label probabilities", kind="output_text")


def _span_finder(model: ModelConfig, key: str, vocab_size: int, labels: str) -> Iterator[Block]:
    words = f"{model.d_model:,} × 2 · of each token"
    yield Block(key, "Span finder", words, "head", notes=_token_notes(model), shape=_shape(model, 2))
    yield Block(key, "start and end of the answer", kind="output_text")


def _pooler_notes(model: ModelConfig) -> tuple[str, ...]:
    activation = ACTIVATIONS[model.head_activation]
    return tuple(note.format(activation=activation) for note in POOLERS[model.pooler_layer])


def _token_notes(model: ModelConfig) -> tuple[str, ...]:
    """Of the poolers, one alone works on single tokens too."""
    return _pooler_notes(model) if model.pooler_layer == "dense_norm" else ()


HEADS: dict[str, Callable[[ModelConfig, str, int, str], Iterator[Block]]] = {
    "generate": _output_layer,
    "translate": _output_layer,
    "fill": _masked_head,
    "classify": _classifier,
    "tag": _tagger,
    "answer": _span_finder,
}
"""What turns the last layer's vectors into answers, by what one does with the model."""


def _norm(model: ModelConfig, key: str, words: str = "") -> Block:
    return Block(key, NORMS[model.norm], words, "norm")


def _shape(model: ModelConfig, *widths: int) -> str:
    """A tensor's shape; B is the batch."""
    return f"(B, {', '.join(f'{size:,}' for size in (model.context_length, *widths))})"
