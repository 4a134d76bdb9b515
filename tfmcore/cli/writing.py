"""The arguments of the verbs that write: how the next token is chosen, and when it is enough."""

import argparse
from typing import Any, get_args

from tfmcore.cli.arguments import real, text, whole
from tfmcore.messages import WritingPrecision


def add_writing(parser: argparse.ArgumentParser, temperature: float) -> None:
    """Arguments named as the fields of WritingRequest; `temperature` is the default one."""
    add = parser.add_argument
    add("--max-new-tokens", metavar="N", type=whole(1, 100_000), default=200, help="tokens at most (default: 200)")
    likeliest = f"0: always the likeliest (default: {temperature:g})"
    add("--temperature", metavar="T", type=real(0, 10), default=temperature, help=likeliest)
    add("--top-k", metavar="K", type=whole(0), default=0, help="only of the K likeliest; 0: of all")
    add("--top-p", metavar="P", type=real(1e-9, 1), default=1.0, help="only of the likeliest that sum to P")
    add("--min-p", metavar="P", type=real(0, 1), default=0.0, help="only of those P times as likely as the likeliest")
    penalty = "make what was written before less likely; 1: do not (default: 1)"
    add("--repetition-penalty", metavar="R", type=real(1e-9, 10), default=1.0, help=penalty)
    add("--beams", metavar="N", type=whole(1, 64), default=1, help="keep the N best while writing (default: 1)")
    add("--length-penalty", metavar="A", type=real(0, 5), default=1.0, help="beams' score ÷ length ** A (default: 1)")
    add("--seed", metavar="N", type=whole(0), help="the same seed writes the same text again")
    add("--stop", metavar="TEXT", type=text, action="append", default=[], help="end before this text")

    precisions = get_args(WritingPrecision)
    precision = "of the model's matrices: bf16 and int8 write faster on a CPU, and say what became of the logits"
    add("--precision", choices=precisions, default="fp32", help=f"{precision} (default: fp32)")


def writing(arguments: argparse.Namespace) -> dict[str, Any]:
    """The fields of a WritingRequest."""
    names = ("max_new_tokens", "temperature", "top_k", "top_p", "min_p", "repetition_penalty")
    more = ("beams", "length_penalty", "seed", "stop", "precision")
    return {name: getattr(arguments, name) for name in (*names, *more)}
