"""From a config to the block diagram: the blocks of each column, with their shapes, and the options behind them."""

from app.widgets.block_layout import Block, Column
from tfmcore.config import Config, ModelConfig

ACTIVATIONS = {
    "relu": "ReLU",
    "gelu": "GELU",
    "gelu_tanh": "GELU",
    "silu": "SiLU",
    "reglu": "ReGLU",
    "geglu": "GEGLU",
    "geglu_tanh": "GEGLU",
    "swiglu": "SwiGLU",
}
NORMS = {"layer": "Layer norm", "rms": "RMS norm"}
POOLINGS = {"first": "the first token", "mean": "the mean of all tokens", "last": "the last token"}
TURNED = {"rotary": "rotary positions", "relative_buckets": "distance biases"}

BLOCK_OPTIONS = {
    "input": ("context_length",),
    "embedding": ("d_model", "embedding_scale", "num_token_types", "dropout", "tie_embeddings"),
    "position": ("position", "context_length"),
    "embedding_norm": ("embedding_norm", "norm"),
    "attention": (
        "num_heads",
        "num_kv_heads",
        "head_dim",
        "attention_window",
        "attention_scale",
        "attention_dropout",
        "attention_bias",
        "position",
        "rope_theta",
        "num_position_buckets",
        "max_position_distance",
    ),
    "cross_attention": ("num_heads", "num_kv_heads", "head_dim", "attention_scale", "attention_dropout"),
    "feed_forward": ("d_ff", "activation", "feed_forward_bias"),
    "norm": ("norm", "norm_placement", "norm_eps", "norm_bias"),
    "final_norm": ("final_norm", "norm", "norm_eps"),
    "pooling": ("pooling",),
    "head": ("tie_embeddings", "pooling"),
    "layers": ("num_layers", "num_decoder_layers", "initialization"),
}


def options_of(key: str) -> tuple[str, ...]:
    """The paths of the options that shape the block `key` of the diagram."""
    return tuple(f"model.{name}" for name in BLOCK_OPTIONS[key.partition("/")[2]])


def columns(config: Config, vocab_size: int, num_labels: int | None = None) -> list[Column]:
    """The diagram's columns, an encoder left of its decoder; `num_labels` None: not known yet."""
    model, task = config.model, config.data.task
    inputs = (_stack(model, vocab_size, name) for name in _names(model))
    titles = {"encoder": "Encoder", "decoder": "Decoder"}
    stacks = [(titles[name], blocks) for name, blocks in zip(_names(model), inputs, strict=True)]
    head = _head(model, vocab_size, task, num_labels)
    return [
        Column(title, (*blocks, *(head if index == len(stacks) - 1 else ())))
        for index, (title, blocks) in enumerate(stacks)
    ]


def _names(model: ModelConfig) -> tuple[str, ...]:
    return ("encoder", "decoder") if model.architecture == "encoder_decoder" else (model.architecture,)


def _stack(model: ModelConfig, vocab_size: int, name: str) -> tuple[Block, ...]:
    """Tokens, embeddings and layers of an encoder or a decoder, from the bottom up."""
    crossed = name == "decoder" and model.architecture == "encoder_decoder"
    words = "tokens so far" if name == "decoder" else "tokens"
    scaled = f" · × √{model.d_model}" if model.embedding_scale else ""
    types = f" + {model.num_token_types} types" if model.num_token_types and not crossed else ""
    blocks = [
        Block(f"{name}/input", f"{words}, at most {model.context_length:,}", kind="input", shape=_shape(model)),
        Block(
            f"{name}/embedding",
            "Token embedding",
            f"{vocab_size:,} × {model.d_model:,}{types}{scaled}",
            "embedding",
            shape=_shape(model, model.d_model),
        ),
    ]
    if model.position in ("learned", "sinusoidal"):
        title = f"+ {model.position} positions"
        blocks.append(Block(f"{name}/position", title, f"{model.context_length:,} × {model.d_model:,}", "position"))
    if model.embedding_norm:
        blocks.append(_norm(model, f"{name}/embedding_norm"))
    repeat = model.decoder_layers if crossed else model.num_layers
    shape = _shape(model, model.d_model)
    blocks.append(Block(f"{name}/layers", repeat=repeat, children=_layer(model, name, crossed), shape=shape))
    if model.has_final_norm:
        blocks.append(_norm(model, f"{name}/final_norm"))
    return tuple(blocks)


def _layer(model: ModelConfig, name: str, crossed: bool) -> tuple[Block, ...]:
    """The sublayers, each with its norm before or after it."""
    own = "Masked self-attention" if name == "decoder" else "Self-attention"
    window = f" · window {model.attention_window:,}" if model.attention_window else ""
    turned = f" · {TURNED[model.position]}" if model.position in TURNED else ""
    sublayers = [Block(f"{name}/attention", own, _heads(model) + window + (turned if not window else ""), "attention")]
    if crossed:
        sublayers.append(Block(f"{name}/cross_attention", "Cross-attention", _heads(model), "cross_attention"))
    widths = f"{model.d_model:,} → {model.ff_width:,} → {model.d_model:,}"
    words = f"{widths} · {ACTIVATIONS[model.activation]}"
    sublayers.append(Block(f"{name}/feed_forward", "Feed-forward", words, "feed_forward"))
    norm = _norm(model, f"{name}/norm")
    parts: list[Block] = []
    for sublayer in sublayers:
        if model.norm_placement == "pre":
            parts.append(Block(sublayer.key, children=(norm, sublayer), residual=True))
        else:
            parts += [Block(sublayer.key, children=(sublayer,), residual=True), norm]
    return tuple(parts)


def _head(model: ModelConfig, vocab_size: int, task: str, num_labels: int | None) -> tuple[Block, ...]:
    """What turns the last layer's vectors into answers."""
    last = _names(model)[-1]
    if task == "classification":
        labels = "labels" if num_labels is None else f"{num_labels:,}"
        return (
            Block(f"{last}/pooling", "Pooling", POOLINGS[model.pooling], "output", shape=f"(B, {model.d_model:,})"),
            Block(f"{last}/head", "Classifier", f"{model.d_model:,} × {labels}", "head", shape=f"(B, {labels})"),
            Block(f"{last}/head", "label probabilities", kind="output_text"),
        )
    tied = " · tied" if model.tie_embeddings else ""
    title = "Masked-token head" if task == "masked_language_modeling" else "Output layer"
    words = f"{model.d_model:,} × {vocab_size:,}{tied}"
    said = "hidden-token" if task == "masked_language_modeling" else "next-token"
    return (
        Block(f"{last}/head", title, words, "head", shape=_shape(model, vocab_size)),
        Block(f"{last}/head", f"{said} probabilities", kind="output_text"),
    )


def _norm(model: ModelConfig, key: str) -> Block:
    return Block(key, NORMS[model.norm], kind="norm")


def _heads(model: ModelConfig) -> str:
    shared = f" ({model.kv_heads} key/value)" if model.kv_heads != model.num_heads else ""
    return f"{model.num_heads} × {model.width_per_head}{shared}"


def _shape(model: ModelConfig, *widths: int) -> str:
    """A tensor's shape; B is the batch."""
    return f"(B, {', '.join(f'{size:,}' for size in (model.context_length, *widths))})"
