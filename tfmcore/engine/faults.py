"""What went wrong with a request, as one sentence and details to copy."""

import re
import traceback

from tfmcore.config import UserError
from tfmcore.messages import Refused

TRIED_TO_ALLOCATE = re.compile(r"(?:allocate|Unable to allocate) ([\d.]+ ?(?:[KMGT]i?B|bytes))", re.IGNORECASE)
OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "unable to allocate", "cannot allocate memory")


def refusal(request_id: int, kind: str, error: BaseException) -> Refused:
    """The reply that ends a request which raised `error`."""
    if isinstance(error, UserError):
        sentence, _, more = str(error).partition("\n")
        return Refused(id=request_id, sentence=sentence, details=error.details or more, fix=error.fix)
    details = "".join(traceback.format_exception(error))
    if is_out_of_memory(error):
        return Refused(id=request_id, sentence=_memory_sentence(error), details=details)
    sentence = f"“{kind.replace('_', ' ')}” failed unexpectedly: {_brief(error)}"
    return Refused(id=request_id, sentence=sentence, details=details)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: torch says so by RuntimeError on a processor and by a subclass of it on a GPU."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in text for words in OUT_OF_MEMORY)
    )


def _memory_sentence(error: BaseException) -> str:
    tried = TRIED_TO_ALLOCATE.search(str(error))
    amount = _readable(tried[1]) if tried else "what it needs"
    return f"Not enough memory: could not allocate {amount}; use a shorter text or a smaller model."


def _readable(amount: str) -> str:
    number, unit = amount.split()[0], amount.split()[-1]
    return f"{int(float(number)) / 1e6:,.1f} MB" if unit == "bytes" else amount


def _brief(error: BaseException) -> str:
    """The type and the first line of what it says."""
    first = str(error).strip().partition("\n")[0][:200]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
