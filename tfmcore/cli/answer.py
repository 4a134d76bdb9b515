"""Find the answer to a question in a text, or report that it is not there."""

import argparse

from tfmcore.cli.arguments import add_json, add_model, chosen_model, text, whole
from tfmcore.cli.ask import ask
from tfmcore.cli.output import print_table
from tfmcore.messages import Answer, Answered

EXAMPLES = """
tfm answer reader --question "Who wrote it?" --context "The first program was written by Ada Lovelace."
cat article.txt | tfm answer reader --question "When did it begin?" --context - --answers 1 --json
"""
NO_ANSWER = "(no answer)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("--question", metavar="Q", type=text, required=True, help="the question")
    parser.add_argument("--context", metavar="C", type=text, required=True, help="the text; - reads it from stdin")
    parser.add_argument("--answers", metavar="N", type=whole(1, 50), default=5, help="number of answers (default: 5)")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    model, question, context = str(chosen_model(arguments)), arguments.question, arguments.context
    request = Answer(id=0, model=model, question=question, context=context, num_answers=arguments.answers)
    return ask(request, arguments, show)


def show(reply: Answered) -> None:
    found = [(" ".join(each.text.split()), each.probability, f"{each.start}") for each in reply.answers]
    ranked = sorted([*found, (NO_ANSWER, reply.no_answer, "")], key=lambda row: -row[1])
    rows = [(answer, f"{share:.1%}", place) for answer, share, place in ranked]
    print_table(("Answer", "Probability", "At character"), rows, right=(1, 2))
