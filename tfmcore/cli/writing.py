"""The arguments of the verbs that write: how the next token is chosen, and when it is enough."""

import argparse
from typing import Any, get_args

from tfmcore.cli.arguments import real, text, whole
from tfmcore.messages import WritingPrecision


def add_writing(parser: argparse.ArgumentParser, temperature: float) -> None:
    """Arguments named as the fields of WritingRequest; `temperature` is the default one."""
    add = parser.add_argument
    add(
        "--max-new-tokens",
        metavar="N",
        type=whole(1, 100_000),
        default=200,
        help="maximum number of new tokens (default: 200)",
    )
    likeliest = f"sampling temperature; 0: greedy (default: {temperature:g})"
    add("--temperature", metavar="T", type=real(0, 10), default=temperature, help=likeliest)
    add("--top-k", metavar="K", type=whole(0), default=0, help="sample from the K most likely tokens; 0: from all")
    add(
        "--top-p",
        metavar="P",
        type=real(1e-9, 1),
        default=1.0,
        help="sample from the most likely tokens whose probabilities add up to P",
    )
    add(
        "--min-p",
        metavar="P",
        type=real(0, 1),
        default=0.0,
        help="sample from tokens at least P times as likely as the most likely one",
    )
    penalty = "make tokens that already occur less likely; 1: no penalty (default: 1)"
    add("--repetition-penalty", metavar="R", type=real(1e-9, 10), default=1.0, help=penalty)
    add("--beams", metavar="N", type=whole(1, 64), default=1, help="beam search with N beams (default: 1)")
    add(
        "--length-penalty",
        metavar="A",
        type=real(0, 5),
        default=1.0,
        help="divide beam scores by length ** A (default: 1)",
    )
    add("--seed", metavar="N", type=whole(0), help="random seed: the same seed gives the same text")
    add("--stop", metavar="TEXT", type=text, action="append", default=[], help="stop before this text; may be repeated")

    precisions = get_args(WritingPrecision)
    precision = "precision of the model's matrices: bf16 and int8 generate faster on a CPU, and the change of the "
    "logits is reported"
    add("--precision", choices=precisions, default="fp32", help=f"{precision} (default: fp32)")


def writing(arguments: argparse.Namespace) -> dict[str, Any]:
    """The fields of a WritingRequest."""
    names = ("max_new_tokens", "temperature", "top_k", "top_p", "min_p", "repetition_penalty")
    more = ("beams", "length_penalty", "seed", "stop", "precision")
    return {name: getattr(arguments, name) for name in (*names, *more)}
