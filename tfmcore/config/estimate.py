"""What a model will cost before it exists: parameters and compute, from its config alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tfmcore.config.config import Config
from tfmcore.config.data import DataConfig
from tfmcore.config.model import ModelConfig
from tfmcore.config.sources import SOURCES
from tfmcore.config.tasks import TOKEN_TASKS
from tfmcore.config.tokenizer import TokenizerConfig

LIKELY_VOCABULARY = {"char": 100, "byte": 263}
"""Characters of a European text; 256 bytes and 7 special tokens. The other kinds reach their limit."""


def likely_vocab_size(tokenizer: TokenizerConfig) -> int:
    """The number of different tokens, as far as it can be told before the tokenizer is trained."""
    return min(LIKELY_VOCABULARY.get(tokenizer.kind, tokenizer.vocab_size), tokenizer.vocab_size)


def likely_num_labels(data: DataConfig) -> int:
    """The number of labels, as far as it can be told before the data are read."""
    return len(data.languages) if "languages" in SOURCES[data.source].options else 2


LAYERED = ("attention", "distance projections", "feed-forward", "norms", "first layer's norms", "cross-attention norms")
"""What stands in layers, by the ends of the parts' names."""


@dataclass(frozen=True)
class Part:
    """A kind of block: `parameters` and forward `flops` (per token) of one, of which the model has `count`. Where each
    process has some of the heads, features and tokens, `cut` of the parameters are shared out."""

    name: str
    parameters: int
    flops: int = 0
    count: int = 1
    cut: int = 0


@dataclass(frozen=True)
class Estimate:
    """The parts of a model; for an encoder-decoder, "a token" is one of the source and one of the target together."""

    model: ModelConfig
    vocab_size: int
    task: str
    parts: tuple[Part, ...]

    @property
    def parameters(self) -> dict[str, int]:
        """Number of weights by part, those of all layers together; a shared matrix counts once."""
        return {part.name: part.parameters * part.count for part in self.parts}

    @property
    def total(self) -> int:
        return sum(self.parameters.values())

    @property
    def flops_per_token(self) -> dict[str, int]:
        """Floating-point operations of a forward pass by part; the backward pass takes twice as many."""
        return {part.name: part.flops * part.count for part in self.parts if part.flops}


def in_layers(name: str) -> bool:
    """Whether the part of that name stands in every layer."""
    return name.endswith(LAYERED)


def stack_of(name: str, layers: Mapping[str, range]) -> str:
    """In which stack a layered part stands, of those that there are."""
    first = name.split()[0]
    return first if first in layers else "decoder" if "decoder" in layers else "encoder"


def estimate(model: ModelConfig, vocab_size: int, task: str, num_labels: int = 2) -> Estimate:
    """What `model` will cost with that vocabulary and the head of `task`."""
    return Estimate(model, vocab_size, task, tuple(_parts(model, vocab_size, task, num_labels)))


def likely_cost(config: Config) -> Estimate:
    """What the model of `config` will cost, as far as it can be told before its data are prepared."""
    vocab_size, num_labels = likely_vocab_size(config.tokenizer), likely_num_labels(config.data)
    return estimate(config.model, vocab_size, config.data.task, num_labels)


def _parts(model: ModelConfig, vocab_size: int, task: str, num_labels: int) -> Iterator[Part]:
    both, d = model.architecture == "encoder_decoder", model.d_model
    norm, stacks = _norm(model), 1 + both
    yield Part("token embedding", vocab_size * d, cut=vocab_size * d)
    if model.has_learned_positions:
        yield Part("position embedding", model.context_length * d, count=stacks)
    if model.position == "relative_buckets":
        yield Part("distance biases", model.num_position_buckets * model.num_heads, count=stacks)
    if model.position == "disentangled":
        yield Part("distance embedding", 2 * model.position_span * d + norm * model.relative_norm, count=stacks)
    if model.num_token_types:
        yield Part("token types", model.num_token_types * d)
    if model.embedding_norm:
        yield Part("embedding norm", norm, count=stacks)
    prefix = "encoder " if both else ""
    yield from _layers(model, prefix, model.num_layers, causal=model.architecture == "decoder")
    if both:
        yield from _layers(model, "decoder ", model.decoder_layers, causal=True)
        cross = _attention(model)
        flops = _flops(model, cross, model.context_length)
        yield Part("cross-attention", cross, flops, model.decoder_layers, cross - _whole_in_attention(model))
        yield Part("cross-attention norms", _norms_around(model), count=model.decoder_layers)
    if model.convolution and model.architecture != "decoder":
        matrix = d * d // model.convolution_groups * model.convolution
        yield Part("convolution", matrix + d + norm, 2 * matrix)
    if model.has_final_norm:
        yield Part("final norm", norm, count=stacks)
    yield _head(model, vocab_size, task, num_labels)
    if task == "masked_language_modeling" and model.next_sentence_head:
        yield Part("next sentence head", d * d + d + 2 * d + 2)


