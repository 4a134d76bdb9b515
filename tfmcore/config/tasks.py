"""The tasks as facts: their roles, which architectures can learn them, and what one does with the trained model."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TaskFacts:
    """`roles` are the texts of an example; `verb` is what a person does with the trained model."""

    title: str
    help: str
    roles: tuple[str, ...]
    architectures: tuple[str, ...]
    verb: str
    optional_roles: tuple[str, ...] = ()


TASKS = {
    "language_modeling": TaskFacts(
        title="Language modelling",
        help="Predict the next token; the model then writes on from a prompt.",
        roles=("text",),
        architectures=("decoder",),
        verb="generate",
    ),
    "masked_language_modeling": TaskFacts(
        title="Masked language modelling",
        help="Predict hidden tokens from both sides (80 % masked, 10 % random, 10 % kept); the model then fills gaps.",
        roles=("text",),
        architectures=("encoder",),
        verb="fill",
    ),
    "classification": TaskFacts(
        title="Classification",
        help="Choose the label of a text, or of a pair of texts.",
        roles=("text", "label"),
        optional_roles=("pair",),
        architectures=("encoder", "decoder"),
        verb="classify",
    ),
    "translation": TaskFacts(
        title="Translation",
        help="Turn a source text into a target text: translation, and any other text-to-text task.",
        roles=("source", "target"),
        architectures=("encoder_decoder",),
        verb="translate",
    ),
}
