"""The tasks as facts: their roles, which architectures can learn them, and what one does with the trained model."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TaskFacts:
    """`roles` are the texts of an example; `verb` is what a person does with the trained model; `options` names the
    fields of `[data]` that matter to this task (`packing` where labels line up with tokens), and `metric` what its best
    checkpoint has the most of, if anything, or else the lowest loss. `second` is the role of a text that the model
    reads, or writes, beside the first one. A model that `predicts_tokens` has a logit for each."""

    title: str
    help: str
    roles: tuple[str, ...]
    architectures: tuple[str, ...]
    verb: str
    predicts_tokens: bool
    optional_roles: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    metric: str = "loss"
    second: str = ""


TASKS = {
    "language_modeling": TaskFacts(
        title="Language modelling",
        help="Predict the next token; the model can then continue a prompt. Where a table has prompts, only the text "
        "that follows each is predicted.",
        roles=("text",),
        optional_roles=("prompt",),
        architectures=("decoder",),
        verb="generate",
        predicts_tokens=True,
        options=("separator", "packing"),
    ),
    "masked_language_modeling": TaskFacts(
        title="Masked language modelling",
        help="Predict hidden tokens from both sides (80 % masked, 10 % random, 10 % kept); the model can then fill "
        "gaps.",
        roles=("text",),
        architectures=("encoder",),
        verb="fill",
        predicts_tokens=True,
        second="pair",
        options=("whole_word_masking", "next_sentence_prediction", "packing"),
    ),
    "span_corruption": TaskFacts(
        title="Span corruption",
        help="T5's pretraining: spans of the text are replaced by sentinels, and the model writes what was there.",
        roles=("text",),
        architectures=("encoder_decoder",),
        verb="translate",
        predicts_tokens=True,
        second="target",
        options=("noise_density", "mean_span_length"),
    ),
    "denoising": TaskFacts(
        title="Denoising",
        help="BART's pretraining: masks replace spans of any length, sentences are shuffled, and the model writes "
        "the original text.",
        roles=("text",),
        architectures=("encoder_decoder",),
        verb="translate",
        predicts_tokens=True,
        second="target",
        options=("infilling_rate", "infilling_length", "permute_sentences"),
    ),
    "classification": TaskFacts(
        title="Classification",
        help="Choose the label of a text, or of a pair of texts.",
        roles=("text", "label"),
        optional_roles=("pair",),
        architectures=("encoder", "decoder"),
        verb="classify",
        predicts_tokens=False,
        second="pair",
        metric="accuracy",
    ),
    "token_tagging": TaskFacts(
        title="Token tagging",
        help="Give each word a label, such as B-place, I-place or O: names, dates, parts of speech.",
        roles=("text", "labels"),
        architectures=("encoder", "decoder"),
        verb="tag",
        predicts_tokens=False,
        metric="entity_f1",
        options=("stride", "packing"),
    ),
    "question_answering": TaskFacts(
        title="Question answering",
        help="Find the answer to a question in a text, or say that it is not there.",
        roles=("question", "context"),
        optional_roles=("answer", "answer_start"),
        architectures=("encoder",),
        verb="answer",
        predicts_tokens=False,
        second="context",
        metric="place_f1",
        options=("stride",),
    ),
    "translation": TaskFacts(
        title="Translation",
        help="Turn a source text into a target text: translation, and any other text-to-text task.",
        roles=("source", "target"),
        architectures=("encoder_decoder",),
        verb="translate",
        predicts_tokens=True,
        second="target",
        options=("prefix", "packing"),
    ),
}
TEXT_TASKS = tuple(name for name, facts in TASKS.items() if facts.roles == ("text",))
"""Those that learn from running text."""
PAIR_TASKS = tuple(name for name, facts in TASKS.items() if facts.roles == ("source", "target"))
"""Those that learn to turn one text into another."""
LABEL_TASKS = tuple(name for name, facts in TASKS.items() if {"label", "labels"} & {*facts.roles})
"""Those that predict some of the names which the data gives."""
TOKEN_TASKS = tuple(name for name, facts in TASKS.items() if facts.predicts_tokens)
"""Those whose heads have a logit for each token."""