def _layers(model: ModelConfig, prefix: str, count: int, causal: bool) -> Iterator[Part]:
    seen = sum(_seen(model.context_length, model.window_of(layer), causal) for layer in range(count)) / count
    attention = _attention(model)
    cut = attention - _whole_in_attention(model)
    flops = _flops(model, attention, seen) + _distance_flops(model)
    yield Part(f"{prefix}attention", attention, flops, count, cut)
    if model.position == "disentangled" and not model.share_position_projections:
        distances = _distance_projections(model)
        yield Part(f"{prefix}distance projections", distances, count=count, cut=distances)
    matrices = (3 if model.gated else 2) * model.d_model * model.ff_width
    biases = ((2 if model.gated else 1) * model.ff_width + model.d_model) * model.feed_forward_bias
    cut = matrices + biases - model.d_model * model.feed_forward_bias
    yield Part(f"{prefix}feed-forward", matrices + biases, 2 * matrices, count, cut)
    norms = 2 * _norms_around(model)
    if not model.skip_first_norm:
        yield Part(f"{prefix}norms", norms, count=count)
    else:
        yield Part(f"{prefix}first layer's norms", norms - _norm(model))
        yield Part(f"{prefix}norms", norms, count=count - 1)


def _attention(model: ModelConfig) -> int:
    """Weights of one attention: queries, keys, values and output; the same for self-attention and cross-attention."""
    queries, keys = model.num_heads * model.width_per_head, model.kv_heads * model.width_per_head
    biases = (queries + keys * (1 + model.key_bias)) * model.attention_bias
    return 2 * model.d_model * (queries + keys) + biases + _whole_in_attention(model)


def _whole_in_attention(model: ModelConfig) -> int:
    """Those of them that all heads use: the output's bias, and the norms of queries and keys."""
    norms = 2 * _norm(model, model.width_per_head) * model.query_key_norm
    return model.d_model * model.has_output_bias + norms


def _distance_projections(model: ModelConfig) -> int:
    """Weights with which one disentangled attention projects the vectors of distances."""
    queries, keys = model.num_heads * model.width_per_head, model.kv_heads * model.width_per_head
    as_keys = keys * (model.d_model + (model.attention_bias and model.key_bias))
    as_queries = queries * (model.d_model + model.attention_bias)
    sizes = {"content_to_position": as_keys, "position_to_content": as_queries}
    return sum(sizes[term] for term in model.position_terms)


def _flops(model: ModelConfig, parameters: int, seen: float) -> int:
    """Two for each weight, and four for each feature of each head and each key that is seen (scores, then values)."""
    return 2 * parameters + round(4 * seen * model.num_heads * model.width_per_head)


def _distance_flops(model: ModelConfig) -> int:
    """Disentangled: two for each feature of each head and each distance that there can be, by each term."""
    if model.position != "disentangled":
        return 0
    num_distances = min(2 * model.context_length - 1, 2 * model.position_span)
    return 2 * len(model.position_terms) * num_distances * model.num_heads * model.width_per_head


def _seen(length: int, window: int | None, causal: bool) -> float:
    """How many keys a query sees, on average over a sequence of `length` tokens."""
    reach = min(window or length, length)
    one_side = reach - reach * (reach - 1) / (2 * length)  # itself included
    return one_side if causal else 2 * one_side - 1


def _norm(model: ModelConfig, width: int | None = None) -> int:
    return (width or model.d_model) * (2 if model.norm == "layer" and model.norm_bias else 1)


def _norms_around(model: ModelConfig) -> int:
    """Weights of the norms of one residual connection."""
    return _norm(model) * (2 if model.norm_placement == "sandwich" else 1)


def _head(model: ModelConfig, vocab_size: int, task: str, num_labels: int) -> Part:
    d, matrix = model.d_model, vocab_size * model.d_model
    own = 0 if model.tie_embeddings else matrix
    dense_norm = d * d + d * model.head_bias + _norm(model)
    poolers = {"none": 0, "tanh": d * d + d, "gelu": d * d + d, "dense_norm": dense_norm}
    of_each_token = dense_norm if model.pooler_layer == "dense_norm" else 0
    choice = d + model.classifier_bias
    match task:
        case "masked_language_modeling":
            return Part("head", dense_norm + vocab_size + own, 2 * (d * d + matrix), cut=vocab_size + own)
        case "classification":
            return Part("head", poolers[model.pooler_layer] + num_labels * choice)
        case "token_tagging":
            return Part("head", of_each_token + num_labels * choice, 2 * (of_each_token + num_labels * d))
        case "question_answering":
            return Part("head", of_each_token + 2 * choice, 2 * (of_each_token + 2 * d))
        case _:
            assert task in TOKEN_TASKS, f"what the head of {task} costs is not told here"
            own += vocab_size * model.output_bias
            return Part("head", own, 2 * matrix, cut=own)
